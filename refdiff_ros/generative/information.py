"""What a text adds to denoising: where in the picture its words explain what is seen.

A diffusion model finds the noise in a picture more exactly where it is told what is there. The
squared error without a text less that with it, place by place, is an estimate of the pointwise
mutual information of text and picture (Kong et al., "Interpretable Diffusion via Information
Decomposition", ICLR 2024). Attention says where a model looks for a word, and this how much the
word helped there; training minimises exactly this error, and nothing ever trained attention.

One noised copy says little. Copies at several levels of noise are averaged, and neighbours.

Letters: N copies, C channels, h w of the latents.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from refdiff_ros.errors import BundleError
from refdiff_ros.generative import latents as diffusion
from refdiff_ros.generative.unet_prefix import shared_prefix
from refdiff_ros.models.model_set import DiffusionModels
from refdiff_ros.optional import require_package
from refdiff_ros.stages import stage

# Levels of noise of the first and the last copy, shares of the scheduler's own steps: below,
# nothing is hidden; above, all of it is.
_LEAST_NOISE, _MOST_NOISE = 0.25, 0.55
# Standard deviation of the blur, in parts of the longer side.
_BLUR = 1 / 32

_Target = Callable[[Any, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
# What a model predicts, from the scheduler, clean latents, noise and timesteps.
_TARGETS: dict[str, _Target] = {
    'epsilon': lambda _scheduler, _clean, noise, _at: noise,
    'sample': lambda _scheduler, clean, _noise, _at: clean,
    'v_prediction': lambda scheduler, clean, noise, at: scheduler.get_velocity(clean, noise, at),
}


@dataclass(frozen=True)
class NoisedCopies:
    """Noised copies of a frame's latents, and what the model makes of them without a text.

    Attributes:
        models: the diffusion model.
        noised: (N, C, h, w).
        timesteps: (N,) their levels of noise.
        target: (N, C, h, w) float32, what the UNet ought to predict.
        empty: the empty prompt.
        kept: what no text changes, computed when it is first needed.
    """

    models: DiffusionModels
    noised: torch.Tensor
    timesteps: torch.Tensor
    target: torch.Tensor
    empty: diffusion.Prompt
    kept: dict[str, Any]

    def prefetch(self) -> None:
        """Compute ahead what no text changes."""
        self._error_without()

    def information(self, prompt: diffusion.Prompt) -> torch.Tensor:
        """How much a text helps, blurred: (h, w) float32, negative where it misleads.

        Raises:
            MissingPackageError: OpenCV is not installed.
        """
        cv2 = require_package('cv2', 'models')
        added = (self._error_without() - self._error(prompt)).mean(dim=0).cpu().numpy()
        blurred: np.ndarray = cv2.GaussianBlur(added, (0, 0), max(added.shape) * _BLUR)
        return torch.from_numpy(blurred)

    def _error_without(self) -> torch.Tensor:
        if 'error' not in self.kept:
            self.kept['error'] = self._error(self.empty)
        error: torch.Tensor = self.kept['error']
        return error

    @stage('unet')
    @torch.inference_mode()
    def _error(self, prompt: diffusion.Prompt) -> torch.Tensor:
        """Squared error of the prediction, summed over channels: (N, h, w) float32."""
        unet, count = self.models.unet, len(self.noised)
        with shared_prefix(unet, self.kept.setdefault('prefix', {}), rows=count):
            predicted = unet(self.noised, self.timesteps,
                             **diffusion.join([prompt] * count).unet_arguments()).sample
        error: torch.Tensor = (self.target - predicted.float()).square().sum(dim=1)
        return error


def noised_copies(
    models: DiffusionModels, clean: torch.Tensor, empty: diffusion.Prompt, count: int, seed: int,
) -> NoisedCopies:
    """Copies of a frame's latents at levels of noise that are evenly spread.

    Args:
        models: the diffusion model.
        clean: (1, C, h, w) latents.
        empty: the empty prompt, encoded.
        count: N, at least 1.
        seed: of the noise.

    Raises:
        BundleError: the scheduler predicts something else than noise, sample or velocity.
    """
    scheduler = models.scheduler
    kind = scheduler.config.prediction_type
    if kind not in _TARGETS:
        raise BundleError(f'expected a scheduler that predicts one of {sorted(_TARGETS)}, got '
                          f'{kind!r}: set generative.information to 0')
    last = scheduler.config.num_train_timesteps - 1
    levels = torch.linspace(_LEAST_NOISE * last, _MOST_NOISE * last, count).round().long()
    # The same on every device.
    noise = torch.cat(diffusion.seeded_noise(tuple(clean.shape), seed, count))
    clean = clean.cpu().float().expand(count, -1, -1, -1)
    noised = scheduler.add_noise(clean, noise, levels)
    target = _TARGETS[kind](scheduler, clean, noise, levels)
    device = models.unet.device
    return NoisedCopies(models, noised.to(device, models.unet.dtype), levels.to(device),
                        target.to(device), empty, {})
