"""CLIP's image encoder by parts, against transformers' own forward pass."""

import numpy as np
import torch
from torch.nn import functional as F

from refdiff_ros.discriminative.clip_vision import (
    embed,
    encode_images,
    input_side,
    patch_side,
    position_embedding,
    project,
    resize,
)


def random_image(height, width, seed=0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.integers(0, 256, (3, height, width)).astype(np.float32))


@torch.no_grad()
def test_a_square_of_the_trained_size_equals_the_models_own_pass(clip):
    side = input_side(clip)
    images = [random_image(side, side, seed) for seed in range(3)]
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (clip.mean, clip.std))
    pixels = (torch.stack(images) / 255 - mean) / std
    pooled = clip.model.vision_model(pixel_values=pixels).pooler_output
    expected = F.normalize(clip.model.visual_projection(pooled), dim=-1)
    torch.testing.assert_close(encode_images(clip, images), expected, atol=1e-5, rtol=0)


def test_images_of_many_sizes_come_back_in_their_order(clip):
    side, patch = input_side(clip), patch_side(clip)
    sizes = [(side, side), (2 * patch, 7 * patch), (side, side), (side, side + patch),
             (side + 1, side), (2 * patch + 3, 7 * patch + 1)]
    images = [random_image(*size, seed) for seed, size in enumerate(sizes)]
    alone = torch.cat([encode_images(clip, [image]) for image in images])
    for batch in (1, 2, 32):
        torch.testing.assert_close(encode_images(clip, images, batch), alone, atol=1e-5, rtol=0)


def test_images_of_one_grid_are_encoded_together(clip):
    calls = []
    hook = clip.model.vision_model.encoder.register_forward_hook(lambda *_: calls.append(1))
    patch = patch_side(clip)
    encode_images(clip, [random_image(2 * patch, 3 * patch + extra) for extra in range(4)])
    hook.remove()
    assert len(calls) == 1


def test_an_odd_size_around_the_trained_grid_is_interpolated(clip):
    # As in dense uses of CLIP: the trained grid, but not a square image.
    side = input_side(clip)
    image = random_image(side, side + 1)
    trained = encode_images(clip, [image[:, :, :side]])
    assert (encode_images(clip, [image]) - trained).abs().max() > 1e-6


def test_position_embeddings_are_sampled_by_n_plus_a_tenth(clip):
    vision = clip.model.vision_model
    weight = vision.embeddings.position_embedding.weight.detach()
    grid = input_side(clip) // patch_side(clip)
    height, width = 2, 5
    found = position_embedding(vision, (height, width), trained=False).detach()
    assert found.shape == (1 + height * width, weight.shape[1])
    torch.testing.assert_close(found[0], weight[0])
    # The patch in row i, column j reads the trained grid at (i + 0.5) * grid/(n + 0.1) - 0.5.
    trained = weight[1:].view(grid, grid, -1)
    for i, j in ((0, 0), (1, 4), (0, 2)):
        rows = cubic_weights((i + 0.5) * grid / (height + 0.1) - 0.5, grid)
        columns = cubic_weights((j + 0.5) * grid / (width + 0.1) - 0.5, grid)
        expected = torch.einsum('a,b,abd->d', rows, columns, trained)
        torch.testing.assert_close(found[1 + i * width + j], expected, atol=1e-5, rtol=0)


def cubic_weights(position, length):
    """Weights of a bicubic sample (a = -0.75) over `length` values, borders repeated."""
    weights = torch.zeros(length)
    for index in range(int(np.floor(position)) - 1, int(np.floor(position)) + 3):
        t, a = abs(position - index), -0.75
        if t <= 1:
            value = (a + 2) * t ** 3 - (a + 3) * t ** 2 + 1
        else:
            value = a * t ** 3 - 5 * a * t ** 2 + 8 * a * t - 4 * a
        weights[min(max(index, 0), length - 1)] += value
    return weights


def test_resizing_stays_within_pixel_values():
    steps = torch.zeros(1, 3, 4, 4)
    steps[..., 2:] = 255
    enlarged = resize(steps, (16, 16))
    assert enlarged.min() == 0 and enlarged.max() == 255
    assert resize(steps, (4, 4)) is steps


@torch.no_grad()
def test_only_patches_that_count_are_encoded(clip):
    side, patch = input_side(clip), patch_side(clip)
    count = (side // patch) ** 2
    images = [random_image(side, side, seed) for seed in range(5)]
    rng = np.random.default_rng(0)
    seen = [torch.from_numpy(rng.random(count) < share) for share in (0.9, 0.3, 0.6, 0.0, 1.0)]
    seen[3][:] = False
    seen[4][:] = True
    expected = []
    for image, wanted in zip(images, seen, strict=True):
        tokens = embed(clip, image[None], trained=True)[0]
        tokens = tokens[torch.cat([torch.tensor([True]), wanted])]
        hidden = clip.model.vision_model.encoder(inputs_embeds=tokens[None]).last_hidden_state
        expected.append(project(clip, hidden[:, 0]))
    for batch in (1, 2, 32):
        found = encode_images(clip, images, batch, [wanted.float() for wanted in seen])
        torch.testing.assert_close(found, torch.cat(expected), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        found[4:], encode_images(clip, images[4:]), atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_patch_that_counts_threefold_is_there_three_times(clip):
    side, patch = input_side(clip), patch_side(clip)
    image = random_image(side, side)
    counts = torch.ones((side // patch) ** 2)
    counts[2], counts[3], counts[4] = 3, 0, 2
    tokens = embed(clip, image[None], trained=True)[0]
    copies = torch.cat([torch.tensor([1]), counts.long()])
    hidden = clip.model.vision_model.encoder(
        inputs_embeds=tokens.repeat_interleave(copies, dim=0)[None]).last_hidden_state
    torch.testing.assert_close(encode_images(clip, [image], counts=[counts]),
                               project(clip, hidden[:, 0]), atol=1e-5, rtol=0)
