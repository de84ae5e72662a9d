"""Pictures of an answer: mask, root-word attention, grasp rectangle and contacts, in words too.

The colours are those of Okabe and Ito, which stay apart for colour-blind eyes; each line has a
dark casing, so that it reads on bright and on dark ground, and no meaning rests on colour alone:
the mask has an outline and a fill, the grasp rectangle is a thin frame just outside it, the main
axis is dashed, the contacts are bars across the closing line.
"""

import math
from typing import Any

import numpy as np

from refdiff_ros.errors import BadRequestError
from refdiff_ros.grasp.rectangle import Rectangle
from refdiff_ros.grasp.results import GraspCandidate, GraspRegion
from refdiff_ros.optional import require_package
from refdiff_ros.results import describe_array, Segmentation, Status

_MASK = (86, 180, 233)
_RECTANGLE = (255, 255, 255)
_AXIS = (240, 228, 66)
_CONTACT = (213, 94, 0)
_CASING = (20, 20, 20)
_STATUS_COLOURS = {Status.FOUND: (0, 158, 115), Status.AMBIGUOUS: (230, 159, 0)}
_STATUS_WORDS = {Status.FOUND: 'FOUND', Status.NOT_FOUND: 'NOT FOUND',
                 Status.AMBIGUOUS: 'AMBIGUOUS'}
# Share of the heat where the attention is 1; below, it fades with the attention's square, so that
# the picture stays to be seen where there is little.
_HEAT = 0.6


def draw(image_rgb: np.ndarray, segmentation: Segmentation,
         grasp: GraspRegion | None = None) -> np.ndarray:
    """Draw an answer over its image.

    Args:
        image_rgb: (H, W, 3) uint8.
        segmentation: the answer on that image.
        grasp: its grasp region, or None.

    Returns:
        (H, W, 3) uint8 RGB, a copy: attention of the root word as heat, the mask's outline with
        a light fill, the other regions of an ambiguous answer as thin outlines with the numbers
        that the question has for all of them, the grasp rectangle with its main axis and
        contacts, and lines of text: the status, the grasp, the
        question or the reason why the answer is not FOUND, and the first note.

    Raises:
        BadRequestError: the image is not (H, W, 3) uint8, or of another size than the mask.
    """
    mask = segmentation.mask
    if image_rgb.dtype != np.uint8 or image_rgb.shape != (*mask.shape, 3):
        raise BadRequestError(
            f'expected an RGB image ({mask.shape[0]}, {mask.shape[1]}, 3) uint8 of the mask\'s '
            f'size, got {describe_array(image_rgb)}')
    canvas = image_rgb.copy()
    if segmentation.correlation is not None:
        canvas = _heat(canvas, segmentation.correlation)
    thickness = max(round(min(mask.shape) / 240), 1)
    for row in segmentation.rivals:
        _outline(canvas, segmentation.proposals[row], thickness, _STATUS_COLOURS[
            Status.AMBIGUOUS], casing=False)
    if mask.any():
        canvas[mask] = (canvas[mask] * 0.75 + np.array(_MASK) * 0.25).astype(np.uint8)
        _outline(canvas, mask, thickness, _MASK)
    if grasp is not None and grasp.valid:
        _grasp(canvas, grasp, thickness)
    return _caption(_numbered(canvas, segmentation), segmentation, grasp)


def attention_image(correlation: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB picture of a map c in 0..1 (Eq. (5)), dark for 0 and bright for 1.

    The brightness rises steadily with c, so that it reads in grey as well.

    Raises:
        BadRequestError: the map is not (H, W) floating point.
    """
    if correlation.ndim != 2 or not np.issubdtype(correlation.dtype, np.floating):
        raise BadRequestError(
            f'expected a correlation map (H, W) float, got {describe_array(correlation)}')
    cv2 = require_package('cv2', 'grasp')
    levels = np.rint(np.clip(np.nan_to_num(correlation), 0, 1) * 255).astype(np.uint8)
    # OpenCV's colour maps are blue first.
    return np.ascontiguousarray(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)[:, :, ::-1])


def inner_point(mask: np.ndarray) -> tuple[int, int]:
    """The pixel (u, v) of a mask (H, W) bool that is farthest from its border."""
    cv2 = require_package('cv2', 'grasp')
    # A border of zeros, for what touches the edge of the image.
    inside = cv2.distanceTransform(np.pad(mask.astype(np.uint8), 1), cv2.DIST_L2, 3)
    v, u = np.unravel_index(int(np.argmax(inside)), inside.shape)
    return int(u) - 1, int(v) - 1


def _heat(canvas: np.ndarray, correlation: np.ndarray) -> np.ndarray:
    weight = _HEAT * np.clip(np.nan_to_num(correlation), 0, 1)[:, :, None] ** 2
    return np.rint(canvas * (1 - weight) + attention_image(correlation) * weight).astype(np.uint8)


def _outline(canvas: np.ndarray, mask: np.ndarray, thickness: int, colour: tuple,
             casing: bool = True) -> None:
    cv2 = require_package('cv2', 'grasp')
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if casing:
        cv2.drawContours(canvas, contours, -1, _CASING, thickness + 2, cv2.LINE_AA)
    cv2.drawContours(canvas, contours, -1, colour, thickness, cv2.LINE_AA)


def _line(canvas: np.ndarray, start: np.ndarray, end: np.ndarray, colour: tuple,
          thickness: int) -> None:
    cv2 = require_package('cv2', 'grasp')
    # Coordinates with four fractional bits, so that thin objects are not drawn off by half a
    # pixel.
    ends = [tuple(round(16 * float(c)) for c in point) for point in (start, end)]
    cv2.line(canvas, *ends, _CASING, thickness + 2, cv2.LINE_AA, 4)
    cv2.line(canvas, *ends, colour, thickness, cv2.LINE_AA, 4)


def _grasp(canvas: np.ndarray, grasp: GraspRegion, thickness: int) -> None:
    # The frame goes just outside the region, so that it does not cover the mask's outline.
    clear = 2 * (thickness + 2)
    rectangle = Rectangle((grasp.center_u, grasp.center_v), grasp.length_px + clear,
                          grasp.width_px + clear, grasp.angle)
    corners = rectangle.corners
    thin = max(thickness - 1, 1)
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        _line(canvas, start, end, _RECTANGLE, thin)
    half = rectangle.axis * grasp.length_px / 2
    center = np.array(rectangle.center)
    dashes = max(2 * int(grasp.length_px // (16 * thickness)) + 1, 3)
    for k in range(0, dashes, 2):
        _line(canvas, center + half * (2 * k / dashes - 1),
              center + half * (2 * (k + 1) / dashes - 1), _AXIS, thin)
    if grasp.candidates:
        _contacts(canvas, grasp.candidates[0], thickness, max(grasp.length_px / 8, 5.0))


def _contacts(canvas: np.ndarray, candidate: GraspCandidate, thickness: int,
              jaw_px: float) -> None:
    """The closing line of a candidate and a bar at each contact, like the jaws seen on edge."""
    first = np.array([candidate.u1, candidate.v1])
    second = np.array([candidate.u2, candidate.v2])
    jaw = np.array([-math.sin(candidate.angle), math.cos(candidate.angle)]) * min(jaw_px, 24.0)
    _line(canvas, first, second, _CONTACT, max(thickness - 1, 1))
    for contact in (first, second):
        _line(canvas, contact - jaw, contact + jaw, _CONTACT, thickness + 1)


def _numbered(canvas: np.ndarray, segmentation: Segmentation) -> np.ndarray:
    """The canvas with a number on each region that may be meant."""
    if segmentation.question is None:
        return canvas
    font = require_package('PIL.ImageFont', 'models').load_default(max(canvas.shape[0] / 16, 12))
    image = require_package('PIL.Image', 'models').fromarray(canvas)
    pen = require_package('PIL.ImageDraw', 'models').Draw(image)
    for row, number in zip(segmentation.regions, segmentation.numbers, strict=True):
        pen.text(inner_point(segmentation.proposals[row]), str(number), anchor='mm', font=font,
                 fill=(255, 255, 255), stroke_width=2, stroke_fill=_CASING)
    return np.array(image)


def _caption(canvas: np.ndarray, segmentation: Segmentation,
             grasp: GraspRegion | None) -> np.ndarray:
    """The canvas with a dark bar of text at its top; too small an image stays without."""
    height, width = canvas.shape[:2]
    size = min(max(round(height / 30), 11), 40)
    if width < 8 * size or height < 5 * size:
        return canvas
    image_module = require_package('PIL.Image', 'models')
    drawing = require_package('PIL.ImageDraw', 'models')
    font = require_package('PIL.ImageFont', 'models').load_default(size)
    lines = [_headline(segmentation)]
    if segmentation.question is not None:
        lines.append(segmentation.question.text)
    elif segmentation.status is not Status.FOUND:
        lines.append(segmentation.reason)
    else:
        lines.append(grasp_words(grasp))
    # Whatever limits the answer (untrained weights, a fallback) belongs into its picture.
    lines = [line for line in (*lines, *segmentation.notes[:1]) if line]
    pad, pitch = size // 2, round(size * 1.3)
    bar = len(lines) * pitch + pad
    canvas[:bar] = (canvas[:bar] * 0.25).astype(np.uint8)
    colour = _STATUS_COLOURS.get(segmentation.status, (204, 121, 167))
    canvas[:bar, :max(size // 3, 3)] = colour
    image = image_module.fromarray(canvas)
    pen = drawing.Draw(image)
    for k, line in enumerate(lines):
        pen.text((pad + size // 3, pad // 2 + k * pitch), _fit(line, font, width - 2 * size),
                 fill=(255, 255, 255), font=font)
    return np.array(image)


def _headline(segmentation: Segmentation) -> str:
    words = _STATUS_WORDS.get(segmentation.status, segmentation.status.name)
    text = f'{words}  "{segmentation.expression.text}"'
    if segmentation.status.has_mask:
        text += f'  score {segmentation.score:.3f}  confidence {segmentation.confidence:.2f}'
        text += '' if segmentation.calibrated else ' (not calibrated)'
    return text


def grasp_words(grasp: GraspRegion | None) -> str:
    """A line on a grasp region: its size and distance, or why it is not whole; '' for None."""
    if grasp is None:
        return ''
    if not grasp.valid:
        return f'no grasp: {grasp.reason}'
    if not grasp.pose_valid:
        return f'grasp in the picture only: {grasp.pose_reason}'
    return (f'open {1000 * grasp.width_m:.0f} mm, {1000 * grasp.extents[1]:.0f} mm along the '
            f'axis, {grasp.pose.position[2]:.2f} m away')


def _fit(line: str, font: Any, width_px: float) -> str:
    """The line, shortened at its end to fit into `width_px`."""
    line = ' '.join(line[:400].split())
    if font.getlength(line) <= width_px:
        return line
    while line and font.getlength(line + '...') > width_px:
        line = line[:-1]
    return line + '...'
