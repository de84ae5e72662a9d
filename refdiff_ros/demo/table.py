"""The demo's table: each answer against what the simulator knows."""

from collections.abc import Sequence
from dataclasses import dataclass
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from refdiff_ros.optional import require_package
from refdiff_ros.results import Status
from refdiff_ros.sim.true_grasps import surface_centre

if TYPE_CHECKING:
    from refdiff_ros.demo.client import DemoAnswer
    from refdiff_ros.sim.render import SceneView

LEGEND = """\
IoU: of the answer's mask and the object that is meant, as the simulator knows it
grasp mm: from the grasp pose to the centre of that object's visible surface
total = model + node (waiting, decoding, grasp, messages) + transport; through the topic, total
runs from the image's stamp to the answer's arrival"""
_COLUMNS = ('expression', 'through', 'status', 'score', 'IoU', 'grasp mm', 'total ms', 'model ms',
            'node ms', 'transport ms')
_WIDEST = 38


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        expression: as it was asked.
        through: 'service' or 'topic'.
        status: name of the answer's status.
        score: combined score; NaN without one.
        iou: of the answer's mask and the true instance mask; NaN without a mask.
        grasp_mm: distance of the grasp pose from the centre of the visible surface of the
            object that is meant; NaN without a pose.
        total_ms: from the question to the answer at the client.
        model_ms: of it, in the models.
        latency_ms: of it, in the node, models included.
        note: why a number is missing, or ''.
    """

    expression: str
    through: str
    status: str
    score: float
    iou: float
    grasp_mm: float
    total_ms: float
    model_ms: float
    latency_ms: float
    note: str = ''

    @property
    def answered(self) -> bool:
        """Whether the models gave an answer, be it that nothing fits."""
        return self.status in (Status.FOUND.name, Status.NOT_FOUND.name, Status.AMBIGUOUS.name)

    def cells(self) -> tuple[str, ...]:
        """The line's texts, in the order of the columns."""
        text = self.expression
        if len(text) > _WIDEST:
            text = text[:_WIDEST - 3] + '...'
        return (text, self.through, self.status, _number(self.score, 3), _number(self.iou, 2),
                _number(self.grasp_mm, 1), _number(self.total_ms, 1), _number(self.model_ms, 1),
                _number(self.latency_ms - self.model_ms, 1),
                _number(self.total_ms - self.latency_ms, 1))


def row(text: str, answer: 'DemoAnswer', view: 'SceneView', truth_row: int,
        through_topic: bool) -> Row:
    """The line of one answer; `truth_row` is the object of `view` that is meant."""
    truth = view.masks[truth_row]
    grasp_mm = math.nan
    if _has_pose(answer):
        at = answer.grasp.pose.position
        grasp_mm = 1000 * float(np.linalg.norm(
            np.array([at.x, at.y, at.z]) - surface_centre(view, truth)))
    return Row(
        text, 'topic' if through_topic else 'service', answer.status.name, answer.mask.score,
        iou(answer.pixels(), truth) if answer.status.has_mask else math.nan, grasp_mm,
        answer.total_ms, answer.mask.model_ms, answer.mask.latency_ms, _note(answer))


def _note(answer: 'DemoAnswer') -> str:
    if not answer.status.has_mask:
        return answer.mask.reason
    return '' if _has_pose(answer) else f'no grasp pose: {answer.grasp.pose_reason}'


def _has_pose(answer: 'DemoAnswer') -> bool:
    grasp = answer.grasp
    return grasp.pose_status == type(grasp).POSE_VALID  # the class has the message's constants


def write_picture(path: Path, image_rgb: np.ndarray) -> None:
    """Write an (H, W, 3) uint8 RGB picture; the folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    require_package('PIL.Image', 'models').fromarray(image_rgb).save(path)


def table(rows: Sequence[Row]) -> str:
    """The table as text, columns aligned: words to the left, numbers to the right."""
    cells = [_COLUMNS, *(row.cells() for row in rows)]
    widths = [max(len(line[k]) for line in cells) for k in range(len(_COLUMNS))]
    lines = ['  '.join(text.ljust(width) if k < 3 else text.rjust(width)
                       for k, (text, width) in enumerate(zip(line, widths, strict=True)))
             for line in cells]
    notes = [f'  {row.expression}: {row.note}' for row in rows if row.note]
    return '\n'.join([lines[0], '-' * len(lines[0]), *lines[1:], *notes])


def iou(mask: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union of two (H, W) bool masks; NaN when the sizes differ or both are
    empty.
    """
    if mask.shape != truth.shape or not (mask | truth).any():
        return math.nan
    return float((mask & truth).sum() / (mask | truth).sum())


def slug(text: str) -> str:
    """A file name's part from an expression: letters and digits, joined by '_'."""
    plain = ''.join(c if c.isascii() and c.isalnum() else ' ' for c in text.lower())
    return '_'.join(plain.split())[:60] or 'expression'


def _number(value: float, digits: int) -> str:
    return '-' if math.isnan(value) else f'{value:.{digits}f}'
