"""The picture's encoder against segment-anything's own, in double precision."""

import pytest
from segment_anything.modeling import ImageEncoderViT
import torch
from torch.nn import functional as F

from refdiff_ros.proposals import sam_encoder


def encoder(**changes):
    torch.manual_seed(0)
    made = ImageEncoderViT(**{
        'img_size': 80, 'patch_size': 8, 'embed_dim': 24, 'depth': 3, 'num_heads': 3,
        'out_chans': 12, 'use_rel_pos': True, 'window_size': 4, 'global_attn_indexes': (1,),
    } | changes)
    with torch.no_grad():
        for weight in made.parameters():  # positions and biases too, which start at zero
            weight.normal_(std=0.3)
    return made.double().eval()


def picture(height=80, width=80):
    return torch.randn(1, 3, height, width, dtype=torch.float64)


@torch.no_grad()
@pytest.mark.parametrize('changes', [
    {}, {'window_size': 5}, {'use_rel_pos': False}, {'use_abs_pos': False}, {'qkv_bias': False},
])
def test_the_whole_square_is_encoded_as_by_the_original(changes):
    model, image = encoder(**changes), picture()
    features = sam_encoder.encode(model, image, 80)
    assert features.std() > 0.1
    torch.testing.assert_close(features, model(image), rtol=1e-10, atol=1e-10)


@torch.no_grad()
def test_strips_of_queries_change_nothing(monkeypatch):
    model, image = encoder(), picture()
    whole = sam_encoder.encode(model, image, 80)
    monkeypatch.setattr(sam_encoder, '_BIAS_BUDGET', 1)
    torch.testing.assert_close(
        sam_encoder.encode(model, image, 80), whole, rtol=1e-10, atol=1e-10)


@torch.no_grad()
def test_a_part_of_the_square_keeps_its_distances():
    # Without attention across the whole picture, windows see nothing of the part left out.
    model, image = encoder(global_attn_indexes=()), picture()
    part = sam_encoder.encode(model, image[:, :, :64, :32], 80)
    assert part.shape == (1, 12, 8, 4)
    # The neck's 3x3 convolution alone reaches one place further.
    torch.testing.assert_close(part[..., :7, :3], model(image)[..., :7, :3],
                               rtol=1e-10, atol=1e-10)


@torch.no_grad()
def test_attention_across_a_part_is_that_of_the_square_with_the_rest_masked():
    model = encoder(depth=1, global_attn_indexes=(0,))
    attention = model.blocks[0].attn
    hidden = torch.randn(1, 10, 10, 24, dtype=torch.float64)
    qkv = attention.qkv(hidden)[:, :6, :7]
    found = sam_encoder.attend(attention, qkv, 10)
    for row, column in ((0, 0), (5, 6), (3, 2)):
        query, key, value = qkv.unflatten(3, (3, 3, 8)).unbind(3)  # (1, 6, 7, 3, 8)
        for head in range(3):
            q = query[0, row, column, head]
            logits = torch.stack([
                key[0, y, x, head] @ q * attention.scale
                + q @ attention.rel_pos_h[row - y + 9] + q @ attention.rel_pos_w[column - x + 9]
                for y in range(6) for x in range(7)])
            expected = logits.softmax(0) @ value[0, :, :, head].reshape(42, 8)
            torch.testing.assert_close(
                found[0, row, column].reshape(3, 8)[head], expected, rtol=1e-10, atol=1e-10)


@torch.no_grad()
def test_a_smaller_square_takes_interpolated_positions():
    model, image = encoder(), picture(40, 40)
    smaller = encoder(img_size=40)
    smaller.load_state_dict({
        name: resized(value, smaller.state_dict()[name].shape)
        for name, value in model.state_dict().items()})
    torch.testing.assert_close(
        sam_encoder.encode(model, image, 40), smaller(image), rtol=1e-5, atol=1e-5)


def resized(value, shape):
    if value.shape == shape:
        return value
    if value.ndim == 2:
        return F.interpolate(value.T[None], shape[0], mode='linear')[0].T
    return F.interpolate(value.permute(0, 3, 1, 2), shape[1:3], mode='bicubic').permute(0, 2, 3, 1)
