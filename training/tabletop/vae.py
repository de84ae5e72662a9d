"""Train the autoencoder: `python -m training.tabletop.vae --scenes FOLDER --out FOLDER`."""

import argparse
import logging

import numpy as np
import torch
from torch.nn import functional as F

from refdiff_ros.generative.image_fit import fit_image
from refdiff_ros.models.tabletop import build_vae, DIFFUSION_SIDE
from training.tabletop import loop
from training.tabletop.data import SceneSet

_CROP = 64
_KL = 1e-5


def main(arguments: list[str] | None = None) -> None:
    """Train, then write `vae.pt` with the scale of its latents."""
    parser = argparse.ArgumentParser(description=__doc__)
    loop.add_arguments(parser, steps=1500, batch=16, rate=2e-3)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format='%(asctime)s %(message)s')
    scenes = SceneSet(options.scenes)
    torch.manual_seed(options.seed)
    vae = build_vae().to(options.device)

    def loss(rng: np.random.Generator) -> tuple[torch.Tensor, dict[str, float]]:
        images = torch.stack([
            _crop(rng, fitted(scenes.images[row]))
            for row in rng.choice(scenes.rows, options.batch)]).to(options.device)
        posterior = vae.encode(images).latent_dist
        decoded = vae.decode(posterior.sample()).sample
        error = F.mse_loss(decoded, images)
        total = error + 0.1 * F.l1_loss(decoded, images) + _KL * posterior.kl().mean()
        return total, {'psnr_db': float(-10 * torch.log10(error / 4))}

    trained = loop.train(vae, loss, options, average=0.99, every=100)
    scale = latent_scale(trained, scenes, options.device)
    torch.save({'model': trained.state_dict(), 'scaling_factor': scale}, options.out / 'vae.pt')


def fitted(image_rgb: np.ndarray) -> torch.Tensor:
    """A picture in the diffusion model's square, (3, S, S) in -1..1, black above and below."""
    return fit_image(image_rgb, DIFFUSION_SIDE, 'letterbox')[0][0]


def _crop(rng: np.random.Generator, image: torch.Tensor) -> torch.Tensor:
    top, left = rng.integers(0, image.shape[1] - _CROP + 1, 2)
    return image[:, top:top + _CROP, left:left + _CROP]


@torch.no_grad()
def latent_scale(vae: torch.nn.Module, scenes: SceneSet, device: str, count: int = 32) -> float:
    """The factor that gives latents a standard deviation of 1."""
    images = torch.stack([fitted(scenes.images[row]) for row in scenes.rows[:count]])
    return float(1 / vae.encode(images.to(device)).latent_dist.mean.std())


if __name__ == '__main__':
    main()
