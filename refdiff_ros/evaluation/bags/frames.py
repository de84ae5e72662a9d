"""Frames of the engine from the pictures of a bag, in one pass."""

from collections.abc import Iterable, Iterator
from functools import cached_property

import numpy as np

from refdiff_ros.errors import RefDiffError
from refdiff_ros.evaluation.bags.compressed_depth import depth_from_compressed
from refdiff_ros.evaluation.bags.pairing import Index, Picture, Topics
from refdiff_ros.evaluation.bags.reading import Bag, BagError, IMAGE, Recorded
from refdiff_ros.pictures.camera_info import camera_from_info
from refdiff_ros.results import Camera, Frame
from refdiff_ros.ros.conversions import (
    depth_from_image,
    rgb_from_compressed,
    rgb_from_image,
)


class RecordedFrame:
    """A picture with its messages still serialised: few hold many.

    Attributes:
        picture: what it is.
    """

    def __init__(
        self, bag: Bag, picture: Picture, image: Recorded, depth: Recorded | None = None,
        rectified: bool = False,
    ):
        self.picture = picture
        self._bag, self._image, self._depth = bag, image, depth
        self._rectified = rectified

    @cached_property
    def frame(self) -> Frame:
        """The frame, decoded once.

        Raises:
            BadRequestError: the image or its depth cannot be used.
        """
        try:
            return self._decoded()
        except RefDiffError as error:
            raise type(error)(f'{describe(self.picture)}: {error}') from error

    def _decoded(self) -> Frame:
        msg = self._bag.decode(self._image)
        read = rgb_from_image if self._image.msgtype == IMAGE else rgb_from_compressed
        image_rgb = read(msg)
        return Frame(
            image_rgb, self._depth_m(), self._camera(image_rgb.shape[:2]), self.picture.stamp_ns,
            msg.header.frame_id)

    def _camera(self, size_hw: tuple[int, int]) -> Camera | None:
        """Intrinsics; None, said once a bag, where they cannot be used: masks need none."""
        if self.picture.info is None:
            return None
        try:
            return camera_from_info(
                self._bag.decode(self.picture.info), self._rectified, size_hw)
        except RefDiffError as error:
            self._bag.note(f'camera_info is left out, so that there is no pose: {error}')
            return None

    def _depth_m(self) -> np.ndarray | None:
        if self._depth is None:
            return None
        msg = self._bag.decode(self._depth)
        read = depth_from_image if self._depth.msgtype == IMAGE else depth_from_compressed
        return read(msg)


def read_frames(
    bag: Bag, index: Index, pictures: Iterable[Picture],
) -> Iterator[RecordedFrame]:
    """The frames of `pictures`, in the order of recording; reads no further than they go.

    Raises:
        BagError: the bag is damaged.
    """
    wanted = {picture.image: picture for picture in pictures}
    uses: dict[int, int] = {}  # by how many of the pictures a depth image is still awaited
    for picture in wanted.values():
        if picture.depth is not None:
            uses[picture.depth] = uses.get(picture.depth, 0) + 1
    held: dict[int, Recorded] = {}
    waiting: dict[int, Picture] = dict(sorted(wanted.items()))
    if not waiting:
        return
    for message in bag.messages(index.topics.all):
        if message.number not in wanted and message.number not in uses:
            continue
        held[message.number] = message
        # A picture is handed out once all before it are.
        while waiting:
            number, picture = next(iter(waiting.items()))
            if number not in held or (picture.depth is not None and picture.depth not in held):
                break
            del waiting[number]
            yield _taken(bag, index.topics, picture, held, uses)
        if not waiting:
            return
    raise BagError(f'expected {bag.path} to hold what it held a moment ago, but '
                   f'{len(waiting)} images are gone: is it being written?')


def _taken(
    bag: Bag, topics: Topics, picture: Picture, held: dict[int, Recorded],
    uses: dict[int, int],
) -> RecordedFrame:
    depth = None
    if picture.depth is not None:
        depth = held[picture.depth]
        uses[picture.depth] -= 1
        if not uses[picture.depth]:
            del held[picture.depth]
    return RecordedFrame(
        bag, picture, held.pop(picture.image), depth, topics.rectified)


def describe(picture: Picture) -> str:
    """A picture's name for people: its topic and its stamp in seconds."""
    return f'{picture.topic} at {seconds_text(picture.stamp_ns)}'


def seconds_text(stamp_ns: int) -> str:
    """A stamp in seconds with all its digits: '1700000000.050000000'."""
    seconds, nanoseconds = divmod(stamp_ns, 1_000_000_000)
    return f'{seconds}.{nanoseconds:09d}'
