"""Scoring from an answer bag alone: which labels were answered, how well, how fast, how fresh.

latency   The node's own, from receipt of the image to its answer (`ReferringMask.latency_ms`).
age       From the moment a picture was sent to the moment its answer came, on one clock.
dropped   A picture that was sent while an expression stood and got no answer: the node was busy,
          and takes the newest picture there is when it is free.
IoU       Over labels that were answered: an answer to the label's picture, by its stamp, for the
          label's expression. Labels that were asked and not answered are counted, not scored.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from refdiff_ros.evaluation.bags.grasps import GraspCase
from refdiff_ros.evaluation.bags.labels import Label
from refdiff_ros.evaluation.bags.pairing import Picture
from refdiff_ros.evaluation.bags.reading import Bag, Recorded
from refdiff_ros.evaluation.bags.samples import identity, Matched
from refdiff_ros.evaluation.metrics.grasp_error import grasp_error, TrueGrasp
from refdiff_ros.evaluation.metrics.iou import iou, overlap
from refdiff_ros.evaluation.online.topics import (
    DIAGNOSTICS,
    FRAME,
    GRASP,
    MASK,
    parse_frame,
    PlayedFrame,
    TYPES,
)
from refdiff_ros.evaluation.run import Answer, UNREADABLE
from refdiff_ros.grasp.results import Pose, PoseStatus
from refdiff_ros.masks import mask_pixels
from refdiff_ros.results import Status

Asked = tuple[int, str]  # stamp and expression
_ANSWERED = (Status.FOUND, Status.NOT_FOUND, Status.AMBIGUOUS)


@dataclass
class Span:
    """When a play sent its first and its last picture, and when the last thing of it went or came;
    nanoseconds on the clock of recording.
    """

    first_ns: int
    sent_ns: int
    last_ns: int


@dataclass
class Heard:
    """What an answer bag holds, added up as it is read.

    Attributes:
        frames: pictures sent.
        answered: (play, stamp) of those that were answered.
        asked: labels of pictures that were sent while their expression stood.
        answers: by label, the first answer.
        grasps: by label, the grasp in that answer.
        count: all answers.
        failures: reasons of answers that the models did not give, with how many.
        latency_s, age_s: of all answers that the models gave.
        late_ms: how late pictures were sent.
        spans: by play.
        settings: bundle, preset and mode that answered, or ''.
        received: images that the node says it has received, in the last diagnostics that came
            after the last picture; None without such.
        trouble: what the node's diagnostics last said is wrong with its images, or ''.
    """

    frames: int = 0
    answered: set[tuple[int, int]] = field(default_factory=set)
    asked: dict[Asked, None] = field(default_factory=dict)
    answers: dict[Asked, list[Answer]] = field(default_factory=dict)
    grasps: dict[Asked, list[GraspCase]] = field(default_factory=dict)
    count: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    latency_s: list[float] = field(default_factory=list)
    age_s: list[float] = field(default_factory=list)
    late_ms: list[float] = field(default_factory=list)
    spans: dict[int, Span] = field(default_factory=dict)
    settings: tuple[str, str, str] = ('', '', '')
    received: int | None = None
    trouble: str = ''


def score(answers: Bag, matched: Matched) -> Heard:
    """Read an answer bag and score it.

    Args:
        answers: the answer bag.
        matched: labels and pictures of the bag that was played.

    Raises:
        RefDiffError: it is no answer bag, or it is damaged.
    """
    for topic in (FRAME, MASK):
        answers.require(topic, (TYPES[topic],))
    wanted: dict[Asked, list[tuple[Picture, Label]]] = {}
    for picture, labels in matched.pairs:
        for label in labels:
            wanted.setdefault((picture.stamp_ns, label.expression), []).append((picture, label))
    heard = Heard()
    sent: dict[int, tuple[int, PlayedFrame]] = {}
    for message in answers.messages((FRAME, MASK, GRASP, DIAGNOSTICS)):
        content = answers.decode(message)
        if message.topic == FRAME:
            _frame(heard, sent, parse_frame(content.data), message.recorded_ns, wanted)
        elif message.topic == MASK:
            _mask(heard, sent, content, message, wanted)
        elif message.topic == GRASP:
            _grasp(heard, content, message, wanted)
        else:
            _diagnosis(heard, content)
    return heard


def _frame(heard: Heard, sent: dict[int, tuple[int, PlayedFrame]], frame: PlayedFrame,
           at_ns: int, wanted: Mapping[Asked, Any]) -> None:
    heard.frames, heard.received = heard.frames + 1, None
    sent[frame.stamp_ns] = at_ns, frame
    heard.late_ms.append(frame.late_ms)
    span = heard.spans.setdefault(frame.play, Span(at_ns, at_ns, at_ns))
    span.sent_ns = span.last_ns = max(span.last_ns, at_ns)
    if (frame.stamp_ns, frame.expression) in wanted:
        heard.asked[frame.stamp_ns, frame.expression] = None


def _mask(heard: Heard, sent: Mapping[int, tuple[int, PlayedFrame]], content: Any,
          message: Recorded, wanted: Mapping[Asked, list[tuple[Picture, Label]]]) -> None:
    heard.count += 1
    heard.settings = content.bundle, content.preset, content.mode
    if Status(content.status) in _ANSWERED:
        heard.latency_s.append(content.latency_ms * 1e-3)
    else:
        heard.failures[content.reason] = heard.failures.get(content.reason, 0) + 1
    if message.stamp_ns in sent:
        at_ns, frame = sent[message.stamp_ns]
        heard.answered.add((frame.play, frame.stamp_ns))
        span = heard.spans[frame.play]
        span.last_ns = max(span.last_ns, message.recorded_ns)
        if Status(content.status) in _ANSWERED:
            heard.age_s.append(max(message.recorded_ns - at_ns, 0) * 1e-9)
    key = message.stamp_ns, content.expression
    if key in wanted and key not in heard.answers:
        heard.answers[key] = [_answer(picture, label, content) for picture, label in wanted[key]]


def _answer(picture: Picture, label: Label, content: Any) -> Answer:
    sample_id, image_id = identity(picture, label.expression)
    asked = {'sample_id': sample_id, 'image_id': image_id, 'expression': label.expression,
             'tags': dict(label.tags), 'seconds': content.model_ms * 1e-3}
    status, truth = Status(content.status), label.mask
    if status not in _ANSWERED:
        return Answer(**asked, status=status.name, union=int(truth.sum()), error=content.reason)
    mask = mask_pixels(content.mask)
    if mask.shape != truth.shape:
        return Answer(**asked, status=UNREADABLE, error=(
            f"expected a label of the picture's size {mask.shape} (height, width), got "
            f'{truth.shape}: it belongs to another picture'))
    shared, covered = overlap(mask, truth)
    return Answer(**asked, status=status.name, iou=iou(shared, covered), intersection=shared,
                  union=covered)


def _grasp(heard: Heard, content: Any, message: Recorded,
           wanted: Mapping[Asked, list[tuple[Picture, Label]]]) -> None:
    key = message.stamp_ns, content.expression
    if key not in wanted or key in heard.grasps:
        return
    heard.grasps[key] = [
        _grasp_case(identity(picture, label.expression)[0], label.grasp, content)
        for picture, label in wanted[key] if label.grasp is not None]


def _grasp_case(sample_id: str, truth: TrueGrasp, content: Any) -> GraspCase:
    if content.pose_status != PoseStatus.VALID:
        return GraspCase(sample_id, None, content.pose_reason)
    at, turn = content.pose.position, content.pose.orientation
    pose = Pose((at.x, at.y, at.z), (turn.x, turn.y, turn.z, turn.w))
    return GraspCase(sample_id, grasp_error(pose, content.width_m, truth))


def _diagnosis(heard: Heard, content: Any) -> None:
    for status in content.status:
        if not status.name.endswith(': inputs'):
            continue
        values = {pair.key: pair.value for pair in status.values}
        received = values.get('image received', '')
        if received.isdecimal():
            heard.received = int(received)
        heard.trouble = values.get('image problem', '')
