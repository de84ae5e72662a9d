"""An answer as the operator page shows it."""

from dataclasses import dataclass
import time
from typing import Any

import numpy as np

from refdiff_ros.grasp.rectangle import Rectangle
from refdiff_ros.grasp.results import GraspRegion
from refdiff_ros.language.instruction.door import is_order
from refdiff_ros.pictures.overlay import grasp_words, inner_point
from refdiff_ros.results import Segmentation, Status
from refdiff_ros.ros.answers import Answer, Origin
from refdiff_ros.ros.messages import box_message
from refdiff_ros.ros.web.pictures import attention_png, jpeg, outlines, pack

_CLEAR_PX = 6.0


@dataclass(frozen=True)
class Shown:
    """An answer on its way to the page.

    Attributes:
        answer: the answer.
        number: counts the answers of this server.
        latency_ms: as published with it.
        candidates: most regions listed.
        standing: whether it answers the standing expression, and not a call.
    """

    answer: Answer
    number: int
    latency_ms: float
    candidates: int
    standing: bool = True


def answer_message(shown: Shown, attention: bool) -> bytes:
    """The binary message of an answer: head, its picture, and its attention where asked for."""
    answer = shown.answer
    result, parts = answer.segmentation, []
    head: dict[str, Any] = {
        'what': 'answer', 'number': shown.number, 'standing': shown.standing,
        'stamp': [answer.header.stamp.sec, answer.header.stamp.nanosec],
        'status': answer.status.name, 'carried': answer.origin is Origin.CARRIED,
        'reason': answer.reason, 'expression': answer.expression,
        'latency_ms': shown.latency_ms, 'model_ms': answer.model_ms,
        'notes': list(answer.notes), 'models': f'{answer.bundle}, {answer.preset}, {answer.mode}',
        'grasp': grasp_view(answer.grasp), 'candidates': [], 'mask': [],
        'picture': answer.frame is not None, 'attention': False,
        'order': answer.status is Status.BAD_REQUEST and is_order(answer.expression),
    }
    if answer.frame is not None:
        head['size'] = list(answer.frame.size_hw[::-1])
        parts.append(jpeg(answer.frame.image_rgb))
    if result is not None:
        head['question'] = '' if result.question is None else result.question.text
        head['score'], head['confidence'] = float(result.score), float(result.confidence)
        head['mask'] = outlines(result.mask)
        if result.rivals:
            head['candidates'] = _candidates(result, shown.candidates)
        if attention and result.correlation is not None:
            head['attention'] = True
            parts.append(attention_png(result.correlation))
    head['age_ms'] = (time.monotonic() - answer.received_s) * 1e3
    return pack(head, parts)


def _candidates(result: Segmentation, limit: int) -> list[dict[str, Any]]:
    """Those that are listed, in the order in which the question names them."""
    listed = range(len(result.regions))[:limit]
    return [_candidate(result, place)
            for place in sorted(listed, key=result.numbers.__getitem__)]


def _candidate(result: Segmentation, place: int) -> dict[str, Any]:
    mask, question = result.proposals[result.regions[place]], result.question
    return {
        'outline': outlines(mask), 'point': inner_point(mask), 'box': _box(mask),
        'number': result.numbers[place], 'best': place == 0,
        'probability': result.fits[place] if result.fits else None,
        'description': '' if question is None else question.descriptions[place]}


def _box(mask: np.ndarray) -> list[int]:
    found = box_message(mask)
    return [found.x_offset, found.y_offset, found.width, found.height]


def grasp_view(grasp: GraspRegion | None) -> dict[str, Any] | None:
    """The grasp region in pixels and its sentence; None without one."""
    if grasp is None:
        return None
    view: dict[str, Any] = {'words': grasp_words(grasp), 'valid': bool(grasp.valid)}
    if not grasp.valid:
        return view
    # The frame goes just outside the region, so that it does not cover the mask's outline.
    rectangle = Rectangle((grasp.center_u, grasp.center_v), grasp.length_px + _CLEAR_PX,
                          grasp.width_px + _CLEAR_PX, grasp.angle)
    half = rectangle.axis * grasp.length_px / 2
    center = np.array(rectangle.center)
    view['corners'] = _rounded(rectangle.corners)
    view['axis'] = _rounded(np.stack((center - half, center + half)))
    if grasp.candidates:
        best = grasp.candidates[0]
        view['contacts'] = _rounded(np.array(((best.u1, best.v1), (best.u2, best.v2))))
    return view


def _rounded(points: np.ndarray) -> list[list[float]]:
    return [[round(float(u), 1), round(float(v), 1)] for u, v in points]
