"""From an answer's messages back to full masks.

`ReferringMask` carries the chosen region's mask in full size, and each other candidate's mask
cut to its box. What is read may be any object with the message's fields, so bags are read without
ROS. An older package sent each candidate's mask in full size; that is read too.
"""

from typing import Any

import numpy as np

from refdiff_ros.errors import BadRequestError


def candidate_masks(answer: Any) -> np.ndarray:
    """The masks of an answer's candidates, each of the picture's size.

    Args:
        answer: a `ReferringMask`.

    Returns:
        (K, H, W) bool for K candidates, best first.

    Raises:
        BadRequestError: the answer came without masks, or a mask's data are cut off.
    """
    chosen = mask_pixels(answer.mask)
    masks = np.zeros((len(answer.candidates), *chosen.shape), bool)
    if len(masks) and not chosen.size:
        raise BadRequestError('expected an answer with masks, got one without: ask with '
                              'without_masks false')
    for row, candidate in enumerate(answer.candidates):
        if row == 0 and not candidate.mask.height:
            masks[row] = chosen
        else:
            _put(masks[row], candidate)
    return masks


def mask_pixels(image: Any) -> np.ndarray:
    """(H, W) bool of a mono8 `sensor_msgs/Image`; (0, 0) of an empty one.

    Raises:
        BadRequestError: its data are cut off.
    """
    data = np.frombuffer(image.data, np.uint8)
    if image.step < image.width or len(data) < image.step * image.height:
        raise BadRequestError(f'expected a mask of {image.width}x{image.height} pixels, got '
                              f'{len(data)} bytes: the answer was cut off')
    rows = data[:image.step * image.height].reshape(image.height, image.step)
    return rows[:, :image.width] > 0


def _put(full: np.ndarray, candidate: Any) -> None:
    """Put a candidate's mask into `full` (H, W) bool."""
    pixels, box = mask_pixels(candidate.mask), candidate.box
    if pixels.shape == full.shape:
        full[:] = pixels
        return
    place = full[box.y_offset:box.y_offset + box.height, box.x_offset:box.x_offset + box.width]
    if pixels.shape != (box.height, box.width) or place.shape != pixels.shape:
        raise BadRequestError(
            f"expected a candidate's mask of its box's size {box.width}x{box.height}, inside the "
            f'picture of {full.shape[1]}x{full.shape[0]}, got {pixels.shape[1]}x{pixels.shape[0]}')
    place[:] = pixels
