import numpy as np
import pytest
import torch

from refdiff_ros.image_fit import fit_image, place, unfit_bilinear, unfit_lanczos_8bit


@pytest.mark.parametrize('size_hw, top, left', [((30, 48), 9, 0), ((48, 30), 0, 9), ((1, 1), 0, 0),
                                               ((3, 200), 98, 0)])
def test_a_picture_lies_in_the_middle_of_its_square(size_hw, top, left):
    placement = place(size_hw)
    assert (placement.side, placement.top, placement.left) == (max(size_hw), top, left)


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
