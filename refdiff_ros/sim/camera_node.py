"""The node `tabletop_camera`: a simulated RGB-D camera over a random tabletop.

It publishes like a real RGB-D driver, and beside that the truth: `~/instances` (16UC1, 0 is
background, n is object n) and `~/objects` (JSON, latched: see `camera_topics.objects_json`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
import threading
import traceback
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from refdiff_ros.errors import BadRequestError, RefDiffError
from refdiff_ros.ros.parameters import ParameterSpec
from refdiff_ros.ros.processes.spin import run
from refdiff_ros.sim.camera_topics import CameraTopics, VIEW_PARAMETERS
from refdiff_ros.sim.render import generate, SceneView
from refdiff_ros.sim.worlds import WORLD

PARAMETERS = (
    ParameterSpec('seed', 0, 'Seed of the first scene; each next scene adds 1.', 'start',
                  low=0, high=2**31 - 1),
    *VIEW_PARAMETERS,
    ParameterSpec('rate', 10.0, 'Frames per second, Hz.', low=0.05, high=120.0),
    ParameterSpec('scene_period', 0.0,
                  'Seconds after which a new scene is laid; 0 keeps the scene.',
                  low=0.0, high=86400.0),
    ParameterSpec('depth_noise', True,
                  'Depth like a real sensor gives it: noise, holes, flying pixels at rims.'),
    ParameterSpec('reliable', False,
                  'Send images again that were lost, as some drivers do; best effort otherwise.',
                  'start'),
    ParameterSpec('compressed', False,
                  "Also publish JPEG on 'color/image_raw/compressed'."),
)
_BY_NAME = {spec.name: spec for spec in PARAMETERS}


@dataclass(frozen=True)
class CameraConfig:
    """The values of all parameters; see `PARAMETERS`."""

    seed: int = 0
    world: str = WORLD
    width: int = 640
    height: int = 480
    rate: float = 10.0
    scene_period: float = 0.0
    depth_noise: bool = True
    reliable: bool = False
    compressed: bool = False

    def __post_init__(self):
        for field in fields(self):
            checked = _BY_NAME[field.name].check(getattr(self, field.name))
            object.__setattr__(self, field.name, checked)


class TabletopCamera(Node):
    """Callbacks only; one thread renders and publishes, because OpenGL belongs to a thread."""

    def __init__(self, **kwargs: Any):
        super().__init__('tabletop_camera', **kwargs)
        self._config = CameraConfig(**{
            spec.name: self.declare_parameter(spec.name, spec.default, spec.descriptor()).value
            for spec in PARAMETERS})
        self._topics = CameraTopics(self, self._config.reliable)
        self.create_service(Trigger, '~/next_scene', self._next_scene)
        self.add_on_set_parameters_callback(self._check_parameters)
        self.add_post_set_parameters_callback(self._take_parameters)
        self._stopping, self._next, self._wake = (threading.Event() for _ in range(3))
        self._thread = threading.Thread(target=self._run, name='camera', daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the publishing thread after its frame."""
        self._stopping.set()
        self._wake.set()
        self._thread.join()

    def _next_scene(
        self, _request: Trigger.Request, response: Trigger.Response,
    ) -> Trigger.Response:
        self._next.set()
        self._wake.set()
        response.success, response.message = True, 'the next frame shows a new scene'
        return response

    def _check_parameters(self, changed: list[Parameter]) -> SetParametersResult:
        try:
            for parameter in changed:
                if parameter.name in _BY_NAME:
                    _BY_NAME[parameter.name].check(parameter.value)
        except BadRequestError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _take_parameters(self, changed: list[Parameter]) -> None:
        self._config = replace(
            self._config, **{p.name: p.value for p in changed if p.name in _BY_NAME})

    def _run(self) -> None:
        try:
            self._render_and_publish()
        except RefDiffError as error:
            self.get_logger().fatal(f'no images: {error}')
        except Exception:  # a thread's end must not go unseen
            self.get_logger().fatal(f'no more images\n{traceback.format_exc()}')

    def _render_and_publish(self) -> None:
        clock, seed = self.get_clock(), self._config.seed
        view, laid_at = None, 0
        while not self._stopping.is_set():
            started = clock.now()
            period = self._config.scene_period
            due = period > 0 and started.nanoseconds - laid_at >= period * 1e9
            if view is None or due or self._next.is_set():
                seed += 0 if view is None else 1
                self._next.clear()
                view, laid_at = self._lay_scene(seed), started.nanoseconds
                started = clock.now()
            self._topics.publish(
                view, started.to_msg(),
                started.nanoseconds if self._config.depth_noise else None,
                self._config.compressed)
            spent = (clock.now() - started).nanoseconds / 1e9
            self._wake.wait(max(0.0, 1.0 / self._config.rate - spent))
            self._wake.clear()

    def _lay_scene(self, seed: int) -> SceneView:
        view = generate(
            seed, (self._config.height, self._config.width), self._config.world)
        self._topics.publish_truth(view)
        names = ', '.join(thing.name for thing in view.objects)
        self.get_logger().info(f'scene {seed}: {names}')
        return view


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until SIGINT; the process' exit status."""
    return run(TabletopCamera, args)
