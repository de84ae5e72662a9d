"""Masks carried by optical flow, on pictures whose motion is known."""

import itertools

import cv2
import numpy as np
import pytest

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.metrics.iou import iou, overlap
from refdiff_ros.pictures.mask_flow import flow_step, MaskFlow, SIDE, small_grey

HEIGHT, WIDTH = 120, 160


def textured(seed=0, height=HEIGHT + 80, width=WIDTH + 80):
    """(H, W, 3) uint8, smooth noise that flow can hold on to."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (height // 8, width // 8)).astype(np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.repeat(smooth[..., None], 3, 2)


def window(big, x, y):
    return big[y:y + HEIGHT, x:x + WIDTH]


def disc(x, y, radius=20):
    rows, columns = np.indices((HEIGHT, WIDTH))
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius ** 2


def carried(mask, pictures):
    greys = [small_grey(picture) for picture in pictures]
    flow = MaskFlow(mask[None], greys[0].shape)
    for earlier, later in itertools.pairwise(greys):
        flow.step(flow_step(earlier, later))
    return flow.carried()


def test_a_mask_goes_with_the_picture_over_many_steps():
    big = textured()
    found = carried(disc(80, 60), [window(big, 3 * n, 2 * n) for n in range(11)])
    assert iou(*overlap(found.masks[0], disc(80 - 30, 60 - 20))) > 0.9
    assert found.kept[0] > 0.9


def test_flow_points_to_where_a_pixel_was():
    big = textured()
    step = flow_step(small_grey(window(big, 0, 0)), small_grey(window(big, 4, 2)))
    inner = step.back[20:-20, 20:-20]
    assert np.abs(inner - (4, 2)).mean() < 0.3
    assert step.sure[20:-20, 20:-20].mean() > 0.95


def test_one_object_moves_before_a_table_that_rests():
    table, thing = textured(1)[:HEIGHT, :WIDTH], textured(2)[:HEIGHT, :WIDTH]
    pictures = []
    for n in range(8):
        picture, shape = table.copy(), disc(50 + 3 * n, 60)
        picture[shape] = np.roll(thing, 3 * n, 1)[shape]
        pictures.append(picture)
    found = carried(disc(50, 60), pictures)
    assert iou(*overlap(found.masks[0], disc(71, 60))) > 0.6
    assert iou(*overlap(disc(50, 60), disc(71, 60))) < 0.4


def test_what_leaves_the_picture_is_kept_less_and_less():
    big = textured()
    pictures = [window(big, 6 * n, 0) for n in range(13)]
    kept = [carried(disc(40, 60), pictures[:end]).kept[0] for end in (2, 7, 13)]
    assert kept[0] > 0.9 > kept[1] > kept[2]
    assert kept[2] < 0.2


def test_another_picture_is_no_motion():
    found = carried(disc(80, 60), [textured(1)[:HEIGHT, :WIDTH], textured(2)[:HEIGHT, :WIDTH]])
    assert found.kept[0] < 0.5


def test_masks_come_back_in_full_size():
    picture = np.kron(textured()[:HEIGHT, :WIDTH], np.ones((4, 4, 1), np.uint8))
    mask = np.kron(disc(80, 60), np.ones((4, 4), bool))
    found = carried(mask, [picture, picture, picture])
    assert max(small_grey(picture).shape) == SIDE
    assert found.masks.shape == (1, *mask.shape)
    assert iou(*overlap(found.masks[0], mask)) > 0.98


def test_several_masks_and_none():
    picture = textured()[:HEIGHT, :WIDTH]
    grey = small_grey(picture)
    flow = MaskFlow(np.stack([disc(40, 40), disc(110, 80)]), grey.shape)
    flow.step(flow_step(grey, grey))
    found = flow.carried()
    assert found.masks.shape[0] == len(found.kept) == 2
    none = MaskFlow(np.zeros((0, HEIGHT, WIDTH), bool), grey.shape).carried()
    assert none.masks.shape == (0, HEIGHT, WIDTH)
    assert len(none.kept) == 0


def test_sizes_that_differ_are_refused():
    with pytest.raises(BadRequestError, match='one size'):
        flow_step(np.zeros((40, 40), np.uint8), np.zeros((40, 50), np.uint8))
