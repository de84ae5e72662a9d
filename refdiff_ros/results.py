"""What goes into the engine and what comes out: frozen, validated records.

Letters: N proposals, H W image height and width.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
import enum
from functools import cached_property
import hashlib
from typing import Any

import numpy as np

from refdiff_ros.errors import BadRequestError, OutOfMemoryError
from refdiff_ros.masks import smaller_shares, window


class Status(enum.IntEnum):
    """How a request ended; the numbers are those of `msg/ReferringMask`."""

    UNKNOWN = 0
    FOUND = 1
    NOT_FOUND = 2
    AMBIGUOUS = 3
    NO_IMAGE = 4
    STALE_IMAGE = 5
    BAD_REQUEST = 6
    BUSY = 7
    TIMEOUT = 8
    OUT_OF_MEMORY = 9
    INACTIVE = 10
    INTERNAL = 11

    @property
    def has_mask(self) -> bool:
        """Whether an answer with this status carries a mask that may be acted on."""
        return self in (Status.FOUND, Status.AMBIGUOUS)

    @classmethod
    def of_error(cls, error: Exception | None) -> 'Status':
        """What an error that kept the engine from answering comes to."""
        if isinstance(error, BadRequestError):
            return cls.BAD_REQUEST
        return cls.OUT_OF_MEMORY if isinstance(error, OutOfMemoryError) else cls.INTERNAL


# Lens models of `sensor_msgs/CameraInfo`, and how many coefficients each may have. Those that are
# left out are 0.
LENS_MODELS = {
    'plumb_bob': (2, 4, 5), 'rational_polynomial': (8, 12, 14), 'equidistant': (4,)}


@dataclass(frozen=True)
class Lens:
    """How a lens bends the rays of a pinhole camera (`sensor_msgs/CameraInfo` D).

    Attributes:
        model: a key of `LENS_MODELS`.
        coefficients: as OpenCV orders them.

    Raises:
        BadRequestError: another model, another count, or a number that is not finite.
    """

    model: str
    coefficients: tuple[float, ...]

    def __post_init__(self):
        counts = LENS_MODELS.get(self.model)
        if counts is None:
            raise BadRequestError(
                f'expected a lens model of {", ".join(LENS_MODELS)}, got {self.model!r}')
        good = len(self.coefficients) in counts and all(map(np.isfinite, self.coefficients))
        if not good:
            raise BadRequestError(
                f'expected {" or ".join(map(str, counts))} finite coefficients of '
                f'{self.model}, got {self.coefficients}: publish a calibrated camera_info')
        missing = 4 - len(self.coefficients)
        object.__setattr__(self, 'coefficients', self.coefficients + (0.0,) * missing)


@dataclass(frozen=True)
class Camera:
    """Pinhole intrinsics of an image, in pixels (`sensor_msgs/CameraInfo` K or P), and its lens.

    Attributes:
        fx, fy, cx, cy: focal lengths and principal point.
        width, height: size of the image.
        lens: what bends the rays before they meet the image; None for a rectified image.

    Raises:
        BadRequestError: a focal length is not finite and positive, or the size is not positive.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int
    lens: Lens | None = None

    def __post_init__(self):
        for name in ('fx', 'fy'):
            value = getattr(self, name)
            if not np.isfinite(value) or value <= 0:
                raise BadRequestError(
                    f'expected a focal length {name} > 0 pixels, got {value}: '
                    'publish a calibrated camera_info')
        if not (np.isfinite(self.cx) and np.isfinite(self.cy)):
            raise BadRequestError(
                f'expected a finite principal point, got ({self.cx}, {self.cy})')
        if self.width < 1 or self.height < 1:
            raise BadRequestError(
                f'expected a camera size of at least 1x1, got {self.width}x{self.height}')


@dataclass(frozen=True)
class Frame:
    """One camera frame.

    Attributes:
        image_rgb: (H, W, 3) uint8, red first.
        depth_m: (H, W) float32 metres along the optical axis, registered to the image; 0, NaN
            and infinities mean no reading (REP-118).
        camera: intrinsics of `image_rgb`, needed for poses only.
        stamp_ns: the source's time stamp in nanoseconds.
        frame_id: the source's optical frame (REP-103: x right, y down, z forward).

    Raises:
        BadRequestError: an array has another shape or type.
    """

    image_rgb: np.ndarray
    depth_m: np.ndarray | None = None
    camera: Camera | None = None
    stamp_ns: int = 0
    frame_id: str = ''

    def __post_init__(self):
        image = self.image_rgb
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 \
                or image.shape[2] != 3:
            raise BadRequestError(
                f'expected an RGB image (H, W, 3) uint8, got {describe_array(image)}')
        if image.shape[0] < 1 or image.shape[1] < 1:
            raise BadRequestError(
                f'expected an image of at least 1x1 pixels, got {describe_array(image)}')
        if self.depth_m is not None and self.depth_m.shape != image.shape[:2]:
            raise BadRequestError(
                f'expected depth of the image\'s size {image.shape[:2]}, '
                f'got {self.depth_m.shape}: register depth to the colour image')
        if self.depth_m is not None and self.depth_m.dtype != np.float32:
            raise BadRequestError(
                f'expected depth in float32 metres, got {self.depth_m.dtype}')

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width of the image in pixels."""
        return self.image_rgb.shape[0], self.image_rgb.shape[1]

    @cached_property
    def digest(self) -> str:
        """Identity of the picture's content: what may be kept of one frame is keyed by it."""
        hasher = hashlib.blake2b(digest_size=16)
        hasher.update(repr(self.image_rgb.shape).encode())
        hasher.update(np.ascontiguousarray(self.image_rgb).data)
        return hasher.hexdigest()


def describe_array(value: object) -> str:
    """Shape and type of an array, or the type of anything else, for an error message."""
    if isinstance(value, np.ndarray):
        return f'{value.shape} {value.dtype}'
    return type(value).__name__


@dataclass(frozen=True)
class DirectionWord:
    """A direction in an expression.

    Attributes:
        direction: 'left', 'right', 'top', 'bottom', 'front', 'back' or 'middle'.
        text: the word or words as written ('leftmost', 'bottom left').
        modifies: the noun that it tells apart, as written; '' when it stands alone.
        of_root: whether that noun is the expression's root, so that the direction is about the
            object meant and not about another one ('cup next to the left plate': False).
    """

    direction: str
    text: str
    modifies: str = ''
    of_root: bool = True


@dataclass(frozen=True)
class Relation:
    """A relation to another object: ('behind', 'the red box')."""

    relation: str
    other: str


@dataclass(frozen=True)
class ReferringExpression:
    """A parsed referring expression.

    Attributes:
        text: the expression as it is encoded (white space stripped).
        root: the root word as written.
        root_span: start and end of the root word in `text`, in characters.
        has_noun: False when no object noun was found and `root` is only the best word there is.
        directions: direction words, in the order written.
        relations: relations between the root and other noun phrases, in the order written.
        parser: which parser answered: 'spacy:<name>', 'spacy:<name>+rules' or 'rules'.
        conjuncts: all objects that are named, the root first, where it is more than one.
        ordinals: counted from 1; -1 for 'last', -2 for 'second to last'; the root's, not
            another object's.
        superlatives: in lower case ('largest', 'most expensive'), in the order written; the
            root's, not another object's.
        phrase: the part of the text that tells what the object is and looks like ('the red mug'),
            without directions, ordinals, superlatives of size and relations; '' where there is
            no such part.
        notes: sentences on what the parser could not do as asked (a fallback, a guess).
    """

    text: str
    root: str
    root_span: tuple[int, int]
    has_noun: bool = True
    directions: tuple[DirectionWord, ...] = ()
    relations: tuple[Relation, ...] = ()
    parser: str = 'rules'
    notes: tuple[str, ...] = ()
    conjuncts: tuple[str, ...] = ()
    ordinals: tuple[int, ...] = ()
    superlatives: tuple[str, ...] = ()
    phrase: str = ''

    def __post_init__(self):
        start, end = self.root_span
        if self.text[start:end] != self.root:
            raise BadRequestError(
                f'expected root_span to point at {self.root!r}, '
                f'got {self.text[start:end]!r} at {self.root_span}')

    @property
    def root_directions(self) -> tuple[str, ...]:
        """The directions that are about the object meant, without repeats, in order."""
        return tuple(dict.fromkeys(d.direction for d in self.directions if d.of_root))


@dataclass(frozen=True)
class Proposals:
    """Regions of a frame that may be meant.

    Attributes:
        masks: (N, H, W) bool.
        rows: (K,) those that pass the filter and are scored, ascending.
        quality: (N,) float32, an estimate of each mask's IoU (`proposals.rated_by`); None where no
            segmentor made them.
        cell_px: side of a cell as fine as their borders are, pixels of the frame, where those of
            an answer are to be moved to the picture's own edges; 0 leaves them as they are.
    """

    masks: np.ndarray
    rows: np.ndarray
    quality: np.ndarray | None = None
    cell_px: float = 0.0

    @cached_property
    def scored(self) -> np.ndarray:
        """(K, H, W) bool, the masks of `rows`."""
        return self.masks if len(self.rows) == len(self.masks) else self.masks[self.rows]

    @cached_property
    def windows(self) -> tuple[tuple[slice, slice], ...]:
        """Rows and columns of the box of each of `scored`."""
        return tuple(map(window, self.scored))

    @cached_property
    def shares(self) -> np.ndarray:
        """(N, N) float32 in 0..1, as `masks.smaller_shares` of all masks."""
        return smaller_shares(self.masks)


@dataclass(frozen=True)
class Scores:
    """Per-proposal scores, each (N,) float32; NaN where a proposal was not scored.

    Attributes:
        total: Eq. (1), and `spatial` where there is one.
        generative: Eq. (9).
        discriminative: Eq. (10).
        spatial: what the proposal's place added to `total`, 0 or less; None where places did
            not count.
        quality: an estimate of each mask's IoU (`proposals.rated_by`), of every proposal; None
            where the segmentor made none.
        anchor: one figure: how well the best proposal answers to the noun phrase that the object
            is in a relation to ('the white bowl'), of several phrases to the one that is found
            worst; None without one.
        probability: that the expression is true of each proposal; None where that is not known.
            The choice is made by it where there is one (`selection.order`).
    """

    total: np.ndarray
    generative: np.ndarray
    discriminative: np.ndarray
    spatial: np.ndarray | None = None
    quality: np.ndarray | None = None
    anchor: float | None = None
    probability: np.ndarray | None = None

    @property
    def worth(self) -> np.ndarray:
        """(N,) by which proposals are put in order: `probability` where it is known."""
        return self.total if self.probability is None else self.probability


@dataclass(frozen=True)
class Question:
    """What to ask about K candidates that fit equally.

    Attributes:
        text: 'Do you mean the left one or the right one?', or a sentence that nothing differs.
        descriptions: (K,) 'the left red mug' for each candidate, which can be asked as an
            expression; 'candidate 1', ... where nothing differs.
        told: (K,) the words that tell each apart, by property: {'side': 'left'}. The properties
            are 'side', 'ordinal', 'depth', 'height', 'colour' and 'size'.
        order: rows of the candidates as the text names them, or from left to right where it names
            none; () for the order in which they are given.
    """

    text: str
    descriptions: tuple[str, ...]
    told: tuple[Mapping[str, str], ...]
    order: tuple[int, ...] = ()

    @property
    def numbers(self) -> tuple[int, ...]:
        """(K,) of each candidate: 1 for the one that the text names first."""
        rows = range(len(self.descriptions))
        return tuple((self.order or tuple(rows)).index(row) + 1 for row in rows)


@dataclass(frozen=True)
class Segmentation:
    """The answer to one expression on one frame.

    Attributes:
        status: FOUND, NOT_FOUND or AMBIGUOUS.
        reason: a sentence: why this status, and what to do when it is not FOUND.
        expression: the parsed expression.
        mask: (H, W) bool; all False unless `status.has_mask`.
        score: combined score (Eq. (1)) of the chosen proposal; NaN without one.
        confidence: 0..1. With `calibrated`, the probability that the best region is the object
            that is meant (IoU 0.5 or more); else its softmax share among separate regions.
        calibrated: whether the bundle has a calibration for this preset and mode.
        index: row of the chosen proposal in `proposals`; -1 without one.
        rivals: rows of other proposals that fit about as well (AMBIGUOUS), best first.
        proposals: (N, H, W) bool.
        scores: per-proposal scores.
        correlation: (H, W) float32 in 0..1, the root token's map c (Eq. (5)); None in mode DS.
        timings_ms: milliseconds of each stage of this call, by the names of `stages.STAGES`; what
            was kept of the frame costs nothing and is absent.
        notes: fallbacks that were taken, a sentence each.
        presence: 0..1. With `calibrated`, the probability that the expression is true of the
            best region; else the figure of `matching/presence`, which is no probability. NaN
            where neither was asked for.
        question: what to ask about the chosen region and its rivals, in that order (AMBIGUOUS).
        fits: (K,) of the K `regions`, the probability that the expression is true of each; ()
            without calibration.
    """

    status: Status
    reason: str
    expression: ReferringExpression
    mask: np.ndarray
    score: float
    confidence: float
    index: int
    rivals: tuple[int, ...]
    proposals: np.ndarray
    scores: Scores
    correlation: np.ndarray | None
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    calibrated: bool = False
    presence: float = float('nan')
    question: Question | None = None
    fits: tuple[float, ...] = ()

    def __post_init__(self):
        if self.mask.dtype != bool or self.mask.ndim != 2:
            raise BadRequestError(
                f'expected a mask (H, W) bool, got {describe_array(self.mask)}')
        if self.proposals.dtype != bool or self.proposals.shape[1:] != self.mask.shape:
            raise BadRequestError(
                f'expected proposals (N, {self.mask.shape[0]}, {self.mask.shape[1]}) bool, '
                f'got {describe_array(self.proposals)}')

    @property
    def regions(self) -> tuple[int, ...]:
        """Rows of the chosen proposal and of its rivals, in this order; empty without one."""
        return (self.index, *self.rivals) if self.index >= 0 else ()

    @property
    def numbers(self) -> tuple[int, ...]:
        """What each of `regions` is called by: 1, 2, ... in the order of the question."""
        return (self.question.numbers if self.question is not None
                else tuple(range(1, len(self.regions) + 1)))

    def with_regions(self, masks: np.ndarray, **changes: Any) -> 'Segmentation':
        """The answer with its `regions` as its only proposals, as another picture shows them.

        Args:
            masks: (K, H, W) bool, of the K `regions`.
            changes: other attributes; `mask` among them where the size is another.
        """
        rows = list(self.regions)
        return replace(self, **{
            'proposals': masks, 'index': 0 if rows else -1, 'rivals': tuple(range(1, len(rows))),
            'scores': Scores(
                self.scores.total[rows], self.scores.generative[rows],
                self.scores.discriminative[rows]),
            **changes})
