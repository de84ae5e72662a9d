"""Encode a split once: `python -m training.tabletop.latents --scenes FOLDER --vae vae.pt`.

Writes `latents.npy` (N, 4, h, w) float16, scaled, into the split's folder, and `encoded.npy`
with a flag a scene. It goes on where it was stopped.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from refdiff_ros.models.tabletop import build_vae, DIFFUSION_SIDE
from training.tabletop.data import SceneSet
from training.tabletop.vae import fitted

_BATCH = 2  # larger ones do not fit into a CPU's cache


def main(arguments: list[str] | None = None) -> None:
    """Encode what is rendered and not encoded."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--scenes', required=True, type=Path)
    parser.add_argument('--vae', required=True, type=Path)
    parser.add_argument('--threads', type=int, default=torch.get_num_threads())
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    scenes = SceneSet(options.scenes)
    vae, scale = load_vae(options.vae, options.device)
    count, side = len(scenes.images), DIFFUSION_SIDE // 4
    latents = _memory(options.scenes / 'latents.npy', np.float16, (count, 4, side, side))
    encoded = _memory(options.scenes / 'encoded.npy', np.uint8, (count,))
    left = [row for row in scenes.rows if not encoded[row]]
    for start in range(0, len(left), _BATCH):
        rows = left[start:start + _BATCH]
        images = torch.stack([fitted(scenes.images[row]) for row in rows]).to(options.device)
        with torch.inference_mode():
            latents[rows] = (vae.encode(images).latent_dist.mean * scale).cpu().numpy()
        encoded[rows] = 1


def load_vae(path: Path, device: str) -> tuple[torch.nn.Module, float]:
    """A trained autoencoder and the scale of its latents."""
    state = torch.load(path, map_location=device, weights_only=True)
    vae = build_vae(state['scaling_factor']).to(device).eval()
    vae.load_state_dict(state['model'])
    return vae, state['scaling_factor']


def _memory(path: Path, dtype: type, shape: tuple[int, ...]) -> np.ndarray:
    if path.exists():
        return np.load(path, mmap_mode='r+')
    return np.lib.format.open_memmap(path, 'w+', dtype, shape)


if __name__ == '__main__':
    main()
