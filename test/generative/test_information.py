"""What a text adds to denoising, against its definition and on a picture that the models know."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from tiny_models import plain_hidden
import torch

from refdiff_ros.errors import BundleError
from refdiff_ros.generative import correlation
from refdiff_ros.generative import latents as diffusion
from refdiff_ros.generative.information import noised_copies
from refdiff_ros.language.expression import parse
from refdiff_ros.presets import get_preset

SIZE, COPIES = 64, 3
CONFIG = replace(get_preset('onboard').generative, image_size=SIZE, information=COPIES)


def _clean(models):
    generator = torch.Generator().manual_seed(1)
    return torch.randn((1, models.vae.config.latent_channels, 8, 12), generator=generator)


@torch.no_grad()
def _slowly(models, clean, text, seed):
    """Copy by copy and by the plain diffusers calls: errors without and with a text."""
    noise = diffusion.seeded_noise(tuple(clean.shape), seed, COPIES)
    last = models.scheduler.config.num_train_timesteps - 1
    added = []
    for n in range(COPIES):
        at = torch.tensor([round((0.25 + 0.3 * n / (COPIES - 1)) * last)])
        noised = models.scheduler.add_noise(clean, noise[n], at)
        errors = []
        for prompt in ('', text):
            predicted = models.unet(
                noised, at, encoder_hidden_states=plain_hidden(models, prompt)).sample
            errors.append(((noise[n] - predicted) ** 2).sum(dim=1)[0])
        added.append(errors[0] - errors[1])
    mean = torch.stack(added).mean(dim=0).numpy()
    return cv2.GaussianBlur(mean, (0, 0), 12 / 32)


def test_it_is_the_error_without_a_text_less_that_with_it(models):
    assert models.scheduler.config.prediction_type == 'epsilon'
    clean = _clean(models)
    copies = noised_copies(models, clean, diffusion.encode_prompt(models, '', False), COPIES, 4)
    copies.prefetch()
    for text in ('the red mug', 'the bottle'):  # the second finds what the first has kept
        found = copies.information(diffusion.encode_prompt(models, text, False)).numpy()
        expected = _slowly(models, clean, text, 4)
        assert found.shape == (8, 12)
        np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max() + 1e-6)
    empty = copies.information(diffusion.encode_prompt(models, '', False))
    assert float(empty.abs().max()) < 1e-4


def test_a_scheduler_that_predicts_something_else_is_refused(models):
    scheduler = type(models.scheduler).from_config(
        models.scheduler.config, prediction_type='flow')
    with pytest.raises(BundleError, match='generative.information to 0'):
        noised_copies(replace(models, scheduler=scheduler), _clean(models),
                      diffusion.encode_prompt(models, '', False), 1, 0)


def test_c_is_attention_times_information(models, frame):
    expression = parse('the red mug next to the bottle')
    plain = correlation.prepare_frame(models, frame, replace(CONFIG, information=0), 0)
    informed = correlation.prepare_frame(models, frame, CONFIG, 0)
    informed.prefetch()
    c, alone = informed.correlation(expression), plain.correlation(expression)
    assert c.shape == alone.shape == (30, 48) and c.dtype == np.float32
    assert c.min() == 0 and c.max() == pytest.approx(1, abs=1e-4)
    assert not (c[alone == 0]).any()
    both = informed.correlations([expression, parse('the bottle')])
    np.testing.assert_allclose(both[0], c, atol=1e-4)
    # The maps of single tokens, for pictures, stay those of the paper.
    np.testing.assert_allclose(informed.token_correlations(expression)[1],
                               plain.token_correlations(expression)[1], atol=1e-5)
