"""One answer of the node, before it becomes messages, and how it comes about."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
import enum
import logging
from pathlib import Path
import time
from typing import Any, TYPE_CHECKING

from std_msgs.msg import Header

from refdiff_ros.errors import BadRequestError, OutOfMemoryError, RefDiffError
from refdiff_ros.presets import Mode
from refdiff_ros.results import Frame, Segmentation, Status
from refdiff_ros.ros.decoding import decode, DecodedFrame, enlarge
from refdiff_ros.ros.frame_sync import FrameSet
from refdiff_ros.ros.light_imports import without_unused
from refdiff_ros.ros.parameters import NodeConfig
from refdiff_ros.ros.processes.heap import seldom_searching
from refdiff_ros.ros.worker import WorkerStoppedError

if TYPE_CHECKING:
    from refdiff_ros.answering import Ask
    from refdiff_ros.engine import Engine
    from refdiff_ros.grasp.results import GraspRegion

_LOG = logging.getLogger(__name__)

# Models that take longer to run once are not asked a second time before the first question: what
# an answer takes beside them is little.
_REHEARSED_BELOW_MS = 20_000.0


class Origin(enum.IntEnum):
    """How an answer came about; the numbers are those of `msg/ReferringMask`."""

    GROUNDED = 0
    CARRIED = 1


@dataclass(frozen=True)
class Answer:
    """What is sent back.

    Attributes:
        status, reason: how it ended, and a sentence.
        expression: as it was asked.
        header: the image's header; an empty one without an image.
        frame: the decoded frame, or None without a usable image.
        segmentation, grasp: the result, or None on failure.
        bundle, preset, mode: what answered.
        notes: fallbacks taken, a sentence each.
        model_ms: milliseconds that the models took.
        received_s: receipt of the image or of the request, whichever was later, on the
            monotonic clock.
        origin: whether the models answered on this very image.
        grounded: header of the image that the models answered on; `header` unless carried.
        standing: number of the standing expression that this answers; 0 for a call's.
    """

    status: Status
    reason: str
    expression: str
    header: Header = field(default_factory=Header)
    frame: Frame | None = None
    segmentation: Segmentation | None = None
    grasp: 'GraspRegion | None' = None
    bundle: str = ''
    preset: str = ''
    mode: str = ''
    notes: tuple[str, ...] = ()
    model_ms: float = 0.0
    received_s: float = 0.0
    origin: Origin = Origin.GROUNDED
    grounded: Header | None = None
    standing: int = 0

    @property
    def latency_ms(self) -> float:
        """Milliseconds from receipt until now."""
        return (time.monotonic() - self.received_s) * 1e3


def load_engine(config: NodeConfig, listener: Callable[[Any], None]) -> 'Engine':
    """Load and warm the models that `config` names, as far as its mode needs them.

    Args:
        config: bundle, device, preset, mode and calibration.
        listener: is told of each `models.progress.Step`.

    Raises:
        RefDiffError: the bundle cannot be loaded, or the calibration is for something else; the
            message says what to do.
    """
    # torch's compiler wants what is left out otherwise.
    with nullcontext() if config.compile else without_unused(), seldom_searching():
        return _load_engine(config, listener)


def _load_engine(config: NodeConfig, listener: Callable[[Any], None]) -> 'Engine':
    # These bring torch, which takes seconds to import; the rehearsal asks and sends as the node
    # does, so it stands above this module.
    from refdiff_ros.engine import Engine, resolve_preset
    from refdiff_ros.models import manager
    from refdiff_ros.models.library_pages import release_library_pages
    from refdiff_ros.models.memory import free_caches
    from refdiff_ros.ros.rehearsal import rehearse
    from refdiff_ros.warming import warm_up

    models = manager.load_bundle(
        config.bundle, device=config.device, dtype=config.dtype,
        revision=config.revision or None, offline=config.offline,
        low_memory=config.low_memory, compile=config.compile, mode=config.mode,
        listener=listener)
    if config.calibration:
        from refdiff_ros.matching.calibration_file import take_calibration
        take_calibration(models, Path(config.calibration), config.bundle, config.preset,
                         config.mode)
    preset = resolve_preset(models, config.preset)
    warm_ms = sum(warm_up(models, preset, listener).values())
    engine = Engine(models, preset, Mode(config.mode), config.seed)
    release_library_pages()
    if warm_ms < _REHEARSED_BELOW_MS:
        rehearse(engine, config)
    free_caches()
    return engine


def why_not_mode(engine: 'Engine', mode: str) -> str:
    """Why the loaded models cannot answer in a mode, '' where they can."""
    from refdiff_ros.models import manager

    lacking = sorted(part for part in manager.parts_of(mode) - {'parser'}
                     if getattr(engine.models, part) is None)
    if not lacking:
        return ''
    return (f"mode '{mode}' needs {' and '.join(lacking)}, not loaded for the mode that the node "
            "was configured with: run 'cleanup' first, then set it and run 'configure'")


def why_not_calibrated(config: NodeConfig, name: str, value: Any) -> str:
    """Why a preset or mode cannot be taken with the calibration of `config`; '' where it can."""
    if not config.calibration or name not in ('preset', 'mode') or value == getattr(config, name):
        return ''
    return (f"{name} '{value}' has no calibration: {config.calibration} is for "
            f"'{getattr(config, name)}'; run 'cleanup', set {name} and calibration, and run "
            "'configure'")


def unload_engine(engine: 'Engine') -> None:
    """Free what `load_engine` loaded."""
    from refdiff_ros.models import manager

    engine.forget_frames()
    manager.unload(engine.models)


def give_memory_back() -> None:
    """Hand the system what answers have freed; to be called now and then."""
    from refdiff_ros.models.memory import trim_heap

    trim_heap()


def answer(
    engine: 'Engine',
    frame_set: FrameSet,
    expression: str,
    config: NodeConfig,
    received_s: float,
    standing: int = 0,
) -> Answer:
    """Answer one expression on one frame; what goes wrong becomes the answer's status."""
    start = Answer(
        Status.INTERNAL, '', expression, header=frame_set.image.header,
        bundle=engine.models.name, preset=config.preset, mode=config.mode,
        received_s=received_s, standing=standing)
    try:
        return _answer(engine, frame_set, config, start)
    # One bad call must not end the node, nor the thread that answers: SystemExit and the panics of
    # libraries in Rust are no `Exception`.
    except BaseException as error:
        status, reason = failure(error, expression)
        return replace(start, status=status, reason=reason)


def failure(error: BaseException, expression: str) -> tuple[Status, str]:
    """The status and the reason of an answer that ended in an error; logs an unexpected one."""
    if isinstance(error, BadRequestError):
        return Status.BAD_REQUEST, str(error)
    if isinstance(error, OutOfMemoryError):
        return Status.OUT_OF_MEMORY, str(error)
    if isinstance(error, WorkerStoppedError):
        return Status.INACTIVE, str(error)
    if _is_out_of_memory(error):
        return Status.OUT_OF_MEMORY, (
            f'expected memory for the answer, but there was none left ({error}): send a smaller '
            'image, use a smaller bundle, or end what else runs on the machine')
    _LOG.error('unexpected error while answering %.200r', expression, exc_info=error)
    return Status.INTERNAL, (
        f'unexpected {type(error).__name__}: {error}; the node goes on, and its log has the '
        'traceback: please report it')


def _is_out_of_memory(error: BaseException) -> bool:
    from refdiff_ros.models.memory import is_out_of_memory

    return is_out_of_memory(error)


def carried_answer(
    start: Answer, segmentation: Segmentation, decoded: DecodedFrame, frame_set: FrameSet,
) -> Answer:
    """An answer whose regions were carried to another frame.

    Args:
        start: the full answer.
        segmentation: its regions in the other frame.
        decoded, frame_set: the other frame.
    """
    return replace(
        start, origin=Origin.CARRIED, grounded=start.header, header=frame_set.image.header,
        status=segmentation.status, reason=segmentation.reason, frame=decoded.frame,
        segmentation=segmentation, grasp=_grasp(segmentation, decoded), model_ms=0.0,
        notes=decoded.problems + decoded.notes + segmentation.notes,
        received_s=frame_set.received_s)


def prefetch(engine: 'Engine', frame_set: FrameSet, config: NodeConfig) -> None:
    """Compute what belongs to the frame alone, ahead of a question about it.

    What is wrong with the frame or the device is left to the answers, which say it.
    """
    try:
        from refdiff_ros.engine import resolve_preset

        decoded = decode(frame_set, config.rectified, config.max_input_megapixels)
        engine.prefetch(
            decoded.small(config.max_megapixels * 1e6),
            resolve_preset(engine.models, config.preset), Mode(config.mode), config.seed)
    except RefDiffError as error:
        _LOG.debug('no prefetch: %s', error)
    except BaseException:  # one bad frame must not end the node
        _LOG.exception('unexpected error while preparing a frame')


def _ask(
    engine: 'Engine', frame: Frame, expression: str, config: NodeConfig, standing: bool,
) -> 'Ask':
    from refdiff_ros.engine import resolve_preset

    preset, mode = resolve_preset(engine.models, config.preset), Mode(config.mode)
    preset = preset.override({
        'selection': {'min_presence': config.min_presence},
        'proposals': {'still_within': config.still_within if standing else 0.0}})
    return engine.ask(frame, expression, mode, preset, config.seed, config.check_expressions)


def _answer(
    engine: 'Engine', frame_set: FrameSet, config: NodeConfig, start: Answer,
) -> Answer:
    decoded = decode(frame_set, config.rectified, config.max_input_megapixels)
    frame = decoded.frame
    small = decoded.small(config.max_megapixels * 1e6)

    began = time.perf_counter()
    segmentation = engine.answer(
        _ask(engine, small, start.expression, config, start.standing > 0))
    model_ms = (time.perf_counter() - began) * 1e3

    notes = decoded.problems + decoded.notes + segmentation.notes
    if small is not frame:
        height, width = small.size_hw
        notes += (f'answered at {width}x{height} pixels, for the image has more than '
                  f'{config.max_megapixels:g} megapixels (max_megapixels)',)
        segmentation = enlarge(segmentation, frame.size_hw)
    return replace(
        start, status=segmentation.status, reason=segmentation.reason, frame=frame,
        segmentation=segmentation, grasp=_grasp(segmentation, decoded), notes=notes,
        model_ms=model_ms)


def _grasp(segmentation: Segmentation, decoded: DecodedFrame) -> 'GraspRegion':
    from refdiff_ros.grasp.region import grasp_region

    frame = decoded.frame
    grasp = grasp_region(segmentation.mask, frame.depth_m, frame.camera)
    return _explain_pose(grasp, decoded)


def _explain_pose(grasp: Any, decoded: DecodedFrame) -> 'GraspRegion':
    """Say which input was unusable where the grasp stage only saw that it was missing."""
    from refdiff_ros.grasp.results import PoseStatus

    if grasp.pose_status == PoseStatus.NO_DEPTH and decoded.depth_problem:
        return replace(grasp, pose_status=PoseStatus.DEPTH_MISMATCH,
                       pose_reason=decoded.depth_problem)
    if grasp.pose_status == PoseStatus.NO_CAMERA_INFO and decoded.camera_problem:
        return replace(grasp, pose_reason=decoded.camera_problem)
    return grasp
