"""The node as a process of its own, a bag played to it, its answers recorded."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
import sys
import time
from typing import Any, TYPE_CHECKING

from refdiff_ros.console import Progress
from refdiff_ros.errors import BadRequestError, RefDiffError
from refdiff_ros.evaluation.bags.pairing import Index
from refdiff_ros.evaluation.bags.reading import Bag, COMPRESSED_IMAGE, IMAGE
from refdiff_ros.evaluation.online.answer_bag import AnswerBagWriter, NODE_LOG
from refdiff_ros.evaluation.online.player import Player
from refdiff_ros.evaluation.online.schedule import Play
from refdiff_ros.evaluation.online.timeline import timeline
from refdiff_ros.evaluation.online.topics import message_store
from refdiff_ros.optional import require_package, require_ros

if TYPE_CHECKING:
    from refdiff_ros.evaluation.online.replay_graph import ReplayGraph
    from refdiff_ros.ros.processes.child_process import ChildProcess

# An expression is said so much before the picture that is asked for it, wall-clock.
_LEAD_S = 0.02
# A play goes on for so long after the last picture that is asked for something, wall-clock.
_TAIL_S = 1.0
# Parameters of the node that the evaluation sets.
_FIXED = ('autostart', 'follow', 'image_transport')
# A new expression must not be answered on the picture before it, which is at least this old.
_MAX_AGE_S = 0.01
# The node tells each second how many images it has received; a busy one tells it later.
_DIAGNOSIS_S = 20.0
# For both sides of every topic to find each other, once the node is active.
_CONNECT_S = 30.0


@dataclass(frozen=True)
class Recording:
    """What is played to whom, and where the answers go.

    Attributes:
        bag, index: what is played; the index has one topic of images.
        plays: what is asked.
        out: folder of the answer bag.
        rate: how many times as fast as the bag was recorded.
        parameters: of the node, by name; others have its defaults.
        timeout_s: for the node to become active, and for its first answer.
    """

    bag: Bag
    index: Index
    plays: Sequence[Play]
    out: Path
    rate: float
    parameters: Mapping[str, Any]
    timeout_s: float

    def __post_init__(self):
        depth = self.index.topics.depth
        if depth and self.bag.topics[depth] != IMAGE:
            raise BadRequestError(
                f'expected raw depth for the node, which subscribes to {IMAGE}, but {depth} is of '
                f'type {self.bag.topics[depth]}: name a raw depth topic, or leave --depth-topic '
                'out (there are no grasp poses then)')

    @property
    def compressed(self) -> bool:
        """Whether the images are compressed."""
        return self.bag.topics[self.index.topics.images[0]] == COMPRESSED_IMAGE


@dataclass(frozen=True)
class Ending:
    """How playing ended: why early, or '', and the exit status that this has."""

    stopped: str = ''
    status: int = 0


def check_parameters(values: Mapping[str, Any]) -> dict[str, Any]:
    """The node's parameters, checked as the node does.

    Raises:
        BadRequestError: no such parameter, or not such a value.
        MissingPackageError: there is no ROS.
    """
    known = require_ros('refdiff_ros.ros.parameters').BY_NAME
    for name in values:
        if name not in known or name in _FIXED:
            ours = sorted(set(known) - set(_FIXED))
            raise BadRequestError(
                f'expected a parameter of the node that an evaluation may set, one of '
                f'{", ".join(ours)}, got {name!r}')
    return {name: known[name].check(value) for name, value in values.items()}


def record(recording: Recording, settings: Mapping[str, Any]) -> Ending:
    """Start the node, play, record; the node is ended and the bag finished whatever happens.

    Args:
        recording: what to do.
        settings: for the answer bag's metadata.

    Raises:
        RefDiffError: there is no ROS, the folder is not new, or the node did not become active.
            What happens after the first picture was sent ends the recording and raises nothing.
        KeyboardInterrupt: before the first picture was sent.
    """
    private_domain = require_ros('refdiff_ros.ros.processes.private_domain')
    with private_domain.enter_domain() as domain, ExitStack() as stack:
        writer = AnswerBagWriter(recording.out, message_store(message_definitions()), settings)
        stack.callback(writer.close)
        print(f'starting the node on ROS domain {domain}, on this machine only; its log is '
              f'{recording.out / NODE_LOG}', flush=True)
        graph, node = _start(recording, stack)
        progress = stack.enter_context(Progress('frame'))
        player = Player(
            graph, writer, recording.index.topics, recording.bag.as_cdr, recording.rate,
            recording.timeout_s, node.check, progress.step)
        graph.heard = player.heard
        return play_all(recording, player, writer)


def _start(recording: Recording, stack: ExitStack) -> tuple['ReplayGraph', 'ChildProcess']:
    """The graph and the node, connected and active; both end with the stack."""
    from refdiff_ros.evaluation.online.replay_graph import ReplayGraph
    from refdiff_ros.ros.processes.child_process import ChildProcess
    from refdiff_ros.ros.processes.startup import wait_until_active

    topics = recording.index.topics
    # The node subscribes as publishers offer, so they are there first.
    graph = stack.enter_context(ReplayGraph(
        recording.compressed, bool(topics.depth), bool(topics.info)))
    node = ChildProcess('refdiff node', _command(recording), recording.out / NODE_LOG)
    stack.callback(node.stop)
    try:
        wait_until_active(graph.state, recording.timeout_s, node.check)
        _wait_until_connected(lambda: graph.missing, node.check)
    except RefDiffError as error:
        if not node.alive:
            raise
        raise RefDiffError(f'{error}\nits last lines (all in {node.log}):\n{node.tail()}'
                           ) from error
    return graph, node


def _command(recording: Recording) -> list[str]:
    values = {
        'image_transport': 'compressed' if recording.compressed else 'raw',
        'sync_tolerance': recording.index.topics.tolerance_s, 'max_age': _MAX_AGE_S,
        'follow': False,  # what is scored is what the models say
        **recording.parameters}
    return [sys.executable, '-m', 'refdiff_ros.cli', 'node', '--ros-args',
            *(text for name, value in values.items()
              for text in ('-p', f'{name}:={_as_text(value)}'))]


def _as_text(value: Any) -> str:
    """A parameter's value as YAML that is read back as the same type."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}'" if isinstance(value, str) else repr(value)


def play_all(recording: Recording, player: Player, writer: AnswerBagWriter) -> Ending:
    """Play every play and finish the answer bag.

    Raises:
        RefDiffError, KeyboardInterrupt: before the first picture was sent. Later ones end the
            recording, and what was recorded is kept.
    """
    try:
        for number, play in enumerate(recording.plays, 1):
            print(f'playing {recording.bag.path.name}, {number} of {len(recording.plays)}: '
                  f'{len(play.asked)} pictures are asked for something', file=sys.stderr)
            player.play(timeline(
                recording.bag.messages(recording.index.topics.all), recording.index, play,
                round(_LEAD_S * 1e9 * recording.rate), round(_TAIL_S * 1e9 * recording.rate)),
                play.first)
        _wait_for_diagnosis(player)
        writer.close()
    except KeyboardInterrupt:
        if not player.frames:
            raise
        print(f'stopped after {player.frames} frames', file=sys.stderr)
        return _ended(writer, 'interrupted', 130)
    except RefDiffError as error:
        if not player.frames:
            raise
        print(f'refdiff: {error}', file=sys.stderr)
        return _ended(writer, str(error), 2)
    finally:
        for topic, (reason, count) in player.left_out.items():
            print(f'{count} messages of {topic} were not sent: {reason}', file=sys.stderr)
    return Ending()


def _ended(writer: AnswerBagWriter, stopped: str, status: int) -> Ending:
    """Finish the bag at once: a second Ctrl-C may come while the node ends."""
    try:
        writer.close()
    except RefDiffError as error:
        print(f'refdiff: {error}', file=sys.stderr)
        return Ending(stopped, 2)
    return Ending(stopped, status)


def _wait_for_diagnosis(player: Player) -> None:
    """Until the node has once more told how many images it has received.

    The next diagnosis may have been made before the last picture came; the one after it was not.
    """
    end_s, enough = time.monotonic() + _DIAGNOSIS_S, player.diagnoses + 2
    while player.diagnoses < enough and time.monotonic() < end_s:
        player.watch()
        time.sleep(0.05)


def _wait_until_connected(missing: Callable[[], list[str]], watch: Callable[[], None]) -> None:
    end_s = time.monotonic() + _CONNECT_S
    while missing():
        watch()
        if time.monotonic() > end_s:
            raise RefDiffError(f'expected the node on {", ".join(missing())} after '
                               f'{_CONNECT_S:g} s, nobody is there: see the log')
        time.sleep(0.05)


def message_definitions() -> Path:
    """Where the built workspace has this package's `.msg` files."""
    index = require_package('ament_index_python.packages', 'bags')
    try:
        return Path(index.get_package_share_directory('refdiff_ros')) / 'msg'
    except index.PackageNotFoundError as error:
        raise RefDiffError(
            "expected refdiff_ros among the installed ROS packages, found none: source its "
            "workspace ('. tools/env.sh', or install/setup.bash)") from error
