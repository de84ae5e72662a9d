"""Training of the tabletop bundle: data, captions, views, and a loop that can be stopped."""

import argparse
import json
from pathlib import Path
import sys

import numpy as np
import pytest
import torch
from torch import nn

from refdiff_ros.models import tabletop
from refdiff_ros.models.sam_config import build_sam
from refdiff_ros.sim.splits import HELD_OUT

# Behind the built workspace, which the source folder must not shadow.
sys.path.append(str(Path(__file__).parents[2]))

from training.tabletop import loop, scenes, unet, views
from training.tabletop.captions import caption
from training.tabletop.data import SceneSet, Thing
from training.tabletop.sam import prompts, refined


def thing(shape, colour, box=(0.1, 0.1, 0.2, 0.2), depth_m=1.0):
    return Thing(shape, colour, None, box, 100, depth_m)


@pytest.fixture(scope='module')
def rendered(tmp_path_factory):
    folder = tmp_path_factory.mktemp('scenes')
    scenes.main(['--split', 'train', '--out', str(folder), '--count', '18'])
    return folder


def test_scenes_have_pictures_labels_and_objects_without_held_out_pairs(rendered):
    found = SceneSet(rendered)
    assert list(found.rows) == list(range(18))
    for row in found.rows:
        things = found.things(row)
        assert found.labels[row].max() <= len(things)
        assert not HELD_OUT & {(t.shape, t.colour) for t in things}
        counts = [np.count_nonzero(found.labels[row] == n + 1) for n in range(len(things))]
        assert counts == [t.pixels for t in things]
        assert found.images[row].std() > 5


def test_rendering_goes_on_where_it_was_stopped_and_gives_the_same(rendered, tmp_path):
    scenes.main(['--split', 'train', '--out', str(tmp_path), '--count', '18'])
    done = np.load(tmp_path / 'done.npy', mmap_mode='r+')
    first = np.load(tmp_path / 'images.npy')
    (tmp_path / 'objects' / '00001.json').unlink()
    np.load(tmp_path / 'images.npy', mmap_mode='r+')[16:] = 0
    done[1] = 0
    scenes.main(['--split', 'train', '--out', str(tmp_path), '--count', '18'])
    np.testing.assert_array_equal(np.load(tmp_path / 'images.npy'), first)
    np.testing.assert_array_equal(np.load(rendered / 'images.npy'), first)


def test_a_folder_of_another_count_is_refused(rendered):
    with pytest.raises(SystemExit, match='another count than 40'):
        scenes.main(['--split', 'train', '--out', str(rendered), '--count', '40'])


def test_captions_name_only_what_is_there():
    things = [thing('mug', 'red'), thing('box', 'blue', (0.6, 0.5, 0.8, 0.7), 0.8)]
    said = {caption(np.random.default_rng(n), things) for n in range(300)}
    words = set(' '.join(said).replace(',', '').split())
    assert {'mug', 'box', 'red', 'blue', 'left', 'right'} <= words
    assert not words & {'can', 'plate', 'green', 'white', 'bottle'}
    assert any(text.endswith(('left of a blue box', 'left of the blue box')) for text in said)
    assert not any('mug right of' in text or 'box left of' in text for text in said)
    assert '' in said


def test_a_caption_without_objects_speaks_of_the_table():
    said = {caption(np.random.default_rng(n), []) for n in range(50)}
    assert all(text == '' or 'table' in text or 'floor' in text for text in said)


def test_a_window_is_captioned_by_what_it_shows_alone():
    latents = np.zeros((4, 48, 48), np.float16)
    left, right = thing('mug', 'red', (0.0, 0.4, 0.1, 0.6)), thing('box', 'blue', (0.9, .4, 1, .6))
    texts = [unet.window(np.random.default_rng(n), latents, (left, right), 16)[1]
             for n in range(200)]
    assert not any('mug' in text and 'box' in text for text in texts)
    assert any('mug' in text for text in texts) and any('box' in text for text in texts)


def test_prompts_ask_for_the_object_under_the_point():
    labels = np.zeros((96, 128), np.uint8)
    labels[30:60, 40:80] = 1
    points, targets, real = prompts(labels, np.random.default_rng(0), 192)
    assert real.tolist() == [True] * (len(real) - 1) + [False]
    for (x, y), target, is_real in zip(points, targets, real):
        assert labels[int(y * 128 / 192), int(x * 128 / 192)] == is_real
        share = target.shape[0] / 128
        assert target.sum() == pytest.approx(30 * 40 * share ** 2 * is_real, rel=0.02)


def test_a_coarse_segmentor_becomes_a_fine_one_that_sees_the_same():
    coarse, fine = build_sam(tabletop.SAM_COARSE), build_sam(tabletop.SAM)
    kernel = coarse.image_encoder.patch_embed.proj.weight  # (96, 3, 12, 12)
    with torch.no_grad():
        kernel.copy_(kernel.mean((2, 3), keepdim=True).expand_as(kernel))
    fine.load_state_dict(refined(coarse.state_dict(), fine))
    encoder = fine.image_encoder
    grey = torch.full((1, 3, 240, 240), 0.5)
    with torch.no_grad():
        at_coarse = coarse.image_encoder.patch_embed(grey[..., :192, :192])[0, 0, 0]
        at_fine = encoder.patch_embed(grey)[0, 0, 0]
    torch.testing.assert_close(at_fine, at_coarse)
    corners = encoder.pos_embed[0, ::23, ::23]
    assert corners.shape == (2, 2, 96)
    kept = 'mask_decoder.iou_prediction_head.layers.0.weight'
    assert torch.equal(fine.state_dict()[kept], coarse.state_dict()[kept])


def test_a_text_that_is_true_of_another_view_is_neither_right_nor_wrong():
    picture = np.zeros((8, 8, 3), np.uint8)
    shown = [('red', 'mug'), ('blue', 'mug'), ('red', 'box')]
    said = [(None, 'mug'), ('blue', 'mug'), ('red', 'box')]
    texts = ['the mug', 'the blue mug', 'the red box']
    batch = [views.View(picture, text, frozenset({a}), frozenset({b}))
             for text, a, b in zip(texts, shown, said)]
    own, also = views.truth(batch, texts)
    np.testing.assert_array_equal(own, np.eye(3, dtype=bool))
    np.testing.assert_array_equal(also, [[0, 0, 0], [1, 0, 0], [0, 0, 0]])


def options(folder, steps):
    return argparse.Namespace(out=folder, steps=steps, rate=0.1, seed=3, threads=1, device='cpu')


def test_a_training_in_pieces_ends_as_an_unbroken_one(tmp_path):
    def run(folder, stop_after):
        torch.manual_seed(0)
        model = nn.Linear(2, 1)
        calls = []

        def loss(rng):
            if len(calls) == stop_after:
                raise KeyboardInterrupt
            calls.append(1)
            x = torch.from_numpy(rng.normal(size=(4, 2)).astype(np.float32))
            return (model(x + torch.randn(4, 2)) - 1).square().mean(), {}
        return loop.train(model, loss, options(folder, 12), every=4, save_seconds=0)

    whole = run(tmp_path / 'whole', None)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / 'pieces', 5)
    pieces = run(tmp_path / 'pieces', None)
    for a, b in zip(whole.parameters(), pieces.parameters()):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    curve = [json.loads(line) for line in (tmp_path / 'whole' / 'curve.jsonl').open()]
    assert [line['step'] for line in curve] == [4, 8, 12]
