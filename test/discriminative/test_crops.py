"""Eq. (7)'s crop branch."""

import numpy as np
from PIL import Image
import pytest
import torch
from torchvision import transforms

from refdiff_ros.discriminative.clip_vision import encode_images, input_side, patch_side
from refdiff_ros.discriminative.crops import (
    box_crops,
    box_window,
    crop_features,
    object_patches,
    scale_down,
    square_crops,
    tight_crop,
)
from refdiff_ros.errors import BadRequestError
from refdiff_ros.presets import DiscriminativeConfig
from refdiff_ros.proposals.mask_figures import mask_boxes_xyxy


@pytest.fixture(scope='module')
def image():
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.integers(0, 256, (3, 60, 90)).astype(np.float32))


@pytest.fixture(scope='module')
def masks():
    masks = np.random.default_rng(1).random((5, 60, 90)) < 0.5
    masks[0] = True
    masks[1] = False  # empty
    masks[2, :, 20:] = False
    masks[3, 30:] = False
    return torch.from_numpy(masks)


def test_boxes_hold_first_and_last_pixels():
    masks = torch.zeros(3, 4, 6, dtype=torch.bool)
    masks[0, 1, 2] = masks[0, 3, 4] = True
    masks[2] = True
    assert mask_boxes_xyxy(masks).tolist() == [[2, 1, 4, 3], [0, 0, 0, 0], [0, 0, 5, 3]]
    assert mask_boxes_xyxy(masks[:0]).shape == (0, 4)


def test_a_square_crop_is_the_whole_image_black_outside_the_mask():
    image = torch.full((3, 2, 4), 200.0)
    mask = torch.tensor([[[True, True, False, False], [True, True, False, False]]])
    crop = square_crops(image, mask, 2)
    assert crop.shape == (1, 3, 2, 2)
    # Left half kept, right half black; the antialiased cubic reaches across by a little.
    assert crop[..., 0].min() > 180 and crop[..., 1].max() < 20


def test_square_crops_in_parts_are_the_same(image, masks, monkeypatch):
    together = square_crops(image, masks, 16)
    monkeypatch.setattr('refdiff_ros.discriminative.crops._PIXEL_BUDGET', 1)
    torch.testing.assert_close(square_crops(image, masks, 16), together)


def as_the_authors_see_it(image, mask, side):
    """torchvision's steps on Pillow's picture: (3, h, w) in 0..255."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    alone = (image.numpy().transpose(1, 2, 0) * mask.numpy()[:, :, None])[
        rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]
    picture = Image.fromarray(alone.astype(np.uint8))
    return torch.from_numpy(np.array(transforms.Resize(side)(picture), np.float32)
                            ).permute(2, 0, 1)


def random_masks(count, size_hw):
    """Rectangles of any proportions with holes, some a pixel wide."""
    rng = np.random.default_rng(2)
    masks = torch.zeros(count, *size_hw, dtype=torch.bool)
    for mask in masks:
        height, width = (1 + int(n * rng.random() ** 2) for n in np.array(size_hw) - 1)
        y, x = (int(rng.integers(n - part + 1)) for n, part in zip(
            size_hw, (height, width), strict=True))
        mask[y:y + height, x:x + width] = torch.from_numpy(rng.random((height, width)) < 0.8)
        mask[y, x] = mask[y + height - 1, x + width - 1] = True
    return masks


def test_tight_crops_are_the_authors_to_the_last_bit():
    rng = np.random.default_rng(0)
    image = torch.from_numpy(rng.uniform(0, 256, (3, 120, 160)).astype(np.float32))
    masks = random_masks(200, (120, 160))
    boxes = mask_boxes_xyxy(masks).tolist()
    aspects = [max(x1 - x0, y1 - y0) / (min(x1 - x0, y1 - y0) + 1) for x0, y0, x1, y1 in boxes]
    assert max(aspects) > 50
    for side in (16, 33):
        for mask, box in zip(masks, boxes, strict=True):
            found = tight_crop(image, mask, side, box, longest=100_000)
            assert torch.equal(found, as_the_authors_see_it(image, mask, side))
            assert min(found.shape[1:]) == side


def test_features_of_tight_crops_are_the_authors(clip):
    rng = np.random.default_rng(0)
    image = torch.from_numpy(rng.integers(0, 256, (3, 60, 90)).astype(np.float32))
    masks, side = random_masks(20, (60, 90)), input_side(clip)
    found = crop_features(clip, image, masks, DiscriminativeConfig(crop_fit='tight'))
    expected = encode_images(clip, [as_the_authors_see_it(image, mask, side) for mask in masks])
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_a_tight_crop_truncates_what_the_bias_left_between_two_values():
    image = torch.full((3, 1, 1), 10.9)
    mask = torch.ones(1, 1, dtype=torch.bool)
    assert (tight_crop(image, mask, 4, (0, 0, 0, 0), 4) == 10).all()


def test_a_line_is_squeezed_to_a_bounded_size():
    image = torch.full((3, 1, 5000), 50.0)
    crop = tight_crop(image, torch.ones(1, 5000, dtype=torch.bool), 8, (0, 0, 4999, 0), 700)
    assert crop.shape == (3, 8, 700)


@pytest.mark.parametrize('box, margin, expected', [
    ((10, 20, 19, 29), 1.0, (10, 20, 10)),
    ((10, 20, 19, 39), 1.0, (5, 20, 20)),
    ((10, 20, 29, 29), 1.15, (8, 13, 23)),  # one pixel more on the left than on the right
    ((0, 0, 9, 3), 1.4, (-2, -5, 14)),
    ((0, 0, 0, 0), 1.15, (0, 0, 1)),
])
def test_a_box_window_is_a_square_around_the_box(box, margin, expected):
    assert box_window(box, margin) == expected


def test_a_box_crop_by_hand():
    image = torch.full((3, 4, 6), 90.0)
    mask = torch.zeros(1, 4, 6, dtype=torch.bool)
    mask[0, 0, :2] = True  # the window is columns -1..2, rows -2..1
    black = box_crops(image, mask, 4, margin=2.0)
    assert black.shape == (1, 3, 4, 4)
    expected = np.zeros((4, 4))
    expected[2, 1:3] = 90
    np.testing.assert_array_equal(black[0, 0], expected)
    expected[2:, 1:] = 90
    picture = box_crops(image, mask, 4, margin=2.0, background='picture')
    np.testing.assert_array_equal(picture[0, 2], expected)
    grey = box_crops(image, mask, 4, margin=2.0, background='grey')
    expected = np.full((4, 4), 128.0)
    expected[2, 1:3] = 90
    np.testing.assert_array_equal(grey[0, 1], expected)


def test_a_box_crop_is_pillows_resized_window(image):
    mask = torch.zeros(1, 60, 90, dtype=torch.bool)
    mask[0, 10:50, 20:44] = True
    x, y, side = box_window((20, 10, 43, 49), 1.15)
    picture = image.numpy().astype(np.uint8)[:, y:y + side, x:x + side].transpose(1, 2, 0)
    expected = Image.fromarray(picture).resize((16, 16), Image.Resampling.BILINEAR)
    found = box_crops(image, mask, 16, background='picture')[0]
    np.testing.assert_allclose(
        found.numpy().transpose(1, 2, 0), np.asarray(expected, np.float32), atol=1.01)


def test_a_box_crop_of_a_byte_picture_is_the_same(image, masks):
    torch.testing.assert_close(
        box_crops(image.to(torch.uint8), masks, 16), box_crops(image, masks, 16))


def test_all_box_crops_of_a_batch_pass_the_encoder_at_once(clip, image, masks):
    passes = []
    hook = clip.model.vision_model.embeddings.patch_embedding.register_forward_hook(
        lambda _, inputs, __: passes.append(len(inputs[0])))
    crop_features(clip, image, masks, DiscriminativeConfig(crop_fit='box', crop_batch=3))
    hook.remove()
    assert passes == [3, 2]


def test_background_and_margin_change_what_is_seen(clip, image, masks):
    kinds = [crop_features(clip, image, masks[2:4], DiscriminativeConfig(crop_fit='box', **change))
             for change in ({}, {'crop_background': 'picture'}, {'crop_margin': 2.0})]
    assert all((kinds[0] - other).abs().max() > 1e-5 for other in kinds[1:])


def test_scaling_down_keeps_the_ratio_and_never_enlarges(image, masks):
    small, fewer = scale_down(image, masks, 45)
    assert small.shape == (3, 30, 45) and fewer.shape == (5, 30, 45)
    assert fewer[0].all() and not fewer[1].any()
    assert not fewer[3, 15:].any()
    for side in (0, 90, 500):
        same = scale_down(image, masks, side)
        assert same[0] is image and same[1] is masks
    assert scale_down(image, masks[:0], 45)[1].shape == (0, 30, 45)


def test_a_mask_of_one_pixel_stays_when_it_is_scaled_down(image):
    mask = torch.zeros(1, 60, 90, dtype=torch.bool)
    mask[0, 31, 41] = True
    small = scale_down(image, mask, 9)[1]
    assert small.nonzero().tolist() == [[0, 3, 4]]


def test_a_coarse_source_makes_crops_blurred(clip, image, masks):
    sharp, blurred = (crop_features(clip, image, masks[2:4], DiscriminativeConfig(
        crop_fit='box', crop_source_side=side)) for side in (0, 30))
    assert (sharp - blurred).abs().max() > 1e-5
    small, fewer = scale_down(image, masks[2:4], 30)
    torch.testing.assert_close(
        blurred, crop_features(clip, small, fewer, DiscriminativeConfig(crop_fit='box')))


@pytest.mark.parametrize('fit, tokens', [('square', 'all'), ('tight', 'all'), ('box', 'all'),
                                         ('square', 'object'), ('box', 'object')])
def test_features_do_not_depend_on_the_batch(clip, image, masks, fit, tokens):
    features = [crop_features(clip, image, masks, DiscriminativeConfig(
        crop_fit=fit, crop_batch=batch, crop_tokens=tokens)) for batch in (1, 2, 32)]
    assert features[0].shape == (5, clip.model.projection_dim)
    torch.testing.assert_close(features[0], features[1], atol=1e-5, rtol=0)
    torch.testing.assert_close(features[0], features[2], atol=1e-5, rtol=0)
    torch.testing.assert_close(features[0].norm(dim=-1), torch.ones(5))


@pytest.mark.parametrize('fit', ['square', 'tight', 'box'])
def test_an_empty_mask_is_a_black_picture(clip, image, masks, fit):
    side = input_side(clip)
    black = encode_images(clip, [torch.zeros(3, side, side)])
    found = crop_features(clip, image, masks[1:2], DiscriminativeConfig(crop_fit=fit))
    torch.testing.assert_close(found, black, atol=1e-5, rtol=0)


@pytest.mark.parametrize('fit', ['square', 'tight', 'box'])
@pytest.mark.parametrize('size_hw', [(1, 1), (1, 300), (90, 2)])
def test_images_of_any_shape_work(clip, size_hw, fit):
    image, masks = torch.full((3, *size_hw), 9.0), torch.ones(2, *size_hw, dtype=torch.bool)
    assert torch.isfinite(
        crop_features(clip, image, masks, DiscriminativeConfig(crop_fit=fit))).all()


def test_no_masks_give_no_features(clip, image, masks):
    assert crop_features(clip, image, masks[:0], DiscriminativeConfig()).shape == (
        0, clip.model.projection_dim)


def test_a_crop_smaller_than_a_patch_is_refused(clip, image, masks):
    with pytest.raises(BadRequestError, match='crop_size of at least a patch, .* got 1'):
        crop_features(clip, image, masks, DiscriminativeConfig(crop_size=1))


def test_patches_of_an_object_are_those_that_it_touches_and_a_fourth_of_the_others():
    masks = torch.zeros(2, 60, 90, dtype=torch.bool)
    masks[0, 10:20, 10:50] = True  # a window of 40 around it, 10 of them high, 15 above
    masks[1, 5, 70] = True
    in_box = object_patches(masks, (4, 4), 'box', 1.0).reshape(2, 4, 4)
    assert in_box[0].tolist() == [[4, 0, 0, 0], [1] * 4, [1] * 4, [4, 0, 0, 0]]
    assert (in_box[1] == 1).all()  # a window of one pixel
    whole = object_patches(masks, (6, 9), 'square', 1.0).reshape(2, 6, 9)
    assert (whole[0] == 1).nonzero().tolist() == [[1, column] for column in range(1, 5)]
    assert (whole[1] == 1).nonzero().tolist() == [[0, 7]]
    # 50 and 53 others, of which 13 and 14 stand for all.
    torch.testing.assert_close(whole.sum(dim=(1, 2)), torch.tensor([54.0, 54.0]))
    assert ((whole > 0).sum(dim=(1, 2)) == torch.tensor([4 + 13, 1 + 14])).all()


@pytest.mark.parametrize('fit', ['square', 'box'])
def test_an_object_that_fills_its_crop_is_seen_whole(clip, image, fit):
    mask = torch.ones(1, 60, 60, dtype=torch.bool)
    features = [crop_features(clip, image[:, :, :60], mask, DiscriminativeConfig(
        crop_fit=fit, crop_margin=1.0, crop_tokens=tokens)) for tokens in ('all', 'object')]
    torch.testing.assert_close(*features, atol=1e-5, rtol=0)


@pytest.mark.parametrize('fit', ['square', 'box'])
def test_what_lies_outside_an_objects_patches_does_not_count(clip, image, fit):
    mask = torch.zeros(1, 60, 90, dtype=torch.bool)
    mask[0, 20:30, 10:40] = True
    config = DiscriminativeConfig(crop_fit=fit, crop_tokens='object')
    found = crop_features(clip, image, torch.cat([mask, torch.zeros_like(mask)]), config)
    assert torch.isfinite(found).all()
    everything = crop_features(
        clip, image, mask, DiscriminativeConfig(crop_fit=fit, crop_tokens='all'))
    assert (found[:1] - everything).abs().max() > 1e-5


def test_crops_with_about_as_many_patches_go_together(clip, image):
    lengths = []
    hook = clip.model.vision_model.encoder.register_forward_hook(
        lambda _, __, options, ___: lengths.append(options['inputs_embeds'].shape[1]),
        with_kwargs=True)
    masks = torch.zeros(3, 60, 90, dtype=torch.bool)
    masks[0] = True
    masks[1, 20:24, 10:80] = True  # a bar: the middle of its crop
    masks[2, 10:80, 20:24] = True
    crop_features(clip, image, masks, DiscriminativeConfig(
        crop_fit='box', crop_margin=1.0, crop_tokens='object', crop_batch=2))
    hook.remove()
    whole = (input_side(clip) // patch_side(clip)) ** 2
    assert lengths[0] < lengths[1] <= 1 + whole
