"""Proposals that stay from frame to frame: the shipped segmentor on moving pictures."""

from dataclasses import replace

import numpy as np
import pytest

from refdiff_ros.engine import Engine, resolve_preset
from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.metrics.iou import iou, overlap
from refdiff_ros.models.manager import load_bundle
from refdiff_ros.presets import ProposalConfig
from refdiff_ros.proposals import still
from refdiff_ros.proposals.camera_motion import moved_picture
from refdiff_ros.proposals.still import propose, propose_changed
from refdiff_ros.results import Frame, Status
from refdiff_ros.sim.expressions import expressions
from refdiff_ros.sim.motion import moving_scenes
from refdiff_ros.sim.render import render_scenes
from refdiff_ros.sim.scene import random_scene

SIZE_HW = 240, 320
DISCS = {'red': (60, 70, (200, 40, 40)), 'blue': (150, 90, (40, 80, 200)),
         'green': (110, 250, (40, 160, 70))}


@pytest.fixture(scope='module')
def shipped():
    return load_bundle('tabletop_mini')


@pytest.fixture(scope='module')
def preset(shipped):
    return resolve_preset(shipped, 'onboard').override({'proposals': {'still_within': 8.0}})


def picture(seed, noise=3.0, table=170.0, **moved):
    """Three discs on a table; `moved` tells where some of them are instead, None for nowhere."""
    image = np.full((*SIZE_HW, 3), table)
    y, x = np.mgrid[:SIZE_HW[0], :SIZE_HW[1]]
    for name, (down, across, colour) in DISCS.items():
        place = moved.get(name, (down, across))
        if place is not None:
            image[np.hypot(y - place[0], x - place[1]) < 26] = colour
    image += np.random.default_rng(seed).normal(0, noise, image.shape)
    return Frame(np.clip(image, 0, 255).astype(np.uint8))


def at(proposals, place):
    """The largest IoU of a scored proposal with a disc, by name or (down, across), and its row."""
    down, across = DISCS.get(place, place)[:2]
    y, x = np.mgrid[:SIZE_HW[0], :SIZE_HW[1]]
    disc = np.hypot(y - down, x - across) < 26
    found = [iou(*overlap(proposals.masks[row], disc)) for row in proposals.rows]
    best = int(np.argmax(found))
    return found[best], int(proposals.rows[best])


def test_nothing_is_asked_of_the_segmentor_while_only_noise_changes(shipped, preset):
    seen = propose_changed(shipped.sam, picture(0), preset.proposals, None)
    assert (seen.came_from == -1).all()
    for seed in range(1, 6):
        again = propose_changed(None, picture(seed), preset.proposals, seen)  # no segmentor
        assert again.proposals is seen.proposals
        np.testing.assert_array_equal(again.came_from, np.arange(len(seen.came_from)))


def test_what_moves_is_found_where_it_is_and_the_rest_stays(shipped, preset):
    first = propose_changed(shipped.sam, picture(0), preset.proposals, None)
    place = 120, 170
    second = propose_changed(
        shipped.sam, picture(1, blue=place), preset.proposals, first)
    assert at(second.proposals, place)[0] > 0.9
    assert at(second.proposals, 'blue')[0] < 0.3  # where it was nothing is left
    for name in ('red', 'green'):
        was, row = at(first.proposals, name)
        stays, now = at(second.proposals, name)
        assert was == stays > 0.9
        assert second.came_from[now] == row
        np.testing.assert_array_equal(second.proposals.masks[now], first.proposals.masks[row])
    assert (second.came_from == -1).any()
    assert (np.diff(second.proposals.quality) <= 0).all()


def test_what_goes_and_what_comes(shipped, preset):
    seen = propose_changed(shipped.sam, picture(0, red=None), preset.proposals, None)
    assert at(seen.proposals, 'red')[0] < 0.3
    seen = propose_changed(shipped.sam, picture(1), preset.proposals, seen)
    assert at(seen.proposals, 'red')[0] > 0.9
    seen = propose_changed(shipped.sam, picture(2, green=None), preset.proposals, seen)
    assert at(seen.proposals, 'green')[0] < 0.3
    assert at(seen.proposals, 'red')[0] > 0.9


def test_slow_changes_add_up(shipped, preset):
    seen = propose_changed(shipped.sam, picture(0, noise=0), preset.proposals, None)
    kept = []
    for step in range(1, 25):
        place = 150, 90 + step // 2  # half a pixel a frame: less than is noticed at once
        seen = propose_changed(
            shipped.sam, picture(0, noise=0, blue=place), preset.proposals, seen)
        kept.append(bool((seen.came_from >= 0).all()))
        assert at(seen.proposals, place)[0] > 0.85
    assert 0 < sum(kept) < len(kept)


def test_another_light_another_size_and_another_start_make_all_anew(shipped, preset):
    config = preset.proposals
    first = propose_changed(shipped.sam, picture(0), config, None)
    lit = propose_changed(shipped.sam, picture(0, table=215.0), config, first)
    assert (lit.came_from == -1).all()
    half = Frame(np.ascontiguousarray(picture(0).image_rgb[::2, ::2]))
    other = propose_changed(shipped.sam, half, config, first)
    assert (other.came_from == -1).all()
    assert other.proposals.masks.shape[1:] == half.size_hw


def test_the_first_frame_is_that_of_the_option_switched_off(shipped, preset):
    first = propose_changed(shipped.sam, picture(0), preset.proposals, None).proposals
    alone = propose(shipped.sam, picture(0), replace(preset.proposals, still_within=0.0))
    np.testing.assert_array_equal(first.masks, alone.masks)
    np.testing.assert_array_equal(first.rows, alone.rows)
    np.testing.assert_array_equal(first.quality, alone.quality)


def test_a_change_on_bare_table_needs_no_mask(shipped, preset):
    """A shadow falls where nothing is: what stays is complete, and nothing fails."""
    first = propose_changed(shipped.sam, picture(0, noise=0), preset.proposals, None)
    image = picture(0, noise=0).image_rgb.copy()
    image[200:232, 200:232] -= 12
    second = propose_changed(shipped.sam, Frame(image), preset.proposals, first)
    for name in DISCS:
        assert at(second.proposals, name)[0] == at(first.proposals, name)[0]


def test_a_small_thing_between_the_points_is_asked_for_at_its_middle(
        shipped, preset, monkeypatch):
    first = propose_changed(shipped.sam, picture(0, noise=0), preset.proposals, None)
    asked = []

    def spied(*args, points=None, **kwargs):
        asked.append(points)
        return propose_with_sam(*args, points=points, **kwargs)
    propose_with_sam = still.sam.propose
    monkeypatch.setattr(still.sam, 'propose', spied)
    # Of one point a side there is none in a disc.
    config = replace(preset.proposals, points_per_side=1, points_kept=1.0)
    image = picture(0, noise=0).image_rgb.copy()
    down, across, _colour = DISCS['red']
    image[down - 4:down + 4, across + 20:across + 40] = 90  # something comes close to the disc
    second = propose_changed(shipped.sam, Frame(image), config, first)
    middle = np.array([across, down]) / SIZE_HW[::-1]
    assert min(np.abs(asked[0] - middle).max(axis=1)) < 0.01
    assert at(second.proposals, 'red')[0] > 0.85


def wide_picture(noise_seed):
    """Nine discs on a table that is wider than what a camera sees of it."""
    rng = np.random.default_rng(7)
    image = np.full((SIZE_HW[0], 2 * SIZE_HW[1], 3), 170.0)
    y, x = np.mgrid[:image.shape[0], :image.shape[1]]
    for row in range(9):
        inside = np.hypot(y - (60, 150)[row % 2], x - 70 * row - 35) < 26
        image[inside] = rng.integers(30, 230, 3)
    image += np.random.default_rng(noise_seed).normal(0, 3, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def test_what_a_panning_camera_saw_before_stays_and_goes_along(shipped, preset):
    seen, kept = None, []
    for step in range(12):
        image = wide_picture(step)[:, 6 * step:6 * step + SIZE_HW[1]]
        before, seen = seen, propose_changed(
            shipped.sam, Frame(np.ascontiguousarray(image)), preset.proposals, seen)
        if before is not None:
            kept.append((seen.came_from >= 0).mean())
        for row in range(9):
            across = 70 * row + 35 - 6 * step
            if 30 < across < SIZE_HW[1] - 30:
                assert at(seen.proposals, ((60, 150)[row % 2], across))[0] > 0.85
    assert np.mean(kept) > 0.5


def test_a_camera_that_comes_nearer_makes_all_anew_in_time(shipped, preset):
    first = wide_picture(0)[:, :SIZE_HW[1]]
    seen, stayed = None, []
    for step in range(10):
        scale = 1 + 0.04 * step
        motion = np.array([[scale, 0, 160 * (1 - scale)], [0, scale, 120 * (1 - scale)],
                           [0, 0, 1]])
        seen = propose_changed(shipped.sam, Frame(moved_picture(first, motion)),
                               preset.proposals, seen)
        stayed.append(int((seen.came_from >= 0).sum()))
        assert not any(mask.is_guess for mask in seen.moving)
    assert stayed[1] > min(stayed[2:])


def test_an_engine_follows_what_moves(shipped, preset):
    """Answers with the option are those without, CLIP's features of what stays being kept."""
    kept, anew = Engine(shipped, preset), Engine(shipped, preset.override(
        {'proposals': {'still_within': 0.0}}))
    scenes = moving_scenes(random_scene(5), 4, 2.0, camera='stands')
    views = list(render_scenes(scenes, SIZE_HW, depth=False))
    texts = {said.text: said.row for said in expressions(views[0])
             if said.kind in ('plain', 'attribute')}
    moved = [row for row in texts.values()
             if scenes[0].things[row].xy != scenes[-1].things[row].xy]
    assert 0 < len(moved) < len(texts)
    found = []
    for view in views:
        for text, row in texts.items():
            with_option, without = (each.segment(view.frame, text) for each in (kept, anew))
            assert with_option.status == without.status
            assert with_option.confidence == pytest.approx(without.confidence, abs=0.2)
            if with_option.status is Status.FOUND:
                found.append([iou(*overlap(with_option.mask, mask))
                              for mask in (without.mask, view.masks[row])])
    assert len(found) > 0.7 * len(views) * len(texts)
    alike, true = np.mean(found, axis=0)
    assert alike > 0.9 and true > 0.8


def test_features_of_what_stays_are_not_computed_again(shipped, preset):
    engine = Engine(shipped, preset.override({'discriminative': {'retint': 0.1}}))
    encoded = []
    hook = shipped.clip.model.vision_model.encoder.layers[0].register_forward_hook(
        lambda _module, inputs, _output: encoded.append(len(inputs[0])))
    try:
        engine.segment(picture(0), 'the red ball', check=False)
        first, encoded[:] = sum(encoded), []
        engine.segment(picture(1), 'the red ball', check=False)
        assert not encoded
        engine.segment(picture(2, blue=(120, 170)), 'the red ball', check=False)
        assert 0 < sum(encoded) < first
    finally:
        hook.remove()


def test_a_forgotten_frame_is_not_built_upon(shipped, preset):
    engine = Engine(shipped, preset)
    asked = []
    hook = shipped.sam.mask_decoder.iou_prediction_head.register_forward_hook(
        lambda *_: asked.append(1))
    try:
        engine.segment(picture(0), 'the red ball')
        assert asked
        asked.clear()
        engine.segment(picture(3), 'the red ball')
        assert not asked
        engine.forget_frames()
        engine.segment(picture(2), 'the red ball')
        assert asked
    finally:
        hook.remove()


@pytest.mark.parametrize('value', [-1.0, 256.0])
def test_impossible_steps_are_refused(value):
    with pytest.raises(BadRequestError, match=r'still_within in 0\.\.255'):
        ProposalConfig(still_within=value)
