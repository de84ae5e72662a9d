"""Of which objects a generated expression is true, in its own scene and in another."""

from dataclasses import replace

import numpy as np
import pytest

from refdiff_ros.errors import BadRequestError
from refdiff_ros.sim.expression_truth import SceneTruth, shared_expressions
from refdiff_ros.sim.expressions import expressions, SceneExpression
from refdiff_ros.sim.render import render, render_scenes
from refdiff_ros.sim.scene import random_scene, Thing, View
from refdiff_ros.sim.shapes import SHAPES

SIZE = (120, 160)


def _laid(*things):
    """A scene of (shape, colour, x, y) or (..., row of what it stands on); y away from viewer."""
    placed = []
    for shape, colour, x, y, *on in things:
        form = SHAPES[shape](np.random.default_rng(3))
        placed.append(Thing(shape, colour, (x, y), 0.0, form, 0.005 if on else 0.0,
                            on[0] if on else None))
    camera = View((0.0, 0.0), 0.85, np.radians(45), 0.0, np.radians(45))
    return render(replace(random_scene(0), things=tuple(placed), view=camera), SIZE)


@pytest.fixture(scope='module')
def views():
    return list(render_scenes([random_scene(seed) for seed in range(8)], SIZE, depth=False))


def test_in_its_own_scene_an_expression_is_true_of_its_object_alone(views):
    seen = set()
    for view in views:
        for said in expressions(view):
            seen.add(said.kind)
            verdicts = SceneTruth(view).holders(said)
            assert verdicts[said.row] is True and verdicts.count(False) == len(verdicts) - 1
    assert len(seen) == 6


@pytest.fixture(scope='module')
def mugs():
    return _laid(('mug', 'red', -0.22, 0.0), ('mug', 'blue', 0.22, 0.0), ('box', 'green', 0, 0.0))


@pytest.mark.parametrize('said, verdicts', [
    (SceneExpression('the mug', 0, 'plain'), [True, True, False]),
    (SceneExpression('the red mug', 0, 'attribute'), [True, False, False]),
    (SceneExpression('the green mug', 0, 'attribute'), [False] * 3),
    (SceneExpression('the left mug', 0, 'direction', 'left'), [True, False, False]),
    # A person may or may not call a lone box the left one.
    (SceneExpression('the left box', 0, 'direction', 'left'), [False, False, None]),
    (SceneExpression('the left bowl', 0, 'direction', 'left'), [False] * 3),
    (SceneExpression('the second mug from the left', 0, 'ordinal', 'second from left'),
     [False, True, False]),
    (SceneExpression('the third mug from the left', 0, 'ordinal', 'third from left'),
     [False] * 3),
    (SceneExpression('the mug right of the box', 0, 'relation', 'right of'),
     [False, True, False]),
    (SceneExpression('the mug right of the red box', 0, 'relation', 'right of'), [False] * 3)])
def test_verdicts_of_two_mugs_beside_a_box(mugs, said, verdicts):
    assert SceneTruth(mugs).holders(said) == verdicts


def test_of_several_plates_any_may_carry():
    view = _laid(('plate', 'red', -0.2, 0.0), ('plate', 'blue', 0.2, 0.0),
                 ('can', 'green', 0.2, 0.0, 1), ('can', 'red', -0.2, 0.0, 0))
    said = SceneExpression('the can on the plate', 0, 'relation', 'on')
    assert SceneTruth(view).holders(said) == [False, False, True, True]


def test_a_text_that_names_no_shape_is_refused(views):
    with pytest.raises(BadRequestError, match='expected an expression with a shape'):
        SceneTruth(views[0]).holders(SceneExpression('the thing', 0, 'plain'))


def test_what_is_shared_is_true_of_all_that_share_it():
    view = _laid(('mug', 'red', 0.15, -0.1), ('mug', 'red', 0.2, 0.1), ('box', 'green', -0.1, 0.0),
                 ('mug', 'blue', -0.25, 0.0))
    shared = {each.text: each.rows for each in shared_expressions(view)}
    assert shared['the mug'] == (0, 1, 3) and shared['the red mug'] == (0, 1)
    assert shared['the mug right of the box'] == shared['the mug to the right of the box'] == (
        0, 1)
    assert 'the mug left of the box' not in shared and 'the box' not in shared


def test_what_is_shared_is_said_of_nobody_alone(views):
    counted = 0
    for view in views:
        alone = {said.text for said in expressions(view)}
        for shared in shared_expressions(view):
            counted += 1
            said = SceneExpression(shared.text, shared.rows[0], shared.kind, shared.sense)
            assert tuple(np.flatnonzero(SceneTruth(view).holders(said))) == shared.rows
            assert shared.text not in alone
    assert counted > 20


def test_what_a_hidden_object_shares_is_not_asked():
    view = _laid(('mug', 'red', 0.0, 0.0), ('mug', 'blue', 3.0, 0.0))
    assert not view.masks[1].any() and shared_expressions(view) == []
