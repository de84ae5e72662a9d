"""How a camera's motion moves a whole picture, and masks that go along.

A camera that turns about itself moves what it sees by a homography, and so does one that moves
before a plane, such as a table (Hartley and Zisserman, "Multiple View Geometry in Computer
Vision", 2nd edition, 8.4 and 13.1). It is found from corners (Shi and Tomasi, "Good Features to
Track", CVPR 1994) that are followed by optical flow (Lucas and Kanade, with pyramids), and by
RANSAC over those.

Letters: H W image height and width, h w those of a part of it.
"""

from dataclasses import dataclass, replace

import numpy as np

from refdiff_ros.optional import require_package
from refdiff_ros.pictures.mask_flow import small_grey

_CORNERS, _LEAST_CORNERS = 150, 12
_CORNER_QUALITY, _CORNER_GAP_PX = 0.005, 8
# Fewer of the corners that were followed do not make a motion of the whole picture.
_LEAST_AGREE = 0.3
_AGREE_PX = 1.0
# A mask that was scaled, turned or slanted by more since it was made is a guess.
_MOST_CHANGE = 0.2


def camera_motion(old_rgb: np.ndarray, new_rgb: np.ndarray) -> np.ndarray | None:
    """The homography that brings most of a picture to where a later one has it.

    Args:
        old_rgb: (H, W, 3) uint8.
        new_rgb: the later one, of the same size.

    Returns:
        (3, 3) float64 of pixels (x, y, 1); None where no such motion is found.

    Raises:
        MissingPackageError: OpenCV is not installed.
    """
    cv2 = require_package('cv2', 'models')
    old, new = small_grey(old_rgb), small_grey(new_rgb)
    corners = cv2.goodFeaturesToTrack(old, _CORNERS, _CORNER_QUALITY, _CORNER_GAP_PX)
    if corners is None or len(corners) < _LEAST_CORNERS:
        return None
    followed, found, _error = cv2.calcOpticalFlowPyrLK(old, new, corners, None)
    found = found.ravel() > 0
    if found.sum() < _LEAST_CORNERS:
        return None
    motion, agree = cv2.findHomography(corners[found], followed[found], cv2.RANSAC, _AGREE_PX)
    if motion is None or agree.mean() < _LEAST_AGREE or _is_distorted(motion, old.shape):
        return None
    return resized(np.asarray(motion), old.shape, old_rgb.shape)


def resized(
    motion: np.ndarray, size_hw: tuple[int, ...], other_hw: tuple[int, ...],
) -> np.ndarray:
    """A motion (3, 3) of a picture of one size (height, width, ...) for that of another size."""
    across, down = other_hw[1] / size_hw[1], other_hw[0] / size_hw[0]
    # Between the centres of pixels.
    to = np.array([[across, 0, (across - 1) / 2], [0, down, (down - 1) / 2], [0, 0, 1]])
    return np.asarray(to @ motion @ np.linalg.inv(to))


def moved_picture(image_rgb: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 as `motion` (3, 3) brings it; what comes in goes on as the border was."""
    cv2 = require_package('cv2', 'models')
    # Of OpenCV's ways it blurs least when pictures are moved again and again.
    moved: np.ndarray = cv2.warpPerspective(
        image_rgb, motion, image_rgb.shape[1::-1], flags=cv2.INTER_LANCZOS4,
        borderMode=cv2.BORDER_REPLICATE)
    return moved


@dataclass(frozen=True)
class MovingMask:
    """A mask as it was found, and where the camera's motion brought it since.

    It is drawn from the first one each time, so that its outline does not fray step by step.

    Attributes:
        cut: (h, w) uint8, 0 or 1, the mask's part of the picture and a pixel around it.
        to: (3, 3), from pixels (x, y, 1) of `cut` to those of the picture now.
    """

    cut: np.ndarray
    to: np.ndarray

    @classmethod
    def found(cls, mask: np.ndarray, box_xyxy: tuple[int, int, int, int]) -> 'MovingMask':
        """A mask (H, W) bool where it is, with its box, the last column and row included."""
        left, top, right, bottom = box_xyxy
        left, top = max(0, left - 1), max(0, top - 1)
        cut = mask[top:bottom + 2, left:right + 2].view(np.uint8).copy()
        return cls(cut, _shift(left, top))

    def moved(self, motion: np.ndarray) -> 'MovingMask':
        """The mask after another `motion` (3, 3) of the camera."""
        return replace(self, to=motion @ self.to)

    @property
    def is_guess(self) -> bool:
        """Whether it was scaled, turned or slanted much since it was found."""
        return _is_distorted(self.to, self.cut.shape)

    def draw(self, into: np.ndarray) -> None:
        """Draw the mask where it is now into `into` (H, W) bool, which is empty."""
        cv2 = require_package('cv2', 'models')
        height, width = into.shape
        left, top, right, bottom = 0, 0, width, height
        if not self._is_at_border:
            tall, wide = self.cut.shape
            corners = np.array([[[0.0, 0], [wide, 0], [0, tall], [wide, tall]]]) - 0.5
            x, y = cv2.perspectiveTransform(corners, self.to)[0].T
            left, top = max(0, int(x.min())), max(0, int(y.min()))
            right, bottom = min(width, int(x.max()) + 2), min(height, int(y.max()) + 2)
        if left < right and top < bottom:
            to = _shift(-left, -top) @ self.to
            into[top:bottom, left:right] = cv2.warpPerspective(
                self.cut, to, (right - left, bottom - top), flags=cv2.INTER_NEAREST,
                borderMode=cv2.BORDER_REPLICATE)

    @property
    def _is_at_border(self) -> bool:
        """Whether the picture's border cut the mask: it may go on beyond."""
        cut = self.cut
        return bool(cut[0].any() or cut[-1].any() or cut[:, 0].any() or cut[:, -1].any())


def _shift(right: int, down: int) -> np.ndarray:
    return np.array([[1.0, 0, right], [0, 1, down], [0, 0, 1]])


def _is_distorted(motion: np.ndarray, size_hw: tuple[int, ...]) -> bool:
    """Whether (3, 3) scales, turns or slants what is in the middle of a part (h, w) much."""
    x, y, w = motion @ (size_hw[1] / 2, size_hw[0] / 2, 1)
    if w <= 0:
        return True
    there = np.array([[x], [y]]) / w
    jacobian = (motion[:2, :2] - there * motion[2:, :2]) / w  # (2, 2)
    return bool(np.abs(jacobian - np.eye(2)).max() > _MOST_CHANGE)
