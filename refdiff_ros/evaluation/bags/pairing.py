"""Which depth and camera_info belong to which image of a bag, by stamp.

Depth belongs to an image when it is the nearest in stamp and at most the tolerance away.
camera_info is the nearest in stamp, however far, since intrinsics rarely change.

By hand, since `message_filters` is in no wheel, and pairs what streams by where here the whole bag
is known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.bags.reading import Bag, CAMERA_INFO, IMAGE_TYPES, Recorded

TOLERANCE_S = 0.02


@dataclass(frozen=True)
class Topics:
    """What is read from a bag.

    Attributes:
        images: names of colour image topics, raw or compressed.
        depth: name of the depth image topic, or '' for none.
        info: name of the camera_info topic, or '' for none.
        tolerance_s: largest difference of stamps at which depth belongs to an image.
        rectified: whether the images are rectified; intrinsics are then those of P.

    Raises:
        BadRequestError: no image topic, one topic in two roles, or a tolerance below 0.
    """

    images: tuple[str, ...]
    depth: str = ''
    info: str = ''
    tolerance_s: float = TOLERANCE_S
    rectified: bool = False

    def __post_init__(self):
        names = self.all
        if not self.images or len(set(names)) < len(names):
            raise BadRequestError('expected different topics for images, depth and camera_info, '
                                  f'got {", ".join(names) or "none"}')
        if not 0 <= self.tolerance_s < float('inf'):
            raise BadRequestError(
                f'expected a tolerance of 0 seconds or more, got {self.tolerance_s}')

    @property
    def all(self) -> tuple[str, ...]:
        """Every topic that is read."""
        return (*self.images, *(name for name in (self.depth, self.info) if name))


@dataclass(frozen=True)
class Picture:
    """One image of a bag and the messages that belong to it, by their numbers.

    Attributes:
        topic, stamp_ns: of the image.
        image: number of the image message.
        depth: number of the depth message, or None.
        info: the camera_info message, or None.
    """

    topic: str
    stamp_ns: int
    image: int
    depth: int | None = None
    info: Recorded | None = None


@dataclass(frozen=True)
class Index:
    """Every image of a bag, from one pass over it.

    Attributes:
        topics: what was read.
        pictures: in the order of recording.
        without_depth: images of them that have no depth within the tolerance, where depth is
            read.
        nearest_depth_s: smallest distance of such an image to any depth; None without one.
        repeated: images whose topic and stamp an earlier image has too; they are left out.
    """

    topics: Topics
    pictures: tuple[Picture, ...]
    without_depth: int = 0
    nearest_depth_s: float | None = None
    repeated: int = 0
    _by_topic: Mapping[str, tuple[np.ndarray, list[Picture]]] = field(default_factory=dict)

    def nearest(self, topic: str, stamp_ns: int) -> Picture | None:
        """The picture of `topic` that is nearest in stamp; None for a topic without any."""
        stamps, pictures = self._by_topic.get(topic, (np.empty(0, np.int64), []))
        return pictures[_nearest(stamps, stamp_ns)] if len(pictures) else None


def index_bag(bag: Bag, topics: Topics) -> Index:
    """Read the stamps of all `topics` and pair them.

    Raises:
        BadRequestError: a topic is not there or is of another type.
        BagError: the bag is damaged.
    """
    for name in topics.images:
        bag.require(name, IMAGE_TYPES)
    if topics.depth:
        bag.require(topics.depth, IMAGE_TYPES)
    if topics.info:
        bag.require(topics.info, (CAMERA_INFO,))
    images: dict[tuple[str, int], int] = {}
    depths: dict[int, int] = {}
    infos: dict[int, Recorded] = {}
    repeated = 0
    for message in bag.messages(topics.all):
        if message.topic == topics.depth:
            depths.setdefault(message.stamp_ns, message.number)
        elif message.topic == topics.info:
            infos.setdefault(message.stamp_ns, message)
        elif (message.topic, message.stamp_ns) in images:
            repeated += 1
        else:
            images[message.topic, message.stamp_ns] = message.number
    return _paired(topics, images, depths, infos, repeated)


def _paired(
    topics: Topics, images: Mapping[tuple[str, int], int], depths: Mapping[int, int],
    infos: Mapping[int, Recorded], repeated: int,
) -> Index:
    depth_stamps, info_stamps = _sorted(depths), _sorted(infos)
    pictures, distances = [], []
    for (topic, stamp_ns), number in images.items():
        depth = info = None
        if len(depth_stamps):
            nearest = int(depth_stamps[_nearest(depth_stamps, stamp_ns)])
            away_s = abs(nearest - stamp_ns) * 1e-9
            if away_s <= topics.tolerance_s:
                depth = depths[nearest]
            else:
                distances.append(away_s)
        if len(info_stamps):
            info = infos[int(info_stamps[_nearest(info_stamps, stamp_ns)])]
        pictures.append(Picture(topic, stamp_ns, number, depth, info))
    missing = sum(picture.depth is None for picture in pictures) if topics.depth else 0
    by_topic = {}
    for topic in topics.images:
        of_topic = sorted((picture for picture in pictures if picture.topic == topic),
                          key=lambda picture: picture.stamp_ns)
        stamps = np.array([picture.stamp_ns for picture in of_topic], np.int64)
        by_topic[topic] = (stamps, of_topic)
    return Index(topics, tuple(pictures), missing, min(distances, default=None), repeated,
                 by_topic)


def _sorted(stamps: Mapping[int, object] | Sequence[int]) -> np.ndarray:
    return np.array(sorted(stamps), np.int64)


def _nearest(stamps: np.ndarray, stamp_ns: int) -> int:
    """Row of the value of sorted `stamps`, not empty, that is nearest to `stamp_ns`."""
    after = int(np.searchsorted(stamps, stamp_ns))
    rows = [row for row in (after - 1, after) if 0 <= row < len(stamps)]
    return min(rows, key=lambda row: abs(int(stamps[row]) - stamp_ns))
