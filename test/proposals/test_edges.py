"""Masks along the picture's own edges: made pictures whose true masks are known."""

import cv2
import numpy as np
import pytest

from refdiff_ros.engine import Engine
from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.metrics.iou import iou, overlap
from refdiff_ros.proposals.edges import along_edges, proposals_along_edges
from refdiff_ros.results import Status

CELL = 8.0
RED, GREY = (190, 40, 40), (150, 150, 150)


def disc(size_hw=(240, 320), middle_xy=(150, 120), radius=40):
    ys, xs = np.mgrid[:size_hw[0], :size_hw[1]]
    return (xs - middle_xy[0]) ** 2 + (ys - middle_xy[1]) ** 2 <= radius ** 2


def picture(mask, inside=RED, outside=GREY, noise=4.0):
    image = np.where(mask[..., None], inside, outside).astype(float)
    image += np.random.default_rng(0).normal(0, noise, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def coarse(mask, cell=CELL):
    """As a segmentor draws it: on a grid of cells, and a little off."""
    size_wh = tuple(round(side / cell) for side in mask.shape[::-1])
    logits = cv2.resize(mask.astype(np.float32), size_wh, interpolation=cv2.INTER_AREA) - 0.5
    logits += 0.1 * np.random.default_rng(1).normal(0, 1, logits.shape)
    drawn = cv2.resize(cv2.blur(logits, (3, 3)), mask.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return drawn > 0


def rated(mask, truth):
    return iou(*overlap(mask, truth))


@pytest.mark.parametrize('middle_xy', [(150, 120), (6, 100), (318, 238)])
def test_a_coarse_mask_comes_to_the_edge_of_the_object(middle_xy):
    truth = disc(middle_xy=middle_xy)
    drawn = coarse(truth)
    moved = along_edges(picture(truth), drawn, CELL)
    assert moved.dtype == bool and moved.shape == truth.shape
    assert rated(moved, truth) > max(0.97, rated(drawn, truth) + 0.01)


def test_it_moves_no_further_than_half_a_cell_and_keeps_the_rest():
    truth, drawn = disc(), disc(radius=28)  # one and a half cells too small
    moved = along_edges(picture(truth), drawn, CELL)
    reach = round(CELL / 2) + round(CELL / 4)
    near = cv2.dilate(drawn.astype(np.uint8), np.ones((2 * reach + 1,) * 2, np.uint8))
    assert not (moved & (near == 0)).any()
    assert (moved & drawn).sum() == drawn.sum()


def test_where_both_sides_look_the_same_the_mask_stays():
    truth = disc()
    drawn = coarse(truth)
    moved = along_edges(picture(truth, GREY, GREY), drawn, CELL)
    assert rated(moved, drawn) > 0.94
    assert abs(rated(moved, truth) - rated(drawn, truth)) < 0.04


def test_a_shadow_beside_the_object_is_not_taken_for_it():
    truth = disc(radius=40)
    image = picture(truth).astype(float)
    shadow = disc(middle_xy=(160, 130), radius=44) & ~truth
    image[shadow] *= 0.45
    moved = along_edges(image.astype(np.uint8), coarse(truth), CELL)
    assert rated(moved, truth) > 0.95


def test_a_large_picture_costs_no_detail_that_its_cells_had():
    truth = disc((960, 1280), (600, 480), 160)
    drawn = coarse(truth, cell=32.0)
    moved = along_edges(picture(truth), drawn, 32.0)
    assert rated(moved, truth) > 0.97 > rated(drawn, truth)


@pytest.mark.parametrize('drawn', [
    np.zeros((240, 320), bool), np.ones((240, 320), bool), disc(radius=0), disc(radius=2),
    disc((1, 320), (150, 0), 9), disc((240, 1), (0, 100), 9)],
    ids=['empty', 'all', 'a pixel', 'tiny', 'one row', 'one column'])
def test_odd_masks_come_back_and_are_not_changed_in_place(drawn):
    kept = drawn.copy()
    moved = along_edges(picture(np.zeros_like(drawn)), drawn, CELL)
    assert moved.shape == drawn.shape and moved.dtype == bool
    assert moved is not drawn and not np.shares_memory(moved, drawn)
    np.testing.assert_array_equal(drawn, kept)
    assert bool(moved.any()) == bool(drawn.any())


def test_a_mask_that_is_a_view_of_others_is_read_rightly():
    truth = disc()
    masks = np.stack([coarse(truth)] * 3)
    image = picture(truth)
    np.testing.assert_array_equal(
        along_edges(image, masks[1], CELL), along_edges(image, masks[1].copy(), CELL))
    np.testing.assert_array_equal(
        along_edges(image[:, ::-1], masks[1][:, ::-1], CELL),
        along_edges(image[:, ::-1].copy(), masks[1][:, ::-1].copy(), CELL))


@pytest.mark.parametrize('cell', [3.0, CELL])
def test_all_masks_of_a_frame_are_moved_cheaply_and_an_answers_masks_are_moved_on(cell):
    truths = np.stack([disc(), disc(middle_xy=(60, 60), radius=20)])
    drawn = np.stack([coarse(truth, cell) for truth in truths])
    image = picture(truths.any(axis=0))
    moved = drawn.copy()
    finer_px = proposals_along_edges(image, moved, cell)
    assert finer_px == cell / 2
    for truth, *by_turn in zip(truths, drawn, moved, strict=True):
        by_turn.append(along_edges(image, by_turn[-1], finer_px))
        ratings = [rated(mask, truth) for mask in by_turn]
        assert ratings == sorted(ratings) and ratings[2] > 0.96
    nothing = drawn[:0]
    assert proposals_along_edges(image, nothing, CELL) == CELL / 2 and not len(nothing)


def test_an_answers_masks_have_the_pictures_edges_and_what_is_kept_of_the_frame_does_not(
        tabletop_engine, tabletop_view):
    engine, frame = tabletop_engine, tabletop_view.frame
    shipped = engine.preset
    assert shipped.proposals.edges == 'picture'
    text = 'the red mug'  # of two
    moved = engine.segment(frame, text, check=False)
    engine.preset = shipped.override({'proposals': {'edges': 'model'}})
    try:
        drawn = engine.segment(frame, text, check=False)
    finally:
        engine.preset = shipped
    again = engine.segment(frame, text, check=False)
    assert moved.status is Status.AMBIGUOUS and len(moved.regions) == 2
    np.testing.assert_array_equal(moved.mask, moved.proposals[moved.index])
    np.testing.assert_array_equal(moved.proposals, again.proposals)
    for row in moved.regions:
        better, worse = (max(rated(found.proposals[row], truth) for truth in tabletop_view.masks)
                         for found in (moved, drawn))
        assert better > worse + 0.01
    all_moved = drawn.proposals.copy()
    finer_px = proposals_along_edges(frame.image_rgb, all_moved, 640 / 96)
    for row, mask in enumerate(moved.proposals):
        expected = along_edges(frame.image_rgb, all_moved[row], finer_px) if (
            row in moved.regions) else all_moved[row]
        np.testing.assert_array_equal(mask, expected)


@pytest.fixture(scope='module')
def tabletop_engine():
    from refdiff_ros.engine import resolve_preset
    from refdiff_ros.models.manager import load_bundle
    models = load_bundle('tabletop_mini', device='cpu')
    return Engine(models, resolve_preset(models, 'onboard'))


@pytest.fixture(scope='module')
def tabletop_view():
    from refdiff_ros.sim.render import generate
    return generate(3, (480, 640))


def test_edges_of_another_kind_are_refused():
    from refdiff_ros.config import ProposalConfig
    with pytest.raises(BadRequestError, match="'model' or 'picture'.*'soft'"):
        ProposalConfig(edges='soft')
