"""Training of the tabletop bundle: data, captions, views, and a loop that can be stopped."""

import argparse
from dataclasses import replace
import json
from pathlib import Path
import sys

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from refdiff_ros.models import tabletop
from refdiff_ros.models.manager import load_bundle
from refdiff_ros.models.memory import modules
from refdiff_ros.models.mini_tokenizer import build_tokenizer
from refdiff_ros.models.sam_config import build_sam
from refdiff_ros.sim.paints import Paint, SURFACES, WIDE_COLOURS
from refdiff_ros.sim.render import render_scenes
from refdiff_ros.sim.scene import Thing as SceneThing
from refdiff_ros.sim.splits import HELD_OUT
from refdiff_ros.sim.wide_scene import wide_scene
from refdiff_ros.sim.wide_shapes import WIDE_SHAPES

# Behind the built workspace, which the source folder must not shadow.
sys.path.append(str(Path(__file__).parents[2]))

from training.tabletop import blend, clip, loop, repaint, scenes, ship, start, unet, views
from training.tabletop.captions import caption
from training.tabletop.clip import all_pairs, known_pairs
from training.tabletop.colours import free_colour, near_names
from training.tabletop.data import SceneSet, Thing
from training.tabletop.sam import prompts, refined, varied
from training.tabletop.start import grown


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
    points, targets, real = prompts(labels, np.random.default_rng(0), 192, 7)
    assert real.tolist() == [True] * 6 + [False]
    for (x, y), target, is_real in zip(points, targets, real):
        assert labels[int(y * 128 / 192), int(x * 128 / 192)] == is_real
        share = target.shape[0] / 128
        assert target.sum() == pytest.approx(30 * 40 * share ** 2 * is_real, rel=0.02)


def test_a_varied_picture_keeps_its_objects_where_its_labels_are():
    image = np.full((40, 60, 3), 90, np.uint8)
    labels = np.zeros((40, 60), np.uint8)
    labels[10:20, 5:15] = 1
    image[labels == 1] = (200, 40, 40)
    seen = [varied(np.random.default_rng(seed), image, labels) for seed in range(12)]
    sides = {int(np.flatnonzero(found.any(axis=0))[0]) for _, found in seen}
    assert sides == {5, 45}
    for picture, found in seen:
        assert len({tuple(colour) for colour in picture[found == 1]}) == 1
        red, green, _ = picture[found == 1][0]
        assert red > green and len({tuple(colour) for colour in picture[found == 0]}) == 1
    assert len({tuple(picture[0, 0]) for picture, _ in seen}) > 6


def test_a_deeper_segmentor_begins_as_the_shallow_one_that_it_grew_from():
    shallow = build_sam({**tabletop.SAM_FINE, 'depth': 4, 'global_attn_indexes': [1, 3]})
    deep = build_sam(tabletop.SAM_FINE)
    image = torch.randn(1, 3, 256, 256)
    with torch.no_grad():
        for block in shallow.image_encoder.blocks:  # relative positions begin at 0
            block.attn.rel_pos_h.normal_(), block.attn.rel_pos_w.normal_()
        deep.load_state_dict(refined(shallow.state_dict(), deep))
        torch.testing.assert_close(deep.image_encoder(image), shallow.image_encoder(image))
    assert len(deep.image_encoder.blocks) == 2 * len(shallow.image_encoder.blocks)


def test_clip_goes_on_with_larger_views():
    small, large = (tabletop.build_clip(build_tokenizer(), side) for side in (48, 64))
    state = small.state_dict()
    place, columns = state[clip.POSITIONS], torch.arange(6.0).repeat(6)
    place[1:] = columns[:, None] * torch.randn(128)  # grows from left to right
    found = clip.resized(state, 64)
    large.load_state_dict(found)
    assert (clip.side_of(state), clip.side_of(found)) == (48, 64)
    torch.testing.assert_close(found[clip.POSITIONS][0], place[0])  # the class token's
    rows = found[clip.POSITIONS][1:].reshape(8, 8, 128)
    torch.testing.assert_close(rows, rows[:1].expand_as(rows))
    middle = (torch.arange(8.0) + 0.5) * 6 / 8 - 0.5  # of the new patches, in old ones
    torch.testing.assert_close(
        rows[0, 2:6], middle[2:6, None] * place[2], rtol=0.03, atol=1e-4)
    torch.testing.assert_close(clip.resized(state, 48)[clip.POSITIONS], place)


def test_clip_of_larger_views_goes_into_a_bundle(tmp_path):
    model = tabletop.build_clip(build_tokenizer(), 64)
    (tmp_path / 'clip').mkdir()
    torch.save({'model': model.state_dict()}, tmp_path / 'clip' / 'clip.pt')
    made = ship.collect(tmp_path, 'tabletop_wide', 'tabletop_wide')
    assert made.clip.model.config.vision_config.image_size == 64
    assert made.overrides['released']['discriminative']['crop_size'] == 64
    assert tabletop.overrides_of('tabletop_wide')['released']['discriminative']['crop_size'] == 64


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


def test_a_text_that_training_can_never_contradict_is_neither_right_nor_wrong():
    """Of a black box nobody learns that it is no mug, where black mugs do not occur."""
    picture = np.zeros((8, 8, 3), np.uint8)
    box = views.View(picture, 'the box', frozenset({('black', 'box')}),
                     frozenset({(None, 'box')}))
    others = [views.View(picture, text, frozenset({('red', 'mug')}), frozenset({said}))
              for text, said in (('the mug', (None, 'mug')), ('the red mug', ('red', 'mug')),
                                 ('the red one', ('red', None)))]
    texts = ['the box', 'the mug', 'the red mug', 'the red one']
    _, also = views.truth([box, *others], texts, frozenset({('mug', 'black')}))
    assert also[0].tolist() == [False, True, True, False]
    _, also = views.truth([box, *others], texts, frozenset({('box', 'red')}))
    assert also[0].tolist() == [False, False, True, True]
    assert also[1].tolist() == [True, False, True, True]  # 'the box' of a red mug


def test_a_random_colour_is_judged_by_the_names_that_it_might_have():
    picture = np.zeros((8, 8, 3), np.uint8)
    shown = views.View(picture, 'the can', frozenset({('', 'can')}), frozenset({(None, 'can')}),
                       frozenset({'red', 'pink'}))
    other = views.View(picture, 'x', frozenset({('blue', 'box')}), frozenset({('blue', 'box')}))
    texts = ['the red can', 'the blue can', 'the red box', 'the red one']
    said = [('red', 'can'), ('blue', 'can'), ('red', 'box'), ('red', None)]
    batch = [shown, other, *(views.View(picture, text, frozenset({('blue', 'box')}),
                                        frozenset({each})) for text, each in zip(texts, said))]
    _, also = views.truth(batch, texts, frozenset())
    assert also[0].tolist() == [True, False, False, True]


def test_colours_are_free_of_the_names_that_are_forbidden():
    assert near_names((0.8, 0.08, 0.08)) >= {'red'}
    for seed in range(100):
        found = free_colour(np.random.default_rng(seed), {'black', 'grey'})
        if found is not None:
            rgb, near = found
            assert near == near_names(rgb) and not near & {'black', 'grey'}
    assert free_colour(np.random.default_rng(0), set(WIDE_COLOURS)) is None


def test_an_object_in_another_colour_is_what_rendering_it_so_would_give():
    plain = Paint((0.2, 0.4, 0.6))
    form = WIDE_SHAPES['can'](np.random.default_rng(0))
    scene = replace(wide_scene(1), things=(
        SceneThing('can', 'blue', (0.0, 0.0), 0.3, form, paint=plain),))
    other = replace(scene, things=(replace(
        scene.things[0], paint=Paint((0.9, 0.5, 0.1))),))
    (view, grey, black), = repaint.render_greys([scene], (96, 128))
    wanted = next(render_scenes([other], (96, 128), depth=False)).frame.image_rgb
    found = repaint.repaint(view.frame.image_rgb, grey, black, view.masks[0], (0.9, 0.5, 0.1))
    inside = cv2.erode(view.masks[0].astype(np.uint8), np.ones((3, 3))) > 0  # edges are mixed
    assert inside.sum() > 50
    near = np.abs(found.astype(int) - wanted)[inside] <= 2  # a highlight is cut off at 255
    assert near.mean() > 0.97
    assert np.array_equal(found[~view.masks[0]], view.frame.image_rgb[~view.masks[0]])


def test_scenes_to_repaint_go_on_and_tell_what_can_be_repainted(tmp_path):
    scenes.main(['--split', 'tabletop20_train', '--out', str(tmp_path), '--count', '6', '--greys'])
    found = SceneSet(tmp_path)
    assert found.greys.shape == found.images.shape and found.blacks.mean() < found.greys.mean()
    things = [thing for row in found.rows for thing in found.things(row)]
    assert {thing.plain for thing in things} == {True, False}
    assert all(thing.plain == (thing.colour not in SURFACES) for thing in things)
    known = known_pairs(found)
    assert known and not known & HELD_OUT
    unknown = all_pairs(known) - known
    assert unknown and not {shape for shape, _ in unknown} - {shape for shape, _ in known}
    shown = [views.random_view(np.random.default_rng(seed), found, 48, frozenset(HELD_OUT))
             for seed in range(60)]
    assert any(view.near for view in shown) and not all(view.near for view in shown)
    assert all(said == (None, shape) for view in shown if view.near
               for (_, shape), said in zip(view.shown, view.said))


def test_a_grown_vocabulary_keeps_the_vectors_of_known_words():
    class Words:
        def __init__(self, *words):
            self._words = words

        def get_vocab(self):
            return {word: row for row, word in enumerate(self._words)}
    table = torch.arange(6.0).reshape(3, 2)
    found = grown(table, Words('a', 'c', 'd'), Words('a', 'b', 'c', 'd'),
                  torch.Generator().manual_seed(0))
    torch.testing.assert_close(found[[0, 2, 3]], table)
    assert found.shape == (4, 2) and found[1].abs().sum() > 0


def test_a_shipped_bundle_is_taken_apart_to_go_on_from_and_put_together_again(tmp_path):
    start.main(['--bundle', 'tabletop_mini', '--out', str(tmp_path)])
    for name in ('unet', 'clip', 'sam'):
        (tmp_path / name / 'start.pt').rename(tmp_path / name / f'{name}.pt')
    made, shipped = ship.collect(tmp_path), load_bundle('tabletop_mini', device='cpu')
    shipped_modules, grown_to = modules(shipped), build_tokenizer().get_vocab()
    assert made.name == 'tabletop_mini'
    assert made.overrides == tabletop.overrides_of('tabletop_mini')
    for name, module in modules(made).items():
        state, known = module.state_dict(), shipped_modules[name].state_dict()
        assert state.keys() == known.keys()
        for key, value in state.items():
            if key.endswith('token_embedding.weight'):  # the vocabulary may have grown
                part = shipped.clip if name == 'clip' else shipped.diffusion
                words = part.tokenizer.get_vocab()
                rows = [grown_to[word] for word in words]
                value, known[key] = value[rows], known[key][list(words.values())]
            torch.testing.assert_close(value.float(), known[key].float(), rtol=1e-3, atol=1e-4)


def options(folder, steps):
    return argparse.Namespace(out=folder, steps=steps, rate=0.1, seed=3, threads=1, device='cpu',
                              bfloat16=False)


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
            return (model(x + torch.randn(4, 2)) - 1).square().mean(), {'one': 1.0}
        return loop.train(model, loss, options(folder, 12), every=4, save_seconds=0)

    whole = run(tmp_path / 'whole', None)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / 'pieces', 5)
    pieces = run(tmp_path / 'pieces', None)
    for a, b in zip(whole.parameters(), pieces.parameters()):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    for name in ('whole', 'pieces'):
        curve = [json.loads(line) for line in (tmp_path / name / 'curve.jsonl').open()]
        assert [(line['step'], line['one']) for line in curve] == [(4, 1), (8, 1), (12, 1)]


def test_blended_weights_lie_between_those_of_two_models(tmp_path):
    for name, value in (('first', 1.0), ('second', 3.0)):
        torch.save({'model': {'weight': torch.full((2, 2), value), 'places': torch.arange(3)}},
                   tmp_path / f'{name}.pt')
    blend.main(['--first', str(tmp_path / 'first.pt'), '--second', str(tmp_path / 'second.pt'),
                '--share', '0.25', '--out', str(tmp_path / 'made' / 'clip.pt')])
    found = torch.load(tmp_path / 'made' / 'clip.pt', weights_only=True)['model']
    torch.testing.assert_close(found['weight'], torch.full((2, 2), 1.5))
    assert torch.equal(found['places'], torch.arange(3))
