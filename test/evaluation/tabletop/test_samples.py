"""The tabletop set as samples: the same questions, pictures and truths."""

import pickle

import numpy as np
import pytest

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.tabletop.cases import cases
from refdiff_ros.evaluation.tabletop.samples import tabletop_samples
from refdiff_ros.sim.splits import HELD_OUT

SIZE = (48, 64)


@pytest.mark.parametrize('split, half, count', [('val', 'all', 4), ('test', 'unseen', 1)])
def test_samples_are_the_cases(split, half, count):
    samples = list(tabletop_samples(split, count, half, SIZE))
    asked = list(cases(split, count, half, SIZE))
    assert len(samples) == len(asked) == count
    assert len({sample.sample_id for sample in samples}) == count
    assert samples[0].sample_id == f'{samples[0].image_id}_0'
    for sample, (view, said, scene) in zip(samples, asked, strict=True):
        frame, truth = pickle.loads(pickle.dumps(sample)).load()
        assert np.array_equal(frame.image_rgb, view.frame.image_rgb)
        assert frame.image_rgb.flags.writeable and frame.camera == view.frame.camera
        assert np.array_equal(truth, view.masks[said.row])
        assert (sample.expression, sample.image_id) == (said.text, f'{split}_{scene}')
        thing = view.objects[said.row]
        unseen = (thing.shape, thing.colour) in HELD_OUT
        assert sample.tags['half'] == ('unseen' if unseen else 'seen')
        assert sample.tags['kind'] == said.kind and sample.tags.get('sense', '') == said.sense


def test_a_half_that_there_is_not_is_refused():
    with pytest.raises(BadRequestError, match="expected half 'all'"):
        next(tabletop_samples('val', 1, 'unseen'))
