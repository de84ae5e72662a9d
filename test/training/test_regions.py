"""Masks that show no object: how they are told apart, and what CLIP learns from them."""

from pathlib import Path
import sys

import numpy as np
import pytest
import torch

from refdiff_ros.models.mini_tokenizer import build_tokenizer
from refdiff_ros.models.tabletop import build_clip

# Behind the built workspace, which the source folder must not shadow.
sys.path.append(str(Path(__file__).parents[2]))

from training.tabletop import regions, scenes, views
from training.tabletop.clip import contrastive_loss
from training.tabletop.data import SceneSet


def box(x0, y0, x1, y1):
    mask = np.zeros((40, 60), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def test_a_mask_shows_the_object_that_it_mostly_is_and_nothing_else():
    labels = np.zeros((40, 60), np.uint8)
    labels[box(10, 10, 30, 30)] = 1
    labels[box(30, 10, 50, 30)] = 2
    masks = np.stack([
        box(10, 10, 30, 30), box(30, 10, 50, 29),  # each object
        box(10, 10, 50, 30),  # both: half of it is either
        box(10, 10, 18, 30), box(0, 32, 60, 40),  # a part, the table
        box(10, 10, 24, 30)])  # most of one
    assert regions.shown(masks, labels).tolist() == [1, 2, -1, 0, 0, -1]
    assert regions.shown(masks, np.zeros_like(labels)).tolist() == [0] * 6


@pytest.fixture(scope='module')
def proposed(tmp_path_factory):
    folder = tmp_path_factory.mktemp('scenes')
    scenes.main(['--split', 'tabletop8_train', '--out', str(folder), '--count', '4', '--greys'])
    regions.main(['--bundle', 'tabletop_mini', '--scenes', str(folder), '--count', '3',
                  '--threads', '1'])
    return SceneSet(folder), regions.Regions(folder, (192, 256))


def test_proposals_of_scenes_are_kept_with_what_they_show(proposed):
    found, kept = proposed
    rng = np.random.default_rng(0)
    for row in (0, 1, 2):
        for number in range(1, 1 + len(found.things(row))):
            mask = kept.of(rng, row, number)
            if mask is not None:
                assert regions.shown(mask[None], found.labels[row]).tolist() == [number]
    assert any(kept.of(rng, 0, number) is not None for number in (1, 2, 3, 4))
    assert kept.of(rng, 3, 1) is None  # not asked about
    for _ in range(20):
        row, mask = kept.false(rng)
        assert row in (0, 1, 2)
        assert regions.shown(mask[None], found.labels[row]).tolist() == [0]


def test_no_text_is_true_of_a_view_of_no_object(proposed):
    found, kept = proposed
    rng = np.random.default_rng(0)
    tokenizer = build_tokenizer()
    torch.manual_seed(0)
    clip = build_clip(tokenizer).eval()
    shown = [views.random_view(rng, found, 48, frozenset(), kept) for _ in range(6)]
    assert all(view.pixels.shape == (48, 48, 3) for view in shown)
    false = [views.false_view(rng, found, 48, kept) for _ in range(3)]
    assert all(view.pixels.shape == (48, 48, 3) and view.pixels.std() > 0 for view in false)
    assert not any(view.text or view.said for view in false)
    with torch.no_grad():
        plain, _ = contrastive_loss(clip, tokenizer, shown)
        among, _ = contrastive_loss(clip, tokenizer, shown, false=false)
    assert among > plain  # more to tell apart


def test_what_training_can_never_contradict_is_not_contradicted_by_parts_of_things_either():
    rng = np.random.default_rng(0)
    tokenizer = build_tokenizer()
    torch.manual_seed(0)
    clip = build_clip(tokenizer).eval()

    def view(text, shown, said):
        pixels = rng.integers(0, 256, (48, 48, 3), np.uint8)
        return views.View(pixels, text, frozenset({shown}), frozenset(said))

    shown = [view('the mug', ('red', 'mug'), [(None, 'mug')]),
             view('the red box', ('red', 'box'), [('red', 'box')])]
    unknown = frozenset({('mug', 'black'), ('box', 'black')})

    def loss(*false):
        with torch.no_grad():
            return float(contrastive_loss(clip, tokenizer, shown, unknown, false)[0])
    black, white = (view('', (colour, 'can'), []) for colour in ('black', 'white'))
    assert loss(black) == pytest.approx(loss(), abs=1e-6)
    assert loss(white) > loss() + 0.01
    assert loss(black, white) == pytest.approx(loss(white), abs=1e-6)
