"""Contact sheets: the worst, the best and randomly drawn cases as pictures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from refdiff_ros.errors import RefDiffError
from refdiff_ros.evaluation.run import Answer, Reply
from refdiff_ros.evaluation.tabletop.samples import scene_of
from refdiff_ros.optional import require_package

_CASES, _COLUMNS = 12, 4
_CELL_PX = 384  # width of a cell's picture
_FONT_PX = 17
# Okabe and Ito's yellow and sky blue.
_TRUTH, _ANSWER, _CASING = (240, 228, 66), (86, 180, 233), (20, 20, 20)


@dataclass(frozen=True)
class _Shown:
    case: Answer
    image_rgb: np.ndarray
    truth: np.ndarray
    answer: np.ndarray


class ContactSheets:
    """Collects cases and writes `worst.png`, `best.png` and `random.png`.

    Args:
        seed: of the random sheet.
    """

    def __init__(self, seed: int = 0):
        self._rng = np.random.default_rng(seed)
        self._seen = 0
        self._worst: list[_Shown] = []
        self._best: list[_Shown] = []
        self._random: list[_Shown] = []

    @property
    def cases(self) -> dict[str, list[Answer]]:
        """The cases of each sheet, by its name."""
        return {name: [shown.case for shown in sheet] for name, sheet in self._sheets().items()}

    def _sheets(self) -> dict[str, list[_Shown]]:
        return {'worst': self._worst, 'best': self._best, 'random': self._random}

    def add(self, answer: Answer, reply: Reply) -> None:
        """Take one case in; an `on_answer` of `answer_samples`. One without picture is no case."""
        found, frame, truth = reply.segmentation, reply.frame, reply.truth
        if frame is None or truth is None:
            return
        shown = _Shown(answer, frame.image_rgb, truth,
                       np.zeros_like(truth) if found is None else found.mask)
        self._worst = sorted([*self._worst, shown], key=lambda s: s.case.iou)[:_CASES]
        self._best = sorted([*self._best, shown], key=lambda s: -s.case.iou)[:_CASES]
        # Reservoir sampling: each case so far is in with the same chance.
        self._seen += 1
        if len(self._random) < _CASES:
            self._random.append(shown)
        elif (slot := int(self._rng.integers(self._seen))) < _CASES:
            self._random[slot] = shown

    def write(self, folder: Path) -> list[Path]:
        """Write the sheets; the folder is made. Nothing is written without cases.

        Raises:
            RefDiffError: a sheet cannot be written, as on a full disk.
        """
        paths = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, shown in self._sheets().items():
                if shown:
                    paths.append(folder / f'{name}.png')
                    _sheet(shown).save(paths[-1])
        except OSError as error:
            raise RefDiffError(f'expected to write sheets to {folder}, got: {error}') from error
        return paths


def _sheet(shown: list[_Shown]) -> Any:
    image_module = require_package('PIL.Image', 'models')
    cells = [_cell(each) for each in shown]
    height, width = max(cell.size[1] for cell in cells), _CELL_PX
    rows = -(-len(cells) // _COLUMNS)
    sheet = image_module.new('RGB', (min(len(cells), _COLUMNS) * width, rows * height))
    for k, cell in enumerate(cells):
        sheet.paste(cell, (k % _COLUMNS * width, k // _COLUMNS * height))
    return sheet


def _cell(shown: _Shown) -> Any:
    image_module = require_package('PIL.Image', 'models')
    height, width = shown.truth.shape
    size = (_CELL_PX, round(height * _CELL_PX / width))
    picture = np.array(image_module.fromarray(shown.image_rgb).resize(size))
    for mask, colour in ((shown.truth, _TRUTH), (shown.answer, _ANSWER)):
        large = np.array(image_module.fromarray(mask).resize(size))
        rim = _grown(large, 2) & ~large
        picture[_grown(rim, 1) & ~large] = _CASING
        picture[rim] = colour
    caption = 2 * (_FONT_PX + 5)
    cell = image_module.new('RGB', (size[0], size[1] + caption), (30, 30, 30))
    cell.paste(image_module.fromarray(picture), (0, caption))
    pen = require_package('PIL.ImageDraw', 'models').Draw(cell)
    font = require_package('PIL.ImageFont', 'models').load_default(_FONT_PX)
    pen.text((5, 2), shown.case.expression, fill=(255, 255, 255), font=font)
    line = f'IoU {shown.case.iou:.2f}  {shown.case.status}  scene {scene_of(shown.case)}'
    pen.text((5, _FONT_PX + 6), line, fill=(190, 190, 190), font=font)
    for text, colour, right in (('truth', _TRUTH, 108), ('answer', _ANSWER, 64)):
        pen.text((size[0] - right, _FONT_PX + 6), text, fill=colour, font=font)
    return cell


def _grown(mask: np.ndarray, pixels: int) -> np.ndarray:
    """(H, W) bool mask grown by some pixels to all sides."""
    for _ in range(pixels):
        padded = np.pad(mask, 1)
        mask = (padded[1:-1, 1:-1] | padded[:-2, 1:-1] | padded[2:, 1:-1]
                | padded[1:-1, :-2] | padded[1:-1, 2:])
    return mask
