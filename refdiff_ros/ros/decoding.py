"""From the messages of one frame to the engine's `Frame`; bad depth costs only the pose."""

from dataclasses import dataclass, field, replace

import numpy as np
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from refdiff_ros.errors import BadRequestError
from refdiff_ros.optional import require_package
from refdiff_ros.pictures.camera_info import camera_from_info
from refdiff_ros.pictures.header import MAX_MEGAPIXELS
from refdiff_ros.results import Camera, Frame, Segmentation
from refdiff_ros.ros import conversions
from refdiff_ros.ros.frame_sync import FrameSet, Shared, stamp_ns


@dataclass(frozen=True)
class DecodedFrame:
    """A frame ready for the engine.

    Attributes:
        frame: in full size.
        depth_problem: why depth that was there cannot be used, or ''.
        camera_problem: why camera_info that was there cannot be used, or ''.
        notes: other things that do not fit, a sentence each.
        shared: what is computed of the image.
    """

    frame: Frame
    depth_problem: str = ''
    camera_problem: str = ''
    notes: tuple[str, ...] = ()
    shared: Shared = field(default_factory=Shared, compare=False, repr=False)

    def small(self, max_pixels: float) -> Frame:
        """The frame as `shrink` makes it, made once for all who ask."""
        _, small = self.shared.get(
            ('small', id(self.frame), max_pixels),
            lambda: (self.frame, shrink(self.frame, max_pixels)))
        return small

    @property
    def problems(self) -> tuple[str, ...]:
        """What was left out and why, a sentence each."""
        return tuple(f'{name} was left out: {problem}' for name, problem in (
            ('depth', self.depth_problem), ('camera_info', self.camera_problem)) if problem)


def decode(
    frame_set: FrameSet, rectified: bool = False, max_megapixels: float = MAX_MEGAPIXELS,
) -> DecodedFrame:
    """The messages of one frame, decoded once for all who ask.

    Args:
        frame_set: the messages.
        rectified: whether the image is rectified: intrinsics are then those of P, not of K.
        max_megapixels: a larger image is refused before it is decoded.

    Raises:
        BadRequestError: the image cannot be used. Depth and camera_info that cannot be used are
            left out, and the result says why.
    """
    beside = frame_set.depth, frame_set.camera_info
    # The messages are kept with the result, so that no other one gets their identity.
    _, decoded = frame_set.shared.get(
        ('decoded', *map(id, beside), frame_set.depth_problem, frame_set.notes, rectified,
         max_megapixels),
        lambda: (beside, _decode(frame_set, rectified, max_megapixels)))
    return decoded


def picture_of(frame_set: FrameSet, max_megapixels: float = MAX_MEGAPIXELS) -> np.ndarray:
    """The picture alone, (H, W, 3) uint8 RGB, decoded once for all who ask.

    Raises:
        BadRequestError: as in `decode`.
    """
    image = frame_set.image
    read = (conversions.rgb_from_compressed if isinstance(image, CompressedImage)
            else conversions.rgb_from_image)
    return frame_set.shared.get(
        ('picture', max_megapixels), lambda: read(image, max_megapixels))


def _decode(frame_set: FrameSet, rectified: bool, max_megapixels: float) -> DecodedFrame:
    image, image_rgb = frame_set.image, picture_of(frame_set, max_megapixels)
    depth_m, depth_problem = _depth(frame_set.depth, image_rgb.shape[:2])
    camera, camera_problem = _camera(
        frame_set.camera_info, image_rgb.shape[:2], rectified)
    frame = Frame(image_rgb, depth_m, camera, stamp_ns(image), image.header.frame_id)
    return DecodedFrame(frame, frame_set.depth_problem or depth_problem, camera_problem,
                        frame_set.notes, frame_set.shared)


def _depth(msg: Image | None, size_hw: tuple[int, int]) -> tuple[np.ndarray | None, str]:
    if msg is None or (msg.width == 0 and msg.height == 0 and not msg.encoding):
        return None, ''
    try:
        depth_m = conversions.depth_from_image(msg)
    except BadRequestError as error:
        return None, str(error)
    if depth_m.shape != size_hw:
        return None, (
            f'expected depth of the image\'s size {size_hw[1]}x{size_hw[0]}, got '
            f'{msg.width}x{msg.height}: use the depth topic that is registered to the colour '
            'image')
    return depth_m, ''


def _camera(
    msg: CameraInfo | None, size_hw: tuple[int, int], rectified: bool,
) -> tuple[Camera | None, str]:
    if msg is None or (msg.width == 0 and msg.height == 0 and msg.k[0] == 0):
        return None, ''
    try:
        return camera_from_info(msg, rectified, size_hw), ''
    except BadRequestError as error:
        return None, str(error)


def shrink(frame: Frame, max_pixels: float) -> Frame:
    """The frame's picture at no more than `max_pixels`; the frame itself when it is no larger.

    The camera is left out of a smaller one: it belongs to the full size. Depth serves places
    ('behind'), for which one pixel of several will do.
    """
    height, width = frame.size_hw
    scale = (max_pixels / (height * width)) ** 0.5
    if scale >= 1:
        return frame
    cv2 = require_package('cv2', 'ros')
    size_wh = (max(conversions.MIN_SIDE, round(width * scale)),
               max(conversions.MIN_SIDE, round(height * scale)))
    image = cv2.resize(frame.image_rgb, size_wh, interpolation=cv2.INTER_AREA)
    depth_m = frame.depth_m
    if depth_m is not None:
        depth_m = cv2.resize(depth_m, size_wh, interpolation=cv2.INTER_NEAREST)
    return replace(frame, image_rgb=image, depth_m=depth_m, camera=None)


def enlarge(answer: Segmentation, size_hw: tuple[int, int]) -> Segmentation:
    """The answer of a shrunken frame in the full size, with the regions meant alone.

    Of the proposals only the chosen one and its rivals are kept, in this order: all of them in
    full size would take gigabytes.
    """
    cv2 = require_package('cv2', 'ros')

    def full(values: np.ndarray, interpolation: int) -> np.ndarray:
        return cv2.resize(values, size_hw[::-1], interpolation=interpolation)

    proposals = np.zeros((len(answer.regions), *size_hw), bool)
    for place, row in enumerate(answer.regions):
        proposals[place] = full(answer.proposals[row].astype(np.uint8), cv2.INTER_NEAREST)
    correlation = answer.correlation
    return answer.with_regions(
        proposals,
        mask=full(answer.mask.astype(np.uint8), cv2.INTER_NEAREST).astype(bool),
        correlation=None if correlation is None else full(correlation, cv2.INTER_LINEAR))
