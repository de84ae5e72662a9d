"""The pictures of one case, small enough to be kept: a still, maps of attention, outlines.

The still is stored once; masks and the grasp region are paths that the page draws over it.

Letters: H W image height and width, N proposals, L text tokens, K points of a contour.
"""

import base64
from collections.abc import Mapping, Sequence
import io
import math
from typing import Any

import numpy as np

from refdiff_ros.engine import Engine
from refdiff_ros.errors import RefDiffError, require
from refdiff_ros.evaluation.metrics.iou import iou, overlap
from refdiff_ros.generative.token_index import root_token_indices
from refdiff_ros.grasp.rectangle import Rectangle
from refdiff_ros.grasp.region import grasp_region
from refdiff_ros.grasp.results import GraspRegion
from refdiff_ros.optional import require_package
from refdiff_ros.pictures.overlay import attention_image, grasp_words
from refdiff_ros.results import Frame, Segmentation

# Longest sides: a case comes to 30 to 150 KB.
_STILL_PX, _ATTENTION_PX, _TOKEN_PX = 640, 320, 160
_QUALITY = 76
_TOKENS, _CANDIDATES = 24, 8
_PATH_CHARACTERS, _PARTS = 6_000, 100


def case_pictures(
    engine: Engine, frame: Frame, truth: np.ndarray, answer: Segmentation | None,
) -> dict[str, Any]:
    """What the page of a case shows, ready for JSON.

    Args:
        engine: that answered; asked for the attention of every token.
        frame: the picture.
        truth: (H, W) bool.
        answer: None after an error.

    Returns:
        'size' (width, height) of the pixels that paths are given in, 'still' and 'truth'; with an
        answer 'answer', 'rivals', 'root', 'words', 'reason', 'notes', 'score', 'confidence',
        'attention', 'tokens', 'candidates' and 'grasp' as well.
    """
    height, width = frame.size_hw
    shown = {'size': [width, height], 'still': data_uri(frame.image_rgb, _STILL_PX),
             'truth': mask_path(truth)}
    if answer is None:
        return shown
    attention = answer.correlation
    return {
        **shown,
        'answer': mask_path(answer.mask),
        'rivals': [mask_path(answer.proposals[row]) for row in answer.rivals[:_CANDIDATES]],
        'root': answer.expression.root, 'words': _words(engine, answer),
        'reason': answer.reason, 'notes': list(answer.notes),
        'score': _number(answer.score), 'confidence': _number(answer.confidence),
        'attention': None if attention is None else data_uri(
            attention_image(attention), _ATTENTION_PX),
        'tokens': None if attention is None else _tokens(engine, frame, answer),
        'candidates': _candidates(answer, truth),
        'grasp': _grasp(frame, answer) if answer.status.has_mask else None,
    }


def data_uri(image_rgb: np.ndarray, longest_px: int) -> str:
    """A WebP data URI of an (H, W, 3) uint8 picture, shrunk to a longest side."""
    image = require_package('PIL.Image', 'models').fromarray(image_rgb)
    scale = longest_px / max(image.size)
    if scale < 1:
        image = image.resize([max(round(side * scale), 1) for side in image.size])
    buffer = io.BytesIO()
    image.save(buffer, 'WEBP', quality=_QUALITY)
    return f'data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}'


def mask_path(mask: np.ndarray) -> str:
    """The outline of an (H, W) bool mask as an SVG path in pixels, '' for an empty one.

    Holes are outlines of their own (fill rule 'evenodd'). A ragged mask is drawn the coarser, so
    that no path grows beyond a few thousand characters.
    """
    cv2 = require_package('cv2', 'grasp')
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    contours = sorted(contours, key=len, reverse=True)[:_PARTS]
    tolerance_px = max(mask.shape) / 1200
    while True:
        path = ''.join(_closed(cv2.approxPolyDP(contour, tolerance_px, closed=True)[:, 0])
                       for contour in contours)  # (K, 1, 2) -> (K, 2)
        if len(path) <= _PATH_CHARACTERS:
            return path
        tolerance_px *= 1.5


def _closed(points: np.ndarray) -> str:
    """(K, 2) whole pixels as a closed path, each point told by its distance from the last."""
    (u, v), steps = points[0], np.diff(points, axis=0)
    return f'M{u} {v}' + ''.join(f'l{du} {dv}' for du, dv in steps) + 'z'


def _words(engine: Engine, answer: Segmentation) -> str:
    """The words that the root's map was read from: the root, or its whole noun phrase."""
    whole = engine.preset.generative.words == 'phrase' and answer.expression.phrase
    return answer.expression.phrase if whole else answer.expression.root


def _tokens(engine: Engine, frame: Frame, answer: Segmentation) -> dict[str, Any]:
    """Every token with its map, and whether it belongs to the root; or why there are none."""
    try:
        tokens, maps = engine.token_attention(frame, answer.expression)
        models = require(engine.models.diffusion, 'a diffusion model')
        root = root_token_indices(models.tokenizer, answer.expression)
    except RefDiffError as error:
        return {'shown': [], 'more': 0, 'error': str(error)}
    shown = [[token, data_uri(attention_image(each), _TOKEN_PX), place in root]
             for place, (token, each) in enumerate(zip(tokens, maps), 1)  # 0 is the start token
             if place <= _TOKENS]
    return {'shown': shown, 'more': len(tokens) - len(shown), 'error': ''}


def _candidates(answer: Segmentation, truth: np.ndarray) -> dict[str, Any]:
    """The best proposals, best first; those that were not scored are only counted."""
    worth = answer.scores.worth
    scored = np.flatnonzero(np.isfinite(worth))
    rows = scored[np.argsort(-worth[scored], kind='stable')][:_CANDIDATES].tolist()
    return {
        'shown': [_candidate(answer, truth, row) for row in rows],
        'scored': len(scored), 'all': len(answer.proposals)}


def _candidate(answer: Segmentation, truth: np.ndarray, row: int) -> dict[str, Any]:
    mask, given = answer.proposals[row], answer.scores
    by = {'generative': given.generative, 'discriminative': given.discriminative,
          'spatial': given.spatial, 'total': given.total, 'probability': given.probability}
    return {
        'path': mask_path(mask), 'iou': _number(iou(*overlap(mask, truth))),
        'chosen': row == answer.index, 'rival': row in answer.rivals,
        'scores': {name: _number(values[row]) for name, values in by.items()
                   if values is not None and np.isfinite(values[row])}}


def _grasp(frame: Frame, answer: Segmentation) -> dict[str, Any]:
    region = grasp_region(answer.mask, frame.depth_m, frame.camera)
    words = [words for words in (grasp_words(region), region.reason) if words]
    found = {'words': '. '.join(dict.fromkeys(words)), 'valid': region.valid}
    return {**found, **_lines(region)} if region.valid else found


def _lines(region: GraspRegion) -> Mapping[str, Sequence]:
    """Corners, main axis and contacts in pixels, and how good each contact pair is."""
    rectangle = Rectangle((region.center_u, region.center_v), region.length_px, region.width_px,
                          region.angle)
    half = rectangle.axis * region.length_px / 2
    center = np.array(rectangle.center)
    return {
        'corners': _rounded(rectangle.corners), 'axis': _rounded([center - half, center + half]),
        'contacts': [_rounded([[pair.u1, pair.v1], [pair.u2, pair.v2]])
                     for pair in region.candidates[:3]],
        'qualities': [_number(pair.quality) for pair in region.candidates[:3]]}


def _rounded(points: Sequence[Any] | np.ndarray) -> list[list[float]]:
    return np.asarray(points, float).round(1).tolist()


def _number(value: float) -> float | None:
    # JSON knows no NaN.
    return round(float(value), 4) if math.isfinite(value) else None
