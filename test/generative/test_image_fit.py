import numpy as np
import pytest
import torch

from refdiff_ros.generative.image_fit import (
    fit_image,
    fitted_hw,
    place,
    unfit_bilinear,
    unfit_lanczos_8bit,
)


@pytest.mark.parametrize('size_hw, top, left', [((30, 48), 9, 0), ((48, 30), 0, 9), ((1, 1), 0, 0),
                                               ((3, 200), 98, 0)])
def test_a_picture_lies_in_the_middle_of_its_square(size_hw, top, left):
    placement = place(size_hw)
    assert (placement.canvas_hw, placement.top, placement.left) == ((max(size_hw),) * 2, top, left)


@pytest.mark.parametrize('fit', ['letterbox', 'center_square'])
def test_a_fitted_picture_is_contiguous_and_black_outside(fit):
    white = np.full((32, 64, 3), 255, np.uint8)
    image, _ = fit_image(white, 64, fit)
    assert image.shape == (1, 3, 64, 64) and image.is_contiguous()
    assert image[0, :, 20:44].min() == 1.0
    assert image[0, :, :12].max() == -1.0 and image[0, :, 52:].max() == -1.0


def test_unfitting_brings_a_place_back_to_where_it_was():
    picture = np.zeros((40, 80, 3), np.uint8)
    picture[10:20, 60:70] = 255
    image, placement = fit_image(picture, 160, 'letterbox')
    back = unfit_bilinear((image[0, :1] + 1) / 2, placement)[0].numpy()
    assert back.shape == (40, 80)
    np.testing.assert_allclose(back, picture[..., 0] / 255, atol=0.35)
    rows, columns = np.nonzero(back > 0.5)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (10, 19, 60, 69)


def test_lanczos_cuts_to_8_bits_and_crops_the_picture():
    maps = torch.linspace(0, 1, 64).reshape(1, 8, 8).numpy()
    picture = unfit_lanczos_8bit(maps, place((4, 8)))
    assert picture.shape == (1, 4, 8)
    np.testing.assert_array_equal(
        picture[0], (maps[0, 2:6] * 255).astype(np.uint8).astype(np.float32) / 255)


@pytest.mark.parametrize('size_hw, expected', [
    ((480, 640), (384, 512)), ((640, 480), (512, 384)), ((720, 1280), (320, 512)),
    ((500, 500), (512, 512)), ((1, 900), (64, 512)), ((511, 512), (512, 512))])
def test_only_the_shorter_side_is_padded_to_a_multiple(size_hw, expected):
    assert fitted_hw(size_hw, 512, 64) == expected


@pytest.mark.parametrize('size_hw', [(40, 80), (80, 40), (36, 80)])
def test_without_the_square_a_place_comes_back_too(size_hw):
    picture = np.zeros((*size_hw, 3), np.uint8)
    picture[20:30, 10:20] = 255
    target_hw = fitted_hw(size_hw, 160, 32)
    image, placement = fit_image(picture, 160, 'letterbox', target_hw)
    assert image.shape == (1, 3, *target_hw) and image.is_contiguous()
    back = unfit_bilinear((image[0, :1] + 1) / 2, placement)[0].numpy()
    assert back.shape == size_hw
    rows, columns = np.nonzero(back > 0.5)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (20, 29, 10, 19)


def test_what_does_not_fill_a_multiple_is_black_on_both_sides():
    white = np.full((36, 80, 3), 255, np.uint8)
    image, _ = fit_image(white, 160, 'letterbox', fitted_hw((36, 80), 160, 32))
    assert image.shape[2] == 96  # 72 of them are picture
    assert image[0, :, :10].max() == -1.0 and image[0, :, 86:].max() == -1.0
    assert image[0, :, 14:82].min() == 1.0
