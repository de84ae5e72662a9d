"""Helpers for tests on a real ROS graph: a node in its own process and a client of it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
import os
from pathlib import Path
import signal
import subprocess
import sys
import threading
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
import numpy as np
from rcl_interfaces.srv import GetParameters, SetParameters
import rclpy
from rclpy.context import Context
from rclpy.executors import (
    ExternalShutdownException,
    MultiThreadedExecutor,
    SingleThreadedExecutor,
)
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header, String
from warm_start import start_children_warm, warm_start

from refdiff_ros.msg import GraspRegion, ReferringMask
from refdiff_ros.ros.conversions import image_message
from refdiff_ros.ros.processes.child_process import end_with_parent
from refdiff_ros.ros.processes.private_domain import claim_descriptors
from refdiff_ros.srv import ReferSegmentation

ROOT = Path(__file__).resolve().parents[1]
NODE = ROOT / 'scripts' / 'refdiff_node'
# For what loads models on a busy machine; a very busy one sets its own.
PATIENCE_S = float(os.environ.get('REFDIFF_PATIENCE_S', '200'))
# After so long without an answer what may be asked twice is asked again.
_AGAIN_S = 15.0
# Ends everything that was started here; what has ended already takes it as well.
_STARTED: list[Callable[[], None]] = []

start_children_warm()


def picture(height: int = 96, width: int = 128, seed: int = 0) -> np.ndarray:
    """(H, W, 3) uint8: two coloured boxes on a noisy table."""
    rng = np.random.default_rng(seed)
    image = rng.integers(90, 120, (height, width, 3)).astype(np.uint8)
    image[height // 4:height // 2, width // 8:width // 3] = (200, 30, 30)
    image[height // 2:3 * height // 4, width // 2:3 * width // 4] = (30, 30, 200)
    return image


def header(seconds: float = 0.0, frame_id: str = 'camera_optical') -> Header:
    """A header with a stamp in seconds; 0 takes the time now."""
    result = Header(frame_id=frame_id)
    nanoseconds = int(seconds * 1e9) if seconds else time.time_ns()
    result.stamp.sec, result.stamp.nanosec = divmod(nanoseconds, 1_000_000_000)
    return result


def image(pixels: np.ndarray | None = None, stamp: float = 0.0) -> Image:
    """An rgb8 message."""
    return image_message(picture() if pixels is None else pixels, 'rgb8', header(stamp))


def camera_info(height: int = 96, width: int = 128, stamp: float = 0.0, fx: float = 100.0
                ) -> CameraInfo:
    """Intrinsics of a pinhole camera that looks straight ahead."""
    return CameraInfo(
        header=header(stamp), height=height, width=width, distortion_model='plumb_bob',
        k=[fx, 0.0, width / 2, 0.0, fx, height / 2, 0.0, 0.0, 1.0])


class NodeProcess:
    """A node in its own process, its output collected line by line.

    Args:
        parameters: name to value; the refdiff node takes `untrained_mini` unless they name a
            bundle, since random weights answer to any picture, and carries no answers unless they
            say 'follow', so that each frame has one answer.
        script: the program; the refdiff node by default.
        arguments: further ROS arguments ('-r', 'image:=/camera/image', ...).
    """

    def __init__(
        self,
        parameters: dict[str, Any] | None = None,
        script: Path = NODE,
        arguments: Sequence[str] = (),
        environment: dict[str, str] | None = None,
    ):
        command = [str(script), '--ros-args', *arguments]
        values = dict(parameters or {})
        if script.name in (NODE.name, 'slow_node.py', 'hanging_node.py'):
            values.setdefault('bundle', 'untrained_mini')
            values.setdefault('follow', False)
        for name, value in values.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            command += ['-p', f'{name}:={text}']
        self.lines: list[str] = []
        self._process = _start(command, {
            **os.environ, 'PYTHONUNBUFFERED': '1', **(environment or {})})
        # A copy that outlives the test, where the log of ROS itself is too.
        folder = Path(os.environ.get('ROS_LOG_DIR') or os.devnull)
        self._log = folder / f'{script.name}_{self.pid}.log' if folder.is_dir() else folder
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        _STARTED.append(self.kill)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def output(self) -> str:
        """What the node has printed so far."""
        return '\n'.join(self.lines)

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def wait_for_output(self, text: str, timeout_s: float = PATIENCE_S) -> None:
        """Until a printed line contains `text`."""
        wait_for(lambda: text in self.output or not self.alive, timeout_s,
                 lambda: f'no {text!r} in the output:\n{self.output}')
        if text not in self.output:
            raise AssertionError(f'the node ended without {text!r}:\n{self.output}')

    def signal(self, number: int = signal.SIGINT) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """Until the process ends; its exit status."""
        status = self._process.wait(timeout_s)
        self._reader.join(PATIENCE_S)
        return status

    def stop(self) -> int:
        """Interrupt and wait; its exit status."""
        if self.alive:
            self.signal()
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """End it at once, where it has not ended yet."""
        self._process.kill()
        self._process.wait()

    def _read(self) -> None:
        with self._log.open('w') as log:
            for line in self._process.stdout:
                self.lines.append(line.rstrip('\n'))
                log.write(line)
                log.flush()


def _start(command: Sequence[str], environment: dict[str, str]) -> Any:
    warm = warm_start(command, environment, claim_descriptors())
    return warm or subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        pass_fds=claim_descriptors(), preexec_fn=end_with_parent(), env=environment)


@contextmanager
def spun_nodes(*names: str) -> Iterator[list[Node]]:
    """Bare nodes of these names, which something spins."""
    context = Context()
    rclpy.init(context=context)
    nodes = [rclpy.create_node(name, context=context) for name in names]
    executor = MultiThreadedExecutor(4, context=context)
    for node in nodes:
        executor.add_node(node)
    thread = threading.Thread(target=executor.spin, daemon=True)
    thread.start()
    try:
        yield nodes
    finally:
        executor.shutdown(1.0)
        rclpy.try_shutdown(context=context)
        thread.join(2.0)


def wait_for(
    predicate: Callable[[], Any],
    timeout_s: float = PATIENCE_S,
    message: Callable[[], str] = lambda: 'the condition did not come true',
) -> Any:
    """Until `predicate()` is true; its value. Raises AssertionError after `timeout_s`."""
    end = time.monotonic() + timeout_s
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f'{message()} (waited {timeout_s:g} s)')
        time.sleep(0.01)


def started() -> int:
    """How many processes and clients were started."""
    return len(_STARTED)


def end_all_since(count: int) -> None:
    """End what was started after the first `count`; a failed test may have left something."""
    while len(_STARTED) > count:
        _STARTED.pop()()


class Gates:
    """Where a `slow_node` waits before it loads and before it answers, while that is shut.

    Args:
        folder: for the files that both sides look at; a new one.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self.environment = {'REFDIFF_TEST_GATES': str(folder)}

    def shut(self, name: str) -> None:
        """'load' or 'segment': from now on the node waits there."""
        (self._folder / name).touch()

    def open(self, name: str) -> None:
        """Let the node go on."""
        (self._folder / name).unlink()

    def wait_reached(self, name: str) -> None:
        """Until the node waits there."""
        wait_for((self._folder / f'{name}_reached').exists, message=lambda: f'never at {name!r}')


@contextmanager
def running(*args: Any, **kwargs: Any) -> Iterator[tuple[NodeProcess, 'GraphClient']]:
    """A `NodeProcess` of these arguments, active, and a client; it must end well."""
    node = NodeProcess(*args, **kwargs)
    try:
        client = GraphClient()
        try:
            client.wait_until('active')
            yield node, client
        finally:
            client.close()
        ended = node.stop()
    finally:
        node.kill()
    assert ended == 0, node.output
    # Whatever was asked of it, nothing went wrong inside.
    assert 'Traceback' not in node.output, node.output


class GraphClient:
    """A node of the test's own, spun on a thread, with what speaks to `/refdiff`."""

    def __init__(self, name: str = 'refdiff'):
        self.context = Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node('test_client', context=self.context)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._target = name
        many = QoSProfile(depth=1000)
        self.masks: list[ReferringMask] = []
        self.grasps: list[GraspRegion] = []
        self.diagnostics: list[DiagnosticArray] = []
        self.listen(ReferringMask, f'{name}/mask', self.masks)
        self.listen(GraspRegion, f'{name}/grasp_region', self.grasps)
        self.listen(DiagnosticArray, '/diagnostics', self.diagnostics)
        self.segment = self.node.create_client(
            ReferSegmentation, f'{name}/segment', qos_profile=many)
        self.change_state = self.node.create_client(ChangeState, f'{name}/change_state')
        self.get_state = self.node.create_client(GetState, f'{name}/get_state')
        self._set = self.node.create_client(SetParameters, f'{name}/set_parameters')
        self._get = self.node.create_client(GetParameters, f'{name}/get_parameters')
        self._publishers: dict[str, Any] = {}
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()
        _STARTED.append(self.close)

    def close(self) -> None:
        """End the client, once or more often."""
        if not self.context.ok():
            return
        rclpy.shutdown(context=self.context)
        self._thread.join(5.0)
        # Otherwise its publishers stay on the graph until Python collects them.
        self.node.destroy_node()

    def _spin(self) -> None:
        with suppress(ExternalShutdownException):  # `close` was called
            self._executor.spin()

    def listen(self, msg_type: type, topic: str, into: list) -> None:
        """Collect a topic's messages into a list."""
        self.node.create_subscription(msg_type, topic, into.append, 50)

    def publish(self, topic: str, msg: Any, reliability: str = 'reliable') -> None:
        """Publish, and wait the first time until somebody is there to hear it."""
        if topic not in self._publishers:
            policy = ReliabilityPolicy.RELIABLE if reliability == 'reliable' \
                else ReliabilityPolicy.BEST_EFFORT
            self._publishers[topic] = self.node.create_publisher(
                type(msg), topic, QoSProfile(depth=5, reliability=policy))
            wait_for(self._publishers[topic].get_subscription_count)
            if reliability == 'reliable':
                self._await_reliable(topic)
        self._publishers[topic].publish(msg)

    def _await_reliable(self, topic: str) -> None:
        """The node follows a new publisher within a second; what is sent before may be lost."""
        def followed() -> bool:
            heard = self.node.get_subscriptions_info_by_topic(topic)
            return bool(heard) and all(
                each.qos_profile.reliability == ReliabilityPolicy.RELIABLE for each in heard)
        wait_for(followed, message=lambda: f'nobody follows the reliable publisher of {topic}')

    def wait_until_heard(self, topics: Iterable[str]) -> None:
        """Until the node, which subscribes when it is activated, hears what is published."""
        for topic in topics:
            wait_for(self._publishers[topic].get_subscription_count)
            self._await_reliable(topic)

    def say(self, expression: str) -> None:
        """Publish a standing expression."""
        self.publish('expression', String(data=expression))

    def call(
        self,
        expression: str,
        image: Image | None = None,
        depth: Image | None = None,
        camera_info: CameraInfo | None = None,
        timeout: float = 0.0,
        without_masks: bool = False,
    ) -> ReferSegmentation.Response:
        """Call the service and wait for the answer."""
        return self.result(self.call_async(
            expression, image, depth, camera_info, timeout, without_masks))

    def call_async(
        self,
        expression: str,
        image: Image | None = None,
        depth: Image | None = None,
        camera_info: CameraInfo | None = None,
        timeout: float = 0.0,
        without_masks: bool = False,
    ) -> Any:
        """Call the service; a future."""
        self.reach(self.segment)
        return self.segment.call_async(ReferSegmentation.Request(
            expression=expression, image=image or Image(), depth=depth or Image(),
            camera_info=camera_info or CameraInfo(), timeout=timeout,
            without_masks=without_masks))

    @staticmethod
    def reach(client: Any) -> None:
        """Until a client's service is there."""
        if not client.wait_for_service(PATIENCE_S):
            raise AssertionError(f'no service {client.srv_name}')

    @staticmethod
    def result(future: Any, timeout_s: float = PATIENCE_S) -> Any:
        """A future's result, waited for."""
        wait_for(future.done, timeout_s, lambda: 'no answer to a call')
        return future.result()

    def ask(self, client: Any, request: Any) -> Any:
        """The answer to what may be asked twice.

        rclpy's own services drop an answer whose caller they have not wholly discovered after
        0.1 s, which happens on a busy machine, with no more than a warning.
        """
        self.reach(client)
        asked: list[Any] = []
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            asked.append(client.call_async(request))
            with suppress(AssertionError):
                return wait_for(
                    lambda: next((one for one in asked if one.done()), None), _AGAIN_S).result()
        raise AssertionError(f'no answer of {client.srv_name} (waited {PATIENCE_S:g} s)')

    def state(self) -> str:
        """The lifecycle state's label."""
        return self.ask(self.get_state, GetState.Request()).current_state.label

    def transition(self, name: str) -> bool:
        """Ask for 'configure', 'activate', 'deactivate', 'cleanup'; whether it succeeded."""
        self.reach(self.change_state)
        number = getattr(Transition, f'TRANSITION_{name.upper()}')
        request = ChangeState.Request(transition=Transition(id=number))
        done = self.result(self.change_state.call_async(request)).success
        if done and name in ('activate', 'deactivate') and 'expression' in self._publishers:
            # The node's subscription comes and goes with it, and discovery takes a moment. What
            # is said to one that is gone is lost.
            listeners = self._publishers['expression'].get_subscription_count
            wait_for(lambda: bool(listeners()) == (name == 'activate'))
        return done

    def wait_until(self, state: str) -> None:
        """Until the node is in a lifecycle state; fails at once when its models did not load."""
        def there() -> bool:
            if self.diagnostics and self.diagnosis('models')[1]['state'] == 'failed':
                raise AssertionError(self.diagnosis('models')[0])
            return self.state() == state
        wait_for(there, message=lambda: f'never {state!r}')

    def set_parameter(self, name: str, value: Any) -> Any:
        """Set one parameter; `successful` and `reason`."""
        request = SetParameters.Request(parameters=[Parameter(name, value=value)
                                                    .to_parameter_msg()])
        return self.ask(self._set, request).results[0]

    def diagnosis(self, part: str) -> tuple[str, dict[str, str]]:
        """The newest message and values of 'models', 'inputs' or 'answers'."""
        wait_for(lambda: self.diagnostics, message=lambda: 'no /diagnostics')
        for status in self.diagnostics[-1].status:
            if status.name.endswith(part):
                return status.message, {v.key: v.value for v in status.values}
        raise AssertionError(f'no {part!r} in /diagnostics')

    def fresh(self, part: str, holds: Callable[[dict[str, str]], bool] = bool) -> dict[str, str]:
        """Values of a part in the first diagnosis from now on of which `holds` is true."""
        since_ns, count = time.time_ns(), len(self.diagnostics)

        def values() -> dict[str, str] | None:
            heard = list(self.diagnostics)
            stamp = heard[-1].header.stamp if heard else None
            # Under simulated time only the next but one was surely made after this was called.
            made_since = heard and (stamp.sec * 10**9 + stamp.nanosec > since_ns
                                    or len(heard) > count + 1)
            found = self.diagnosis(part)[1] if made_since else {}
            return found if found and holds(found) else None
        return wait_for(values, message=lambda: f'never so: {self.diagnosis(part)}')

    def wait_for_silence(self, text: str) -> None:
        """Until diagnostics gives a reason for silence that contains `text`."""
        self.fresh('answers', lambda values: text in values['reason for silence'])
