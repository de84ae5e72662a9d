"""The shipped bundle answers as well as when it was shipped."""

import numpy as np
import pytest

from refdiff_ros.engine import Engine, resolve_preset
from refdiff_ros.evaluation.metrics.iou import mean_iou, overlap
from refdiff_ros.evaluation.run import answer_samples
from refdiff_ros.evaluation.tabletop.samples import tabletop_samples
from refdiff_ros.models.manager import load_bundle

# `refdiff evaluate tabletop --split val --limit 60 --mode full`
_SHIPPED = 0.788
# Of the same cases, `--set selection.decide=calibrated`.
_SHIPPED_FOUND = 0.83


@pytest.fixture(scope='module')
def engine():
    models = load_bundle('tabletop_mini', device='cpu')
    return Engine(models, resolve_preset(models, 'onboard'))


def test_mean_iou_and_refusals_on_sixty_validation_cases_have_not_got_worse(engine):
    overlaps = []

    def keep(answer, reply):
        # The best region, whether or not it was refused.
        found = reply.segmentation
        overlaps.append(overlap(found.proposals[found.index], reply.truth))
    found = answer_samples(engine, tabletop_samples('val', 60), keep)
    assert not any(case.error for case in found)
    assert mean_iou(*zip(*overlaps)) > _SHIPPED - 0.03
    # Each expression is true of one object.
    assert np.mean([case.status == 'FOUND' for case in found]) > _SHIPPED_FOUND - 0.05


def test_the_bundle_is_small_trained_and_says_what_it_knows(engine):
    models = engine.models
    assert models.trained and 'simulation' in models.notice and 'sd15_vit_h' in models.notice
