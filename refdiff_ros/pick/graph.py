"""The nodes of a pick as processes on a private ROS domain."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, ExitStack
from dataclasses import dataclass
from pathlib import Path
import sys
from typing import Any, TYPE_CHECKING

from refdiff_ros.optional import require_ros
from refdiff_ros.sim.gripper_sim import camera_in_base
from refdiff_ros.sim.worlds import table_scene, WORLD

if TYPE_CHECKING:
    from refdiff_ros.pick.ros.client import PickClient

GRIPPER = '/robot'
# The refdiff node's inputs, and the simulated camera's topics.
_IMAGES = {'image': f'{GRIPPER}/color/image_raw', 'depth': f'{GRIPPER}/depth/image_raw',
           'camera_info': f'{GRIPPER}/color/camera_info'}
_TRUTH = {'instances': f'{GRIPPER}/tabletop_gripper/instances',
          'objects': f'{GRIPPER}/tabletop_gripper/objects'}
_DEPTH = {name: _IMAGES[name] for name in ('depth', 'camera_info')}
# A machine with a lot to do simulates slower than the clock.
_MOTION_S = 60.0
_ROBOT = {name: f'{GRIPPER}/{name}'
          for name in ('target_pose', 'gripper_command', 'current_pose', 'joint_states')}


@dataclass(frozen=True)
class GraphOptions:
    """What runs.

    Attributes:
        seed: of the first scene.
        size_hw: of the pictures.
        true_masks: the simulator's truth answers in place of the models.
        bundle, preset, mode, device: of the refdiff node.
        timeout_s: for the models to load, for an answer, for a pick.
        log: folder of the processes' outputs.
        speed: simulated seconds per second.
        server: command of the action server.
        web_port: of the refdiff node's operator page; 0 for none, and none with true masks.
        film_hz: pictures per simulated second, on each of which the physics waits; 0 lets it run.
        world: a name of `worlds.MAKERS`.
    """

    seed: int
    size_hw: tuple[int, int]
    true_masks: bool
    bundle: str
    preset: str
    mode: str
    device: str
    timeout_s: float
    log: Path
    speed: float = 1.0
    server: str = 'pick-server'
    web_port: int = 0
    film_hz: float = 0.0
    world: str = WORLD


@contextmanager
def graph(options: GraphOptions, client: 'type[PickClient] | None' = None,
          ) -> Iterator[Any]:
    """Start the nodes; on leaving they end, whatever happened.

    Args:
        options: what runs.
        client: the class of what watches; None for a `PickClient`.

    Raises:
        MissingPackageError: ROS is not there.
        RefDiffError: a node ended by itself, or nothing became active in time.
    """
    private_domain = require_ros('refdiff_ros.ros.processes.private_domain')
    with private_domain.enter_domain(), ExitStack() as stack:
        yield start(options, stack, client)


def show_scene(
    client: 'PickClient', seed: int, timeout_s: float, world: str = WORLD,
) -> None:
    """Have a scene laid, and tell the action server where its camera stands.

    Raises:
        RefDiffError: it is not laid in time.
    """
    camera = camera_in_base(table_scene(seed, world).view)
    client.set_parameter('gripper', 'seed', seed, timeout_s)
    client.set_parameter('server', 'camera_in_base', [*camera.position, *camera.orientation],
                         timeout_s)
    client.wait_for_scene(seed, timeout_s)


def start(options: GraphOptions, stack: ExitStack, client: 'type[PickClient] | None' = None,
          ) -> 'PickClient':
    """Start the nodes on this process's own domain; they end with the stack.

    Args:
        options: what runs.
        stack: that ends them.
        client: the class of what watches; None for a `PickClient`.

    Raises:
        RefDiffError: a node ended by itself, or nothing became active in time.
    """
    from refdiff_ros.pick.ros.client import PickClient
    from refdiff_ros.ros.processes.child_process import ChildProcess

    height, width = options.size_hw
    gripper: dict[str, Any] = {
        'seed': options.seed, 'world': options.world, 'width': width, 'height': height,
        'speed': options.speed}
    if options.film_hz:
        gripper |= {'lockstep': 'true', 'rate': options.film_hz}
    grounder = ('truth', {}, {**_IMAGES, **_TRUTH}) if options.true_masks else ('node', {
        'bundle': options.bundle, 'preset': options.preset, 'mode': options.mode,
        'device': options.device, 'service_timeout': options.timeout_s, 'max_age': 30.0,
        'web_port': options.web_port}, _IMAGES)
    server = {'goal_timeout': options.timeout_s, 'motion_timeout': (
        options.timeout_s if options.film_hz else min(options.timeout_s, _MOTION_S))}
    processes = []
    for command, values, remaps in (
            ('gripper', gripper, {'__ns': GRIPPER}), grounder,
            (options.server, server, {**_ROBOT, **_DEPTH})):
        process = ChildProcess(command, _command(command, values, remaps),
                               options.log / f'{command}.log')
        stack.callback(process.stop)
        processes.append(process)

    def watch() -> None:
        for process in processes:
            process.check()

    watching = stack.enter_context((client or PickClient)(GRIPPER, watch))
    if not options.true_masks:
        watching.wait_until_active(options.timeout_s)
    return watching


def _command(name: str, values: Mapping[str, Any], remaps: Mapping[str, str]) -> Sequence[str]:
    arguments = [text for old, new in remaps.items() for text in ('-r', f'{old}:={new}')]
    arguments += [text for key, value in values.items() for text in ('-p', f'{key}:={value}')]
    return [sys.executable, '-m', 'refdiff_ros.cli', name, '--ros-args', *arguments]


