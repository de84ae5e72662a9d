"""A tabletop in motion: camera and objects move, and which is where is known."""

from collections.abc import Sequence
from dataclasses import replace
import math

import numpy as np

from refdiff_ros.errors import BadRequestError
from refdiff_ros.sim.mjcf import camera_pose
from refdiff_ros.sim.scene import is_clear, Scene, TABLE_HALF_XY, Thing, View

CAMERAS = 'circles', 'pans', 'stands'
# Largest speeds: of objects in m/s, of the camera in rad/s about the table or itself, and towards
# the table in m/s.
_SLIDE_M_S, _TURN_RAD_S, _APPROACH_M_S = 0.12, 0.2, 0.05
_MOVING_SHARE = 0.5  # of the objects that stand on the table


def moving_scenes(
    scene: Scene, count: int, rate_hz: float, seed: int = 0, camera: str = 'circles',
) -> list[Scene]:
    """`scene` at `count` moments, `rate_hz` a second; the first is `scene` itself.

    An object that meets another one or the table's rim stops. What stands on it goes along.

    Args:
        scene: as from `random_scene`.
        count: 1 or more.
        rate_hz: moments per second.
        seed: draws the motions.
        camera: 'circles' about the table and comes nearer or goes away, 'pans' about itself, or
            'stands'.

    Raises:
        BadRequestError: a count below 1, a rate that is not positive, or another camera.
    """
    if camera not in CAMERAS:
        raise BadRequestError(f'expected a camera of {CAMERAS}, got {camera!r}')
    if count < 1 or not rate_hz > 0:
        raise BadRequestError(
            f'expected a count of 1 or more and a rate above 0 Hz, got {count} and {rate_hz}')
    rng = np.random.default_rng((scene.seed, seed))
    turn = rng.uniform(-1, 1) * _TURN_RAD_S
    approach = rng.uniform(-1, 1) * _APPROACH_M_S
    velocities = [_velocity(rng) if thing.on is None else (0.0, 0.0) for thing in scene.things]
    spins = [rng.uniform(-1, 1) if any(velocity) else 0.0 for velocity in velocities]
    scenes = [scene]
    for _ in range(count - 1):
        last, step_s = scenes[-1], 1 / rate_hz
        things = _slid(last.things, velocities, spins, step_s)
        view = _seen_from(last.view, camera, turn * step_s, approach * step_s)
        scenes.append(replace(last, things=things, view=view))
    return scenes


def _velocity(rng: np.random.Generator) -> tuple[float, float]:
    speed = rng.uniform(0.3, 1) * _SLIDE_M_S if rng.random() < _MOVING_SHARE else 0.0
    angle = rng.uniform(0, 2 * math.pi)
    return speed * math.cos(angle), speed * math.sin(angle)


def _slid(
    things: Sequence[Thing], velocities: Sequence[tuple[float, float]], spins: Sequence[float],
    step_s: float,
) -> tuple[Thing, ...]:
    moved = list(things)
    for row, (velocity, spin) in enumerate(zip(velocities, spins, strict=True)):
        thing = moved[row]
        xy = thing.xy[0] + velocity[0] * step_s, thing.xy[1] + velocity[1] * step_s
        if any(velocity) and _may_stand(xy, row, moved):
            moved[row] = replace(thing, xy=xy, yaw=thing.yaw + spin * step_s)
    return tuple(thing if thing.on is None else replace(thing, xy=moved[thing.on].xy)
                 for thing in moved)


def _may_stand(xy: tuple[float, float], row: int, things: Sequence[Thing]) -> bool:
    reach = things[row].form.radius
    if any(abs(place) + reach > half for place, half in zip(xy, TABLE_HALF_XY, strict=True)):
        return False
    return is_clear(xy, things[row].form, (
        other for number, other in enumerate(things) if number != row and other.on != row))


def _seen_from(view: View, camera: str, turn: float, approach: float) -> View:
    if camera == 'circles':
        return replace(view, azimuth=view.azimuth + turn, distance=view.distance + approach)
    if camera == 'stands':
        return view
    # About the same point it would go elsewhere: the point looked at moves by as much.
    turned = replace(view, azimuth=view.azimuth + turn)
    back = camera_pose(view)[0] - camera_pose(turned)[0]
    x, y = view.target_xy
    return replace(turned, target_xy=(x + back[0], y + back[1]))
