"""Accuracy of the grasp region on simulated tabletops, from true masks.

    python bench/grasp_accuracy.py --objects 300 --json out/grasp_accuracy.json

What is compared with what:

position  The pose's position against the centre of the visible surface: the mean over the pixels
          of the true mask of the points that the noiseless depth gives, mm.
width     `width_m` against the extent of the object's whole geometry (all its vertices, hidden
          ones too: handles, the far side) along the pose's x axis, the closing direction that
          was chosen; signed error in percent, and its absolute value.
opening   `width_m` of the best candidate, against the extent along its closing direction of the
          geometry within 5 mm of the closing plane; absolute error, percent.
axis      Angle between the main axis in the picture and the projection of the object's true
          axis, and in space between the pose's y and that axis, degrees. Only for objects that
          have one: bottles and cans (upright axis of revolution), bananas (their chord), and
          boxes at least 1.5 times as long as wide and high; and seen at 45 degrees or more from
          end-on. Mugs, bowls, plates and balls have none.

Objects with less than 90 % of their outline visible are counted apart ('occluded'): the outline
that a mask shows is then not that of the object. Objects cut off by the image are left out.

Noisy depth is that of the simulated camera (`refdiff_ros.sim.depth_noise`): noise of 2 mm at 1 m
that grows with the square of the distance, holes, and flying or missing pixels at every rim.
"""

import argparse
from collections.abc import Iterator
from dataclasses import asdict, dataclass
import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from refdiff_ros.grasp.region import grasp_region
from refdiff_ros.grasp.results import GraspRegion
from refdiff_ros.results import Camera
from refdiff_ros.sim.depth_noise import sensor_depth
from refdiff_ros.sim.render import generate, SceneView
from refdiff_ros.sim.true_grasps import surface_centre, true_axis

_MIN_VISIBLE = 0.9
_MIN_PIXELS = 200


@dataclass(frozen=True)
class Case:
    """Errors of one object; NaN where a quantity is not defined."""

    seed: int
    shape: str
    depth: str
    visible: float
    pose: bool
    position_mm: float
    width_signed_pct: float
    width_pct: float
    opening_pct: float
    axis_image_deg: float
    axis_space_deg: float


def geometry(view: SceneView, row: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Points of an object's surface (V, 3), and its parts' pieces of outline, optical frame."""
    thing, truth = view.scene.things[row], view.objects[row]
    pieces = []
    for part in thing.form.parts:
        if part.kind == 'mesh':
            vertices = part.mesh.vertices
            pieces += list(_triangles(vertices[part.mesh.faces]))  # F x (60, 3)
        elif part.kind == 'box':
            pieces.append(_box_surface(part.half_sizes) + part.position)
        else:
            pieces.append(_sphere() * part.half_sizes + part.position)
    pieces = [piece @ truth.rotation.T + truth.base for piece in pieces]
    return np.concatenate(pieces), pieces


def _triangles(corners: np.ndarray, steps: int = 20) -> np.ndarray:
    """(F, 3 steps, 3) points along the edges of (F, 3, 3) triangles."""
    share = np.arange(steps)[:, None] / steps
    edges = [corners[:, k, None] * (1 - share) + corners[:, (k + 1) % 3, None] * share
             for k in range(3)]
    return np.concatenate(edges, 1)


def _box_surface(half: tuple[float, float, float], steps: int = 25) -> np.ndarray:
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, steps)] * 3), -1).reshape(-1, 3)
    return grid[np.abs(grid).max(1) == 1] * half


def _sphere(steps: int = 60) -> np.ndarray:
    polar, around = np.meshgrid(np.linspace(0, np.pi, steps), np.linspace(0, 2 * np.pi, steps))
    return np.stack([np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around),
                     np.cos(polar)], -1).reshape(-1, 3)


def whole_mask(pieces: list[np.ndarray], camera: Camera) -> np.ndarray:
    """(H, W) bool: the pixels that the object would cover with nothing before it."""
    mask = np.zeros((camera.height, camera.width), np.uint8)
    for piece in pieces:
        uv = piece[:, :2] / piece[:, 2:] * (camera.fx, camera.fy) + (camera.cx, camera.cy)
        hull = cv2.convexHull(uv.astype(np.float32))
        cv2.fillConvexPoly(mask, np.rint(hull).astype(np.int32), 1)
    return mask.astype(bool)


def axis_errors(region: GraspRegion, axis: np.ndarray, centre: np.ndarray,
                camera: Camera) -> tuple[float, float]:
    """Degrees between main axis and truth, in the picture and in space."""
    ends = np.stack([centre - axis * 0.01, centre + axis * 0.01])
    uv = ends[:, :2] / ends[:, 2:] * (camera.fx, camera.fy)
    du, dv = uv[1] - uv[0]
    image = abs(math.degrees(math.remainder(math.atan2(dv, du) - region.angle, math.pi)))
    space = math.degrees(math.acos(min(abs(region.pose.rotation[:, 1] @ axis), 1.0)))
    return image, space if region.pose_valid else math.nan


def measure(view: SceneView, row: int, depth: np.ndarray, kind: str) -> Case | None:
    """Errors of one object, None for one that is cut off or hardly seen."""
    mask, camera = view.masks[row], view.frame.camera
    border = mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any()
    if mask.sum() < _MIN_PIXELS or border:
        return None
    surface, pieces = geometry(view, row)
    visible = float(min(mask.sum() / whole_mask(pieces, camera).sum(), 1))
    region = grasp_region(mask, depth, camera)
    centre = surface_centre(view, mask)
    position = width = opening = image = space = math.nan
    if region.pose_valid:
        position = 1000 * float(np.linalg.norm(region.pose.position - centre))
        extent = np.ptp(surface @ region.pose.rotation[:, 0])
        width = 100 * (region.width_m / extent - 1)
        opening = _opening_error(region, surface)
    axis = true_axis(view.objects[row])
    if axis is not None:
        image, space = axis_errors(region, axis, view.objects[row].centre, camera)
    return Case(view.scene.seed, view.objects[row].shape, kind, visible, region.pose_valid,
                position, width, abs(width), opening, image, space)


def _opening_error(region: GraspRegion, surface: np.ndarray) -> float:
    best = next((c for c in region.candidates if c.pose_valid), None)
    if best is None:
        return math.nan
    local = (surface - best.pose.position) @ best.pose.rotation
    slab = local[np.abs(local[:, 1]) < 0.005, 0]
    return abs(100 * (best.width_m / np.ptp(slab) - 1)) if len(slab) > 3 else math.nan


def cases(first_seed: int, objects: int) -> Iterator[Case]:
    """Cases of clean and noisy depth for at least `objects` objects."""
    seed, done = first_seed, 0
    while done < objects:
        view = generate(seed)
        noisy = sensor_depth(view.frame.depth_m, np.random.default_rng([seed, 2]))
        for row in range(len(view.objects)):
            clean_case = measure(view, row, view.frame.depth_m, 'clean')
            if clean_case is None:
                continue
            done += 1
            yield clean_case
            yield measure(view, row, noisy, 'noisy')
        seed += 1


def summary(found: list[Case]) -> dict[str, float]:
    """Counts, medians and 90th percentiles of a group."""
    result: dict[str, float] = {'objects': len(found), 'poses': sum(c.pose for c in found)}
    for name in ('position_mm', 'width_signed_pct', 'width_pct', 'opening_pct',
                 'axis_image_deg', 'axis_space_deg'):
        values = np.array([getattr(c, name) for c in found])
        values = values[np.isfinite(values)]
        result[f'{name}_n'] = len(values)
        result[f'{name}_median'] = float(np.median(values)) if len(values) else math.nan
        result[f'{name}_p90'] = float(np.percentile(values, 90)) if len(values) else math.nan
    return result


def groups(found: list[Case]) -> dict[str, dict[str, float]]:
    """Summaries of clean and noisy depth, visible and occluded, and by shape."""
    result = {}
    for kind in ('clean', 'noisy'):
        here = [c for c in found if c.depth == kind]
        visible = [c for c in here if c.visible >= _MIN_VISIBLE]
        result[f'{kind}, visible'] = summary(visible)
        result[f'{kind}, occluded'] = summary([c for c in here if c.visible < _MIN_VISIBLE])
        result[f'{kind}, all'] = summary(here)
        for shape in sorted({c.shape for c in visible}):
            result[f'{kind}, visible {shape}'] = summary([c for c in visible if c.shape == shape])
    return result


def table(found: dict[str, dict[str, float]]) -> str:
    """Medians and 90th percentiles, a line a group."""
    lines = [f'{"":<24}{"n":>5}{"poses":>7}{"position mm":>15}{"width %":>15}{"signed":>8}'
             f'{"opening %":>15}{"axis image deg":>21}{"axis space deg":>16}']
    for name, s in found.items():
        def pair(key: str, s: dict = s) -> str:
            return f'{s[key + "_median"]:.1f} / {s[key + "_p90"]:.1f}'
        lines.append(
            f'{name:<24}{s["objects"]:>5}{s["poses"]:>7}{pair("position_mm"):>15}'
            f'{pair("width_pct"):>15}{s["width_signed_pct_median"]:>8.1f}'
            f'{pair("opening_pct"):>15}{pair("axis_image_deg"):>15}'
            f' {"(" + str(s["axis_image_deg_n"]) + ")":>5}{pair("axis_space_deg"):>16}')
    return '\n'.join(lines)


def main() -> None:
    """Measure, print the table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--objects', type=int, default=300)
    parser.add_argument('--first-seed', type=int, default=10_000,
                        help='seeds below 1000 were used for tuning')
    parser.add_argument('--json', type=Path, help='file for all numbers')
    args = parser.parse_args()
    found = list(cases(args.first_seed, args.objects))
    result = groups(found)
    print('median / 90th percentile')
    print(table(result))
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(_plain(
            {'groups': result, 'cases': [asdict(c) for c in found]}), indent=1) + '\n')


def _plain(value: Any) -> Any:
    """The same with null for NaN, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


if __name__ == '__main__':
    main()
