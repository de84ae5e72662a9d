"""The shipped bundles answer as well as when they were shipped."""

import json

import numpy as np
import pytest

from refdiff_ros.engine import Engine, resolve_preset
from refdiff_ros.evaluation.metrics.iou import mean_iou, overlap
from refdiff_ros.evaluation.run import answer_samples
from refdiff_ros.evaluation.tabletop.samples import tabletop_samples
from refdiff_ros.models.manager import load_bundle
from refdiff_ros.models.tabletop import overrides_of

# Of each bundle and set: mIoU of the best region, and the share FOUND, of its first 60 cases.
_SHIPPED = {
    ('tabletop_mini', 'val'): (0.909, 0.95),
    ('tabletop_wide', 'tabletop20_val'): (0.876, 0.92),
}


@pytest.fixture(scope='module', params=_SHIPPED, ids=lambda found: found[0])
def shipped(request):
    name, split = request.param
    models = load_bundle(name, device='cpu')
    return Engine(models, resolve_preset(models, 'onboard')), split


def test_mean_iou_and_refusals_on_sixty_validation_cases_have_not_got_worse(shipped):
    engine, split = shipped
    best, found_share = _SHIPPED[engine.models.name, split]
    overlaps = []

    def keep(answer, reply):
        # The best region, whether or not it was refused.
        found = reply.segmentation
        overlaps.append(overlap(found.proposals[found.index], reply.truth))
    found = answer_samples(engine, tabletop_samples(split, 60), keep)
    assert not any(case.error for case in found)
    assert mean_iou(*zip(*overlaps)) > best - 0.03
    # Each expression is true of one object.
    assert np.mean([case.status == 'FOUND' for case in found]) > found_share - 0.05


def test_the_bundle_takes_what_its_training_would_ship(shipped):
    models = shipped[0].models
    taken = {preset: dict(sections) for preset, sections in models.overrides.items()}
    assert taken['onboard'].pop('calibration')['mode'] == 'full'
    written = json.loads(json.dumps(overrides_of(models.name)))  # tuples as lists
    assert json.loads(json.dumps(taken)) == written


def test_the_bundle_is_small_trained_and_says_what_it_knows(shipped):
    models = shipped[0].models
    assert models.trained and 'simulation' in models.notice and 'sd15_vit_h' in models.notice
    assert models.name in models.notice
