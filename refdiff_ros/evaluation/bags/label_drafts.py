"""Starting a labels file from a bag: stills of some pictures, and a model's answers to correct."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

import numpy as np

from refdiff_ros.demo.table import slug, write_picture
from refdiff_ros.engine import Engine
from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.bags.frames import RecordedFrame, seconds_text
from refdiff_ros.evaluation.bags.labels import Label, label_line, unfilled_line, UNVERIFIED
from refdiff_ros.evaluation.bags.pairing import Index, Picture
from refdiff_ros.evaluation.bags.samples import LABEL_TOLERANCE_NS
from refdiff_ros.evaluation.metrics.rle import encode_rle
from refdiff_ros.pictures.overlay import draw


def parse_stamp(text: str) -> int:
    """Nanoseconds from '1700000000.05' (seconds, with a point) or '1700000000050000000'.

    Raises:
        BadRequestError: another text, or more than nine digits of a second.
    """
    try:
        value = Decimal(text) * (1_000_000_000 if '.' in text else 1)
        whole = int(value)
    except (InvalidOperation, ValueError, OverflowError) as error:
        raise BadRequestError(_not_a_stamp(text)) from error
    if whole != value or whole < 0:
        raise BadRequestError(_not_a_stamp(text))
    return whole


def _not_a_stamp(text: str) -> str:
    return ('expected a stamp in seconds with a point (1700000000.05) or in whole nanoseconds, '
            f'got {text!r}')


def at_stamps(index: Index, topic: str, stamps_ns: Sequence[int]) -> list[Picture]:
    """The pictures of `topic` at `stamps_ns`, to half a millisecond.

    Raises:
        BadRequestError: a stamp has none; the message has the nearest one.
    """
    found = []
    for stamp_ns in stamps_ns:
        picture = index.nearest(topic, stamp_ns)
        if picture is None:
            raise BadRequestError(f'expected images on {topic}, got none in the bag')
        if abs(picture.stamp_ns - stamp_ns) > LABEL_TOLERANCE_NS:
            raise BadRequestError(
                f'expected an image of {topic} at {seconds_text(stamp_ns)}, the nearest is at '
                f'{seconds_text(picture.stamp_ns)}')
        found.append(picture)
    return found


def at_intervals(index: Index, every_s: float) -> list[Picture]:
    """The first picture, and then each first one that is `every_s` or more after the last.

    Raises:
        BadRequestError: not above 0, or there are no pictures.
    """
    if not 0 < every_s < float('inf'):
        raise BadRequestError(f'expected an interval above 0 seconds, got {every_s}')
    found: list[Picture] = []
    for picture in sorted(index.pictures, key=lambda each: each.stamp_ns):
        if not found or picture.stamp_ns - found[-1].stamp_ns >= every_s * 1e9:
            found.append(picture)
    if not found:
        raise BadRequestError(f'expected images on {", ".join(index.topics.images)}, got none in '
                              'the bag')
    return found


@dataclass(frozen=True)
class Stills:
    """Where pictures to look at and to correct go.

    `<stamp>.png` is the still; for each answer `<stamp>_<expression>.png` shows it and
    `<stamp>_<expression>_mask.png` (0 and 255) may be corrected and named in the labels.
    """

    folder: Path

    def write_still(self, picture: Picture, image_rgb: np.ndarray) -> None:
        """Write the picture as it is."""
        write_picture(self._path(picture, ''), image_rgb)

    def write_answer(
        self, picture: Picture, expression: str, shown_rgb: np.ndarray, mask: np.ndarray,
    ) -> None:
        """Write an answer, drawn into the picture, and its mask (H, W) bool."""
        name = f'_{slug(expression)}'
        write_picture(self._path(picture, name), shown_rgb)
        write_picture(self._path(picture, f'{name}_mask'), mask.astype(np.uint8) * np.uint8(255))

    def _path(self, picture: Picture, name: str) -> Path:
        return self.folder / f'{seconds_text(picture.stamp_ns)}{name}.png'


def unfilled_lines(recorded: RecordedFrame, topic: str, stills: Stills) -> Iterator[str]:
    """Write the still; the line of labels to fill in.

    Raises:
        BadRequestError: the picture cannot be read.
    """
    stills.write_still(recorded.picture, recorded.frame.image_rgb)
    yield unfilled_line(recorded.picture.stamp_ns, topic)


def answered_lines(
    recorded: RecordedFrame, topic: str, stills: Stills, engine: Engine,
    expressions: Sequence[str],
) -> Iterator[str]:
    """Write the still and the answers; a line of labels for each, unverified.

    Raises:
        RefDiffError: the picture cannot be read, or an expression not be answered.
    """
    picture, frame = recorded.picture, recorded.frame
    stills.write_still(picture, frame.image_rgb)
    for text in expressions:
        answer = engine.segment(frame, text)
        stills.write_answer(picture, text, draw(frame.image_rgb, answer, None), answer.mask)
        yield label_line(Label(
            picture.stamp_ns, topic, text, encode_rle(answer.mask),
            tags={'answer': answer.status.name}, source=UNVERIFIED))
