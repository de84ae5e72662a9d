"""Samples from a bag and its labels, and what of the two has no counterpart."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.bags.frames import read_frames, RecordedFrame, seconds_text
from refdiff_ros.evaluation.bags.labels import Label
from refdiff_ros.evaluation.bags.pairing import Index, Picture
from refdiff_ros.evaluation.bags.reading import Bag
from refdiff_ros.evaluation.run import Sample
from refdiff_ros.results import Frame

# Labels of other tools are rounded to milliseconds; no two frames of a camera are that close.
LABEL_TOLERANCE_NS = 500_000


@dataclass(frozen=True)
class Matched:
    """Labels with their pictures.

    Attributes:
        pairs: in the order of recording, the labels of one picture together.
        labels_without_frames: labels to which the bag has no image within half a millisecond.
        frames_without_labels: images of the labelled topics that nobody labelled.
    """

    pairs: tuple[tuple[Picture, tuple[Label, ...]], ...]
    labels_without_frames: tuple[Label, ...]
    frames_without_labels: tuple[Picture, ...]

    @property
    def count(self) -> int:
        """Labels that have a picture."""
        return sum(len(labels) for _, labels in self.pairs)


def image_topics(labels: Sequence[Label], chosen: str = '') -> dict[str, str]:
    """Which image topic each topic that labels name is read from.

    Args:
        labels: at least one.
        chosen: read this one: the labels of this topic where some name it; otherwise all labels,
            which must then be of one topic (labelled on the raw images, say, and played from
            the compressed ones). '' reads what the labels name.

    Raises:
        BadRequestError: labels of several topics, and none of the one chosen.
    """
    named = sorted({label.topic for label in labels})
    if not chosen:
        return {name: name for name in named}
    if chosen in named or len(named) == 1:
        return {chosen if chosen in named else named[0]: chosen}
    raise BadRequestError(f'expected labels of {chosen}, or of a single topic to read from it, '
                          f'got labels of {", ".join(named)}')


def match(labels: Sequence[Label], index: Index, read_from: dict[str, str]) -> Matched:
    """Find each label's picture.

    Raises:
        BadRequestError: not one label has a picture.
    """
    found: dict[int, list[Label]] = {}
    pictures: dict[int, Picture] = {}
    lost, nearest_ns = [], None
    wanted = [label for label in labels if label.topic in read_from]
    for label in wanted:
        picture = index.nearest(read_from[label.topic], label.stamp_ns)
        away_ns = None if picture is None else abs(picture.stamp_ns - label.stamp_ns)
        if picture is None or away_ns is None or away_ns > LABEL_TOLERANCE_NS:
            lost.append(label)
            if away_ns is not None:
                nearest_ns = away_ns if nearest_ns is None else min(away_ns, nearest_ns)
            continue
        found.setdefault(picture.image, []).append(label)
        pictures[picture.image] = picture
    if not found:
        away = 'the topic has no images' if nearest_ns is None else \
            f'the nearest image is {nearest_ns * 1e-9:.6g} s away'
        raise BadRequestError(
            f'expected labels of images in the bag, got none among {len(wanted)} '
            f'({", ".join(sorted(read_from))}): {away}; are they the labels of another bag?')
    return Matched(
        tuple((pictures[number], tuple(found[number])) for number in sorted(found)),
        tuple(lost),
        tuple(picture for picture in index.pictures if picture.image not in found))


def bag_samples(bag: Bag, index: Index, matched: Matched) -> Iterator[Sample]:
    """A sample for each label, read from the bag in one pass as they are asked for.

    Raises:
        BagError: the bag is damaged.
    """
    labels_of = {picture.image: labels for picture, labels in matched.pairs}
    for recorded in read_frames(bag, index, (picture for picture, _ in matched.pairs)):
        picture = recorded.picture
        for label in labels_of[picture.image]:
            yield Sample(*identity(picture, label.expression), label.expression,
                         partial(_load, recorded, label), label.tags)


def identity(picture: Picture, expression: str) -> tuple[str, str]:
    """The ids of a sample and of its picture; the same however the bag is asked."""
    image_id = f'{seconds_text(picture.stamp_ns)} {picture.topic}'
    return f'{image_id} {expression}', image_id


def _load(recorded: RecordedFrame, label: Label) -> tuple[Frame, np.ndarray]:
    return recorded.frame, label.mask
