"""`refdiff demo`: a simulated camera and the node as processes, asked for a few things."""

import argparse
from contextlib import ExitStack
from pathlib import Path
import sys
from typing import TYPE_CHECKING

import numpy as np

from refdiff_ros.errors import RefDiffError
from refdiff_ros.optional import require_ros
from refdiff_ros.presets import Mode, PRESETS
from refdiff_ros.sim.worlds import add_world_option

if TYPE_CHECKING:
    from refdiff_ros.ros.processes.child_process import ChildProcess
    from refdiff_ros.sim.render import SceneView

_BUNDLE = 'tabletop_mini'
_SIZE_HW = (480, 640)
_CAMERA = '/camera'
# The node's inputs, and the camera's topics.
_TOPICS = {'image': 'color/image_raw', 'depth': 'depth/image_raw',
           'camera_info': 'color/camera_info'}


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register the subcommand."""
    parser = subparsers.add_parser(
        'demo', help='start a simulated camera and the node, ask for a few objects',
        description='Needs ROS 2 and the built workspace; uses a private ROS domain on this '
        'machine and ends both processes whatever happens.')
    parser.add_argument('--bundle', default=_BUNDLE, help='model bundle: name, folder or hub id')
    parser.add_argument('--preset', default='onboard', choices=sorted(PRESETS))
    parser.add_argument('--mode', default='full', choices=[mode.value for mode in Mode])
    parser.add_argument('--device', default='auto', help="'auto', 'cpu' or 'cuda[:N]'")
    parser.add_argument('--seed', type=int, default=3, help='of the scene and of the noise')
    add_world_option(parser)
    parser.add_argument('--expressions', type=int, default=6, metavar='N',
                        help='expressions asked through the service (default 6)')
    parser.add_argument('--out', type=Path, default=Path('out/demo'),
                        help='folder for pictures and logs (default out/demo)')
    parser.add_argument('--timeout', type=float, default=180.0, metavar='S',
                        help='seconds to become active, and for each answer (default 180)')
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the demo.

    Returns:
        0 when each expression was answered (FOUND, NOT_FOUND or AMBIGUOUS), 1 when one was not.

    Raises:
        RefDiffError: ROS is not there, a process ended by itself, or nothing became active in
            time; the message carries the process's last lines.
    """
    if args.timeout <= 0 or args.expressions < 1:
        raise RefDiffError('expected --timeout > 0 and --expressions >= 1, got '
                           f'{args.timeout} and {args.expressions}')
    print(first_line(args.bundle), flush=True)
    private_domain = require_ros('refdiff_ros.ros.processes.private_domain')
    with private_domain.enter_domain() as domain, ExitStack() as stack:
        return _demo(args, domain, stack)


def first_line(bundle: str) -> str:
    """What the reader must know before any number: whether the weights are trained."""
    from refdiff_ros.models.store import locate, UNTRAINED
    if bundle == UNTRAINED:
        from refdiff_ros.models.untrained import NOTICE
        return f'NOTE: {NOTICE}.'
    manifest = locate(bundle).bundle
    if not manifest.trained:
        return f'NOTE: {manifest.notice}.'
    return f"Bundle '{manifest.name}'. {manifest.notice}".rstrip()


def _demo(args: argparse.Namespace, domain: int, stack: ExitStack) -> int:
    from refdiff_ros.demo import table
    from refdiff_ros.demo.client import DemoClient
    from refdiff_ros.ros.processes.startup import wait_until_active

    view, asked = scene(args.seed, args.world, args.expressions)
    print(f'starting the camera and the node on ROS domain {domain}, on this machine only; '
          f'logs in {args.out / "log"}', flush=True)
    # Pictures of an earlier scene beside this table would be taken for its own.
    for earlier in args.out.glob('[0-9]*_*.png'):
        earlier.unlink()
    processes = _start(args, stack)

    def watch() -> None:
        for process in processes:
            process.check()

    client = stack.enter_context(DemoClient())
    wait_until_active(client.state, args.timeout, watch)
    _check_scene(client.instances(f'{_CAMERA}/tabletop_camera/instances', args.timeout, watch),
                 view.masks, args.seed)
    rows = []
    for k, (text, truth) in enumerate(asked):
        through_topic = k == len(asked) - 1
        # The picture comes through the topic in both cases: only there attention is drawn.
        service = None if through_topic else client.ask_service(text, args.timeout, watch)
        topic, picture = client.ask_topic(text, args.timeout, watch)
        answer = topic if service is None else service
        rows.append(table.row(text, answer, view, truth, through_topic))
        if picture is not None:
            table.write_picture(args.out / f'{k + 1}_{table.slug(text)}.png', picture)
        print(f'  {k + 1}/{len(asked)} {rows[-1].status:<9} {text}', flush=True)
    print('\n' + table.table(rows))
    print(f'\n{table.LEGEND}\npictures: {args.out}/*.png', flush=True)
    return 0 if all(row.answered for row in rows) else 1


def scene(seed: int, world: str, count: int) -> tuple['SceneView', list[tuple[str, int]]]:
    """The scene that the camera will show, and expressions with the rows that they mean.

    Args:
        seed: of the scene.
        world: which things lie on the table.
        count: expressions asked through the service; one more comes through the topic.

    Raises:
        RefDiffError: the scene has nothing that one expression means.
    """
    from refdiff_ros.sim.expressions import expressions
    from refdiff_ros.sim.render import generate

    view = generate(seed, _SIZE_HW, world)
    kinds: dict[str, list[tuple[str, int]]] = {}
    for found in expressions(view):
        kinds.setdefault(found.kind, []).append((found.text, found.row))
    # One of each kind in turn, so that a few show them all.
    turns = [texts[turn] for turn in range(max(map(len, kinds.values()), default=0))
             for texts in kinds.values() if turn < len(texts)]
    if not turns:
        raise RefDiffError(f'expected a scene to speak of, seed {seed} gives none: take another')
    return view, turns[:count + 1]


def _start(args: argparse.Namespace, stack: ExitStack) -> tuple['ChildProcess', ...]:
    """The two processes, which end when the stack is closed."""
    from refdiff_ros.ros.processes.child_process import ChildProcess

    # On a busy machine best effort loses depth, and an answer without depth has no pose.
    camera = {'seed': args.seed, 'world': args.world, 'width': _SIZE_HW[1],
              'height': _SIZE_HW[0], 'rate': 10.0, 'reliable': 'true'}
    node = {'bundle': args.bundle, 'preset': args.preset, 'mode': args.mode,
            'device': args.device, 'seed': args.seed,
            'service_timeout': args.timeout, 'max_age': 30.0}
    remaps = [f'{name}:={_CAMERA}/{topic}' for name, topic in _TOPICS.items()]
    started = []
    for name, command, values, rules in (
            ('camera', 'camera', camera, [f'__ns:={_CAMERA}']),
            ('refdiff node', 'node', node, remaps)):
        arguments = [text for rule in rules for text in ('-r', rule)]
        arguments += [text for key, value in values.items() for text in ('-p', f'{key}:={value}')]
        process = ChildProcess(
            name, [sys.executable, '-m', 'refdiff_ros.cli', command, '--ros-args', *arguments],
            args.out / 'log' / f'{command}.log')
        stack.callback(process.stop)
        started.append(process)
    return tuple(started)


def _check_scene(instances: np.ndarray, masks: np.ndarray, seed: int) -> None:
    """Whether the camera shows what the answers will be compared with."""
    for row, mask in enumerate(masks):
        if not np.array_equal(instances == row + 1, mask):
            raise RefDiffError(f'expected the camera to show the scene of seed {seed}, object '
                               f'{row} differs: is another camera on this domain?')
