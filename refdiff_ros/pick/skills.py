"""What a hand does with an object that it holds: carry, set down, bring back, point."""

from dataclasses import replace

import numpy as np

from refdiff_ros.pick.place import free_spot, NoPlaceError, Spot
from refdiff_ros.pick.reach import Reach
from refdiff_ros.pick.robot import (
    go_home,
    Held,
    OnCancel,
    over,
    put_back,
    Robot,
    RobotError,
    travel,
)
from refdiff_ros.pick.space import Space, View

# A hand that meets something this far above its place has set the object down on it.
_EARLY_M = 0.035
_SLOW_M = 0.03
# Heights that are as far apart as this are not those of the object that was put there.
_VERIFY_M = 0.035
# The hand points from this far above.
_POINT_M = 0.07


def carry_home(robot: Robot, held: Held) -> None:
    """Bring the object to where the hand waits, out of the camera's sight.

    Raises:
        RobotError, StoppedError: as the robot's.
    """
    travel(robot, robot.home, held.clear_z_m + held.rise_m)


def set_down(robot: Robot, held: Held, spot: Spot) -> None:
    """Bring the object to a place, let go of it, and go up.

    Raises:
        RobotError: something is in the way; the fingers have not opened then.
        StoppedError: as the robot's; likewise.
    """
    travel(robot, over(spot.pose, spot.pose.position[2] + _SLOW_M),
           spot.clear_z_m + held.rise_m)
    try:
        robot.move(spot.pose)
    except RobotError:
        # A bowl's wall or a rim may carry it a little earlier than the picture shows.
        if robot.pose().position[2] - spot.pose.position[2] > _EARLY_M:
            robot.move(over(spot.pose, spot.clear_z_m + held.rise_m))
            raise
        robot.halt()
    # Once the object stands, it is let go of whatever a client wants meanwhile.
    robot.grip(spot.opening_m)
    robot.move(over(spot.pose, spot.clear_z_m))


def stands_there(view: View, spot: Spot, held: Held) -> bool:
    """Whether what is seen at a spot is as high as the object that was put there.

    Of an object whose top is above the picture, as much as the picture can show must be seen.

    Args:
        view: what is seen afterwards.
        spot: where it was put.
        held: what was put there.
    """
    middle = middle_at(spot, held)
    expected = spot.pose.position[2] + held.top_m
    heights = np.linspace(spot.support_z, expected, 20)
    shown = view.shows(np.column_stack([np.tile(middle, (len(heights), 1)), heights]))
    if not shown.any():
        return False
    seen = view.space().highest_around(middle, max(held.radius_m, 0.02))
    # Something that stands in front of a higher thing may look higher, a sunken one lower.
    return bool(heights[shown].max() - _VERIFY_M < seen < expected + _VERIFY_M)


def middle_at(spot: Spot, held: Held) -> np.ndarray:
    """(2,) where the middle of what is held comes to stand."""
    return np.array(spot.pose.position[:2]) + _turned_off(spot, held)


def _turned_off(spot: Spot, held: Held) -> np.ndarray:
    turn = spot.pose.rotation @ held.grasp.rotation.T
    return turn[:2, :2] @ np.array(held.off_m)


def bring_away(robot: Robot, held: Held | None, mode: OnCancel, space: Space | None,
               reach: Reach, clear_z_m: float) -> Held | None:
    """After a cancel or a failure: what is held is set down or kept, and the hand goes home.

    Args:
        robot: what moves; only a stop interrupts it from here on.
        held: what is in the hand.
        mode: what is wanted.
        space: what was seen last, for LOWER; None puts it back instead.
        reach: of the gripper.
        clear_z_m: a height at which the empty hand meets nothing.

    Returns:
        What the hand still holds.

    Raises:
        RobotError, StoppedError: as the robot's; what was held is still held.
    """
    if mode is OnCancel.HOLD:
        return held
    robot.let_finish()
    if held is not None:
        spot = _below(robot, held, space, reach) if mode is OnCancel.LOWER else None
        if spot is not None:
            set_down(robot, held, spot)
        else:
            put_back(robot, held)
    go_home(robot, clear_z_m)
    return None


def _below(robot: Robot, held: Held, space: Space | None, reach: Reach) -> Spot | None:
    if space is None:
        return None
    try:
        return free_spot(space, np.array(robot.pose().position[:2]), held, reach)
    except NoPlaceError:
        return None


def point_at(robot: Robot, space: Space, clear_z_m: float) -> None:
    """Hold the closed fingers above an object, its points being the space's own.

    Raises:
        RobotError, StoppedError: as the robot's.
    """
    points = space.object
    at = np.array([*points[:, :2].mean(0), np.percentile(points[:, 2], 98) + _POINT_M])
    robot.grip(0.0)
    x, y, z = map(float, at)
    travel(robot, replace(robot.home, position=(x, y, z)), clear_z_m)
    robot.wait(1.0)
