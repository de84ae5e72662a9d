"""The shipped bundle answers as well as when it was shipped."""

import pytest

from refdiff_ros.engine import Engine, resolve_preset
from refdiff_ros.evaluation.mean_iou import mean_iou
from refdiff_ros.evaluation.tabletop import cases, evaluate
from refdiff_ros.models.manager import load_bundle
from refdiff_ros.presets import Mode

# `refdiff evaluate tabletop --split val --limit 60 --mode full`
_SHIPPED = 0.764


@pytest.fixture(scope='module')
def engine():
    models = load_bundle('tabletop_mini', device='cpu')
    return Engine(models, resolve_preset(models, 'onboard'))


def test_mean_iou_on_sixty_validation_cases_has_not_fallen(engine):
    found = evaluate(engine, cases('val', 60), Mode.FULL)
    assert not any(case.error for case in found)
    measured = mean_iou([case.intersection for case in found], [case.union for case in found])
    assert measured > _SHIPPED - 0.03


def test_the_bundle_is_small_trained_and_says_what_it_knows(engine):
    models = engine.models
    assert models.trained and 'simulation' in models.notice and 'sd15_vit_h' in models.notice
