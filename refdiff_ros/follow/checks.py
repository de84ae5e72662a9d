"""What can be known before the first motion: what can be gripped, and where it has a place."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from refdiff_ros.follow.results import Entity, FollowStatus
from refdiff_ros.follow.situation import EndError, Situation
from refdiff_ros.follow.tasks import Kind, Task, Where
from refdiff_ros.grasp.region import grasp_region
from refdiff_ros.pick.place import NoPlaceError
from refdiff_ros.pick.plan import NoGraspError, plan_grasp
from refdiff_ros.pick.robot import Held
from refdiff_ros.pick.stages import held_by


def check_task(now: Situation, task: Task, entities: Mapping[int, Entity],
               held: Held | None) -> Held | None:
    """Refuse what cannot be gripped or has no place.

    Args:
        now: the situation before the first motion.
        task: one of the order.
        entities: what its rows mean.
        held: what the hand will hold before it.

    Returns:
        What the hand will hold after it.

    Raises:
        EndError: REFUSED.
    """
    entity = now.theme(task, entities)
    if task.kind is Kind.POINT:
        return held
    in_hand = held is not None and (entity.held or held.name == entity.name)
    if held is not None and not in_hand:
        raise EndError(FollowStatus.REFUSED, f'the hand holds {held.name}: say where it goes '
                       f'before {entity.name} is taken', 'parse')
    if not in_hand and task.where is Where.BACK:
        raise EndError(FollowStatus.REFUSED,
                       f'{entity.name} is not in the hand, so it cannot be put back', 'parse')
    if held is None:
        held = _would_hold(now, entity)
    if task.kind is Kind.PICK:
        return held
    if task.kind is Kind.PLACE:
        _would_fit(now, task, entities, entity, held)
    return None


def _would_hold(now: Situation, entity: Entity) -> Held:
    mask, view = entity.mask, now.view
    if mask is None or view is None:  # it was put down in an order before this one
        candidate, view = now.find_again(entity)
        mask = candidate.mask
    region = grasp_region(mask, view.depth_m.astype(np.float64), view.camera)
    try:
        plan = plan_grasp(region, view.pose, now.settings.reach, view.space(mask))
    except NoGraspError as error:
        raise EndError(FollowStatus.REFUSED, f'{entity.name}: {error}', 'grasp') from error
    return replace(held_by(plan), name=entity.name)


def _would_fit(now: Situation, task: Task, entities: Mapping[int, Entity], entity: Entity,
               held: Held) -> None:
    if task.where is Where.BACK:
        return
    try:
        now.spot(task, [entities[row] for row in task.anchors], entity, held,
                 now.view or now.world.look(), entity.mask if not entity.held else None)
    except NoPlaceError as error:
        raise EndError(FollowStatus.REFUSED, str(error), 'place') from error
