"""Make the pictures of README.md: a film of an order that is done, and how a sentence is answered.

    . tools/env.sh && python tools/make_pictures.py          # or: make pictures

The simulated gripper runs in this process, without a ROS graph. The program ends with status 1,
and writes nothing, when the object that is meant was not found or not lifted. Run it again when
the weights or the look of an answer change.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
import sys
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from refdiff_ros.engine import Engine, resolve_preset
from refdiff_ros.errors import RefDiffError
from refdiff_ros.grasp.region import grasp_region
from refdiff_ros.grasp.results import GraspRegion
from refdiff_ros.language.instruction.reader import read_instruction
from refdiff_ros.models.manager import load_bundle
from refdiff_ros.pick.plan import Reach
from refdiff_ros.pick.sim_robot import SimRobot
from refdiff_ros.pick.stages import Grounding, pick, PickSettings, PickStatus, Stage
from refdiff_ros.pick.verdict import Verdict, verdict
from refdiff_ros.pictures.overlay import attention_image, draw
from refdiff_ros.results import Segmentation
from refdiff_ros.sim.expressions import expressions
from refdiff_ros.sim.gripper_sim import camera_in_base, GripperSim
from refdiff_ros.sim.mjcf import camera_name
from refdiff_ros.sim.render import generate, open_renderer, SceneView
from refdiff_ros.sim.scene import random_scene, Scene

FOLDER = Path(__file__).resolve().parents[1] / 'docs' / 'images'
# Scenes in which each sentence has a rival that only its place rules out.
_FILM_SEED, _ORDER = 60_000_340, 'pick up the ball to the right of the blue ball'
_STILL_SEED, _EXPRESSION = 60_000_140, 'the mug left of the purple can'
_SIZE_HW = (360, 480)
_FRAME_S = 0.1
_BAND_PX, _PANEL_WIDTH, _GAP_PX = 34, 288, 8
# The caption that `draw` writes is too small to be read here, where lines below say the same.
_CAPTION_PX = 40
_DARK, _LIGHT, _GREY = (24, 26, 30), (240, 240, 240), (160, 165, 172)
_MASK = np.array([86, 180, 233])
# Okabe and Ito's, as in `pictures.overlay`: they stay apart for colour-blind eyes.
_COLOURS = ((230, 159, 0), (0, 158, 115), (204, 121, 167), (0, 114, 178), (213, 94, 0),
            (240, 228, 66), (148, 103, 189), (140, 140, 140))
_STAGES = {
    Stage.GROUNDING: 'Where is it?', Stage.APPROACH: 'Approach', Stage.GRASP: 'Grasp',
    Stage.LIFT: 'Lift', Stage.VERIFY: 'Verify: is it still held?', Stage.RETREAT: 'Retreat'}


class FilmedGripper(GripperSim):
    """A simulated gripper whose camera takes a picture every tenth of a second."""

    def __init__(self, scene: Scene, size_hw: tuple[int, int]):
        self._shoot: Callable[[], None] | None = None
        self._left_s = 0.0
        super().__init__(scene, size_hw)

    def film(self, renderer: Any, shoot: Callable[[np.ndarray], None]) -> None:
        """From now on hand `shoot` a picture (H, W, 3) uint8 for each `_FRAME_S` of time."""
        def picture() -> None:
            renderer.update_scene(self.data, camera_name(0))
            shoot(renderer.render().copy())
        self._shoot = picture

    def run(self, seconds: float) -> None:
        """Let that much time pass."""
        while self._shoot is not None and seconds >= self._left_s:
            if self._left_s > 0:
                super().run(self._left_s)
                seconds -= self._left_s
            self._left_s = _FRAME_S
            self._shoot()
        if seconds > 1e-6:
            super().run(seconds)
            self._left_s = max(self._left_s - seconds, 0.0)


class Film:
    """Pictures with a line above (the order) and a line below (what happens).

    Args:
        order: as it was said.
    """

    def __init__(self, order: str):
        self._order = order
        self._frames: list[tuple[Image.Image, int]] = []

    def add(self, image_rgb: np.ndarray, line: str, seconds: float = _FRAME_S,
            order: str | None = None) -> None:
        """Add a picture (H, W, 3) uint8 that stays for `seconds`."""
        height, width = image_rgb.shape[:2]
        canvas = Image.new('RGB', (width, height + 2 * _BAND_PX), _DARK)
        canvas.paste(Image.fromarray(image_rgb), (0, _BAND_PX))
        pen = ImageDraw.Draw(canvas)
        order = self._order if order is None else order
        pen.text((10, _BAND_PX // 2), f'\u201c{order}\u201d', _LIGHT, _font(18), anchor='lm')
        pen.text((10, height + _BAND_PX * 3 // 2), line, _LIGHT, _font(16), anchor='lm')
        self._frames.append((canvas, round(seconds * 1000)))

    def write(self, path: Path) -> None:
        """Write an animated WebP that starts again for ever."""
        first, *others = (picture for picture, _ in self._frames)
        first.save(path, save_all=True, append_images=others, loop=0, quality=55, method=6,
                   duration=[duration for _, duration in self._frames])


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
    """Make both pictures; 1 when one of them would show a mistake."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--out', type=Path, default=FOLDER, help='default: docs/images')
    folder = parser.parse_args().out
    models = load_bundle('tabletop_mini')
    engine = Engine(models, resolve_preset(models, 'onboard'))
    names = [reference.expression for step in read_instruction(_ORDER, models.nlp).steps
             for reference in step.references]
    film, truth = shoot(engine, names[0])
    answered = answer(engine, _EXPRESSION, generate(_STILL_SEED, _SIZE_HW))
    overlap = overlap_with_truth(answered)
    print(f'film: {truth.value}; still: IoU {overlap:.2f}')
    if truth is not Verdict.RIGHT or overlap < 0.5:
        print('nothing written: a picture would show a mistake', file=sys.stderr)
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    film.write(folder / 'pick.webp')
    still(answered).save(folder / 'stages.webp', quality=85, method=6)
    for name in ('pick.webp', 'stages.webp'):
        print(f'{folder / name}: {(folder / name).stat().st_size / 1000:.0f} kB')
    return 0


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


def shoot(engine: Engine, expression: str) -> tuple[Film, Verdict]:
    """Do the order on film: what was said, what was understood, and every motion."""
    film, sim = Film(_ORDER), FilmedGripper(random_scene(_FILM_SEED), _SIZE_HW)
    with open_renderer(sim.mujoco, sim.model, _SIZE_HW) as renderer:
        answered = answer(engine, expression, sim.look(renderer))
        image, found = answered.image_rgb, answered.found
        words = _ORDER.split()
        for count in range(1, len(words) + 1):
            film.add(image, '', 0.16, ' '.join(words[:count]))
        film.add(image, _STAGES[Stage.GROUNDING], 0.8)
        film.add(_drawn(answered),
                 f'{found.status.name}, confidence {found.confidence:.2f}: mask and grip', 2.2)
        return film, _act(answered, sim, renderer, film)


def _act(answered: Answered, sim: FilmedGripper, renderer: Any, film: Film) -> Verdict:
    image, found = answered.image_rgb, answered.found
    line = ''

    def tell(stage: Stage, note: str, _grounding: Grounding | None) -> None:
        nonlocal line
        line = _STAGES[stage]
        print(f'{stage.name}: {note}')

    robot = SimRobot(sim)
    sim.film(renderer, lambda picture: film.add(tinted(picture, image, found.mask), line))
    outcome = pick(
        lambda: Grounding(found.status, found.reason, answered.grasp), robot,
        PickSettings(Reach(), camera_in_base(sim.scene.view)), tell)
    truth = verdict(
        answered.row, outcome.status is PickStatus.REFUSED, sim.raised_m(), robot.peak_m,
        tuple(thing.on for thing in sim.scene.things))
    sim.film(renderer, lambda picture: film.add(
        picture, f'{outcome.status.name}. In truth: {truth.value}.', 2.5))
    sim.run(_FRAME_S)
    return truth


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


def tinted(picture: np.ndarray, answered: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The mask's outline and a tint, where the picture is still the one that was answered.

    So both go away under the hand, and when the object leaves its place.
    """
    same = np.abs(picture.astype(int) - answered).max(axis=2) < 24
    inner = mask.copy()
    for shift, axis in ((2, 0), (-2, 0), (2, 1), (-2, 1)):
        inner &= np.roll(mask, shift, axis)
    weight = np.where(inner, 0.25, 0.9) * (mask & same)
    return (picture * (1 - weight[..., None]) + _MASK * weight[..., None]).astype(np.uint8)


def _font(size: int) -> Any:
    return ImageFont.load_default(size)


if __name__ == '__main__':
    try:
        sys.exit(main())
    except RefDiffError as error:
        sys.exit(f'make_pictures: {error}')
