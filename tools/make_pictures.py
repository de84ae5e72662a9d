"""Make the pictures of README.md and docs/: a film of an order that is done, how a sentence is
answered, and masks before and after they follow the picture's edges.

    . tools/env.sh && python tools/make_pictures.py          # or: make pictures

The film is that of `refdiff follow`, on a ROS graph. The program ends with status 1 when a picture
would show a mistake. Run it again when the weights or the look of an answer change, the film on a
machine that does nothing else: it shows how long things took. `--no-film` leaves it out.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
import subprocess
import sys
import tempfile
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageSequence

from refdiff_ros.engine import Engine, resolve_preset
from refdiff_ros.errors import RefDiffError
from refdiff_ros.grasp.region import grasp_region
from refdiff_ros.grasp.results import GraspRegion
from refdiff_ros.masks.boxes import window
from refdiff_ros.models.manager import load_bundle
from refdiff_ros.pictures.overlay import attention_image, draw
from refdiff_ros.results import Segmentation
from refdiff_ros.sim.expressions import expressions
from refdiff_ros.sim.render import generate, SceneView

FOLDER = Path(__file__).resolve().parents[1] / 'docs' / 'images'
# A scene in which the sentence has a rival that only its place rules out.
_STILL_SEED, _EXPRESSION = 60_000_140, 'the mug left of the purple can'
_SIZE_HW = (360, 480)
_PANEL_WIDTH, _GAP_PX = 288, 8
# The caption that `draw` writes is too small to be read here, where lines below say the same.
_CAPTION_PX = 40
_DARK, _LIGHT, _GREY = (24, 26, 30), (240, 240, 240), (160, 165, 172)
_EDGES_SEED, _EDGES_SIZE_HW, _EDGES_SHOWN, _TILE_PX = 3, (480, 640), 5, 180
_YELLOW = (255, 230, 0)
# Okabe and Ito's, as in `pictures.overlay`: they stay apart for colour-blind eyes.
_COLOURS = ((230, 159, 0), (0, 158, 115), (204, 121, 167), (0, 114, 178), (213, 94, 0),
            (240, 228, 66), (148, 103, 189), (140, 140, 140))


@dataclass(frozen=True)
class Answered:
    """What a sentence means in a picture, and where to grip it.

    Attributes:
        view: the scene as it was seen, with its truth.
        found: the answer.
        grasp: the grip on its mask.
        row: the object that is meant in truth.
    """

    view: SceneView
    found: Segmentation
    grasp: GraspRegion
    row: int

    @property
    def image_rgb(self) -> np.ndarray:
        """(H, W, 3) uint8, what the camera saw."""
        return self.view.frame.image_rgb


def main() -> int:
    """Make the pictures; 1 when one of them would show a mistake."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--out', type=Path, default=FOLDER, help='default: docs/images')
    parser.add_argument('--no-film', dest='film', action='store_false')
    args = parser.parse_args()
    folder = args.out
    folder.mkdir(parents=True, exist_ok=True)
    models = load_bundle('tabletop_mini')
    engine = Engine(models, resolve_preset(models, 'onboard'))
    answered = answer(engine, _EXPRESSION, generate(_STILL_SEED, _SIZE_HW))
    overlap = overlap_with_truth(answered)
    print(f'still: IoU {overlap:.2f}')
    if overlap < 0.5:
        print('the still is not written: it would show a mistake', file=sys.stderr)
        return 1
    still(answered).save(folder / 'stages.webp', quality=85, method=6)
    edges(engine, generate(_EDGES_SEED, _EDGES_SIZE_HW)).save(
        folder / 'edges.webp', quality=85, method=6)
    written = ['stages.webp', 'edges.webp']
    if not args.film:
        return _tell(folder, written)
    with tempfile.TemporaryDirectory() as name:
        ended = subprocess.run([sys.executable, '-m', 'refdiff_ros.cli', 'follow', '--out', name],
                               check=False)
        if ended.returncode:
            print('the film is not written: the order was not done', file=sys.stderr)
            return 1
        write_film(Path(name, 'follow.gif'), folder / 'follow.webp')
    return _tell(folder, ['follow.webp', *written])


def _tell(folder: Path, names: Sequence[str]) -> int:
    for name in names:
        print(f'{folder / name}: {(folder / name).stat().st_size / 1000:.0f} kB')
    return 0


def write_film(gif: Path, path: Path) -> None:
    """The film of an order as an animated WebP, a tenth of the size; it starts again for ever."""
    with Image.open(gif) as film:
        pictures, milliseconds = [], []
        for picture in ImageSequence.Iterator(film):
            pictures.append(picture.convert('RGB'))
            milliseconds.append(film.info['duration'])
    pictures[0].save(path, save_all=True, append_images=pictures[1:], loop=0, quality=45,
                     method=6, duration=milliseconds)


def answer(engine: Engine, expression: str, view: SceneView) -> Answered:
    """What `expression` means in `view`.

    Raises:
        RefDiffError: the scene has no expression of these words, so the truth is not known.
    """
    rows = [said.row for said in expressions(view) if said.text == expression]
    if not rows:
        raise RefDiffError(f'expected an expression that is true of one object of the scene, got '
                           f'{expression!r}: take one of `sim.expressions`')
    frame = view.frame
    found = engine.segment(frame, expression)
    return Answered(view, found, grasp_region(found.mask, frame.depth_m, frame.camera), rows[0])


def overlap_with_truth(answered: Answered) -> float:
    """IoU of the answered mask with that of the object that is meant."""
    mask, truth = answered.found.mask, answered.view.masks[answered.row]
    return float((mask & truth).sum() / (mask | truth).sum())


def still(answered: Answered) -> Image.Image:
    """Four panels: the sentence, the attention, the proposals, the answer with its grip."""
    image, found = answered.image_rgb, answered.found
    scored = np.flatnonzero(np.isfinite(found.scores.total))
    panels = (
        (image, '1  The sentence', f'\u201c{found.expression.text}\u201d'),
        (_heat(image, found.correlation), '2  Cross-attention',
         f'of \u201c{found.expression.root}\u201d, in the diffusion model'),
        (_proposals(image, found, scored), '3  Masks, scored',
         f'{len(scored)} of SAM; CLIP and place decide'),
        (_drawn(answered), '4  Mask and grip',
         f'{found.status.name}, confidence {found.confidence:.2f}'))
    height = round(_PANEL_WIDTH * _SIZE_HW[0] / _SIZE_HW[1])
    canvas = Image.new(
        'RGB', (len(panels) * (_PANEL_WIDTH + _GAP_PX) + _GAP_PX, height + 66), _DARK)
    pen = ImageDraw.Draw(canvas)
    for column, (picture, title, text) in enumerate(panels):
        left = _GAP_PX + column * (_PANEL_WIDTH + _GAP_PX)
        canvas.paste(Image.fromarray(picture).resize(
            (_PANEL_WIDTH, height), Image.Resampling.LANCZOS), (left, _GAP_PX))
        pen.text((left, height + 26), title, _LIGHT, _font(19), anchor='lm')
        pen.text((left, height + 50), text, _GREY, _font(15), anchor='lm')
    return canvas


def edges(engine: Engine, view: SceneView) -> Image.Image:
    """The masks of a scene's first objects as SAM draws them, and below as they are answered."""
    shipped, columns = engine.preset, []
    for said in expressions(view):
        if said.kind != 'attribute' or len(columns) == _EDGES_SHOWN:
            continue
        masks = []
        for kind in ('model', 'picture'):
            engine.preset = shipped.override({'proposals': {'edges': kind}})
            masks.append(engine.segment(view.frame, said.text, check=False).mask)
        engine.preset = shipped
        truth = view.masks[said.row]
        if min((mask & truth).sum() / (mask | truth).sum() for mask in masks) > 0.5:
            columns.append(np.vstack([_outlined(view.frame.image_rgb, mask, truth)
                                      for mask in masks]))
    return Image.fromarray(np.hstack(columns))


def _outlined(image: np.ndarray, mask: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The square around `truth`, with the outline of `mask`."""
    rows, columns = window(truth)
    width, height = columns.stop - columns.start, rows.stop - rows.start
    half = max(width, height) // 2 + 14
    place = (columns.start + width // 2, rows.start + height // 2)
    size_wh = (_TILE_PX, _TILE_PX)
    shown, drawn = (cv2.resize(
        cv2.copyMakeBorder(part, half, half, half, half, cv2.BORDER_CONSTANT)[
            place[1]:place[1] + 2 * half, place[0]:place[0] + 2 * half],
        size_wh, interpolation=cv2.INTER_NEAREST) for part in (image, mask.astype(np.uint8)))
    contours, _ = cv2.findContours(drawn, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(shown, contours, -1, _YELLOW, 2)


def _proposals(image: np.ndarray, found: Segmentation, rows: np.ndarray) -> np.ndarray:
    """The scored proposals in colours, large ones below, with the scores of the best three."""
    canvas = image.copy()
    for turn, row in enumerate(sorted(rows, key=lambda row: -found.proposals[row].sum())):
        mask, colour = found.proposals[row], np.array(_COLOURS[turn % len(_COLOURS)])
        canvas[mask] = (0.35 * canvas[mask] + 0.65 * colour).astype(np.uint8)
    picture = Image.fromarray(canvas)
    pen = ImageDraw.Draw(picture)
    for row in best_apart(found, rows):
        ys, xs = np.nonzero(found.proposals[row])
        pen.text((float(xs.mean()), float(ys.mean())), f'{found.scores.total[row]:.2f}',
                 'white', _font(22), anchor='mm', stroke_width=3, stroke_fill='black')
    return np.array(picture)


def best_apart(found: Segmentation, rows: np.ndarray, count: int = 3) -> list[int]:
    """The best proposals that do not overlap, best first."""
    chosen: list[int] = []
    for row in sorted(rows, key=lambda row: -found.scores.total[row]):
        if not any((found.proposals[row] & found.proposals[other]).any() for other in chosen):
            chosen.append(row)
    return chosen[:count]


def _drawn(answered: Answered) -> np.ndarray:
    """The mask and the grip over the picture, without attention and caption."""
    canvas = draw(answered.image_rgb, replace(answered.found, correlation=None, notes=()),
                  answered.grasp)
    canvas[:_CAPTION_PX] = answered.image_rgb[:_CAPTION_PX]
    return canvas


def _heat(image: np.ndarray, correlation: np.ndarray) -> np.ndarray:
    weight = 0.25 + 0.55 * np.clip(correlation, 0, 1)[:, :, None]
    return (image * (1 - weight) + attention_image(correlation) * weight).astype(np.uint8)


def _font(size: int) -> Any:
    return ImageFont.load_default(size)


if __name__ == '__main__':
    try:
        sys.exit(main())
    except RefDiffError as error:
        sys.exit(f'make_pictures: {error}')
