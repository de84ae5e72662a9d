"""Put trained models together as a bundle: `python -m training.tabletop.ship --from FOLDER`.

The folder holds what the trainings wrote, `vae/vae.pt`, `unet/unet.pt`, `clip/clip.pt` and
`sam/sam.pt`; a training that has not ended is taken from its last checkpoint. Weights are
written in half precision.
"""

import argparse
import json
from pathlib import Path
import shutil

import torch

from refdiff_ros.models.mini_tokenizer import build_tokenizer
from refdiff_ros.models.model_set import ClipModels, DiffusionModels, ModelSet
from refdiff_ros.models.tabletop import (
    build_clip,
    build_scheduler,
    build_tabletop_sam,
    build_vae,
    NAME,
    NOTICE,
    OVERRIDES,
)
from refdiff_ros.models.writer import write_bundle
from training.tabletop.unet import build as build_diffusion

_LICENCE = 'Apache-2.0'


def main(arguments: list[str] | None = None) -> None:
    """Write the bundle; its README, if it has one, is kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--from', dest='source', required=True, type=Path)
    parser.add_argument('--out', required=True, type=Path, help='folder of the bundle')
    options = parser.parse_args(arguments)
    card = options.out / 'README.md'
    kept = card.read_bytes() if card.is_file() else None
    if options.out.exists():
        shutil.rmtree(options.out)
    bundle = write_bundle(
        collect(options.source), options.out,
        licences=dict.fromkeys(('diffusion', 'clip', 'sam'), _LICENCE))
    if kept is not None:
        card.write_bytes(kept)
    size = sum(file.size for part in bundle.parts for file in part.files)
    print(json.dumps({'name': bundle.name, 'bytes': size}))


def collect(folder: Path) -> ModelSet:
    """The trained models of a folder, in half precision."""
    tokenizer = build_tokenizer()
    vae_weights, scale = _weights(folder / 'vae', 'vae.pt')
    both = build_diffusion(tokenizer)
    both.load_state_dict(_weights(folder / 'unet', 'unet.pt')[0])
    loaded = {'vae': (build_vae(scale), vae_weights),
              'clip': (build_clip(tokenizer), _weights(folder / 'clip', 'clip.pt')[0]),
              'sam': (build_tabletop_sam(), _weights(folder / 'sam', 'sam.pt')[0])}
    for model, weights in loaded.values():
        model.load_state_dict(weights)
    vae, clip, sam = (model.half().eval() for model, _ in loaded.values())
    unet, text = (both[name].half().eval() for name in ('unet', 'text'))
    return ModelSet(
        name=NAME, trained=True, notice=NOTICE, overrides=OVERRIDES,
        diffusion=DiffusionModels(vae, unet, build_scheduler(), text, tokenizer),
        clip=ClipModels(clip, tokenizer), sam=sam, device=torch.device('cpu'),
        dtype=torch.float16)


def _weights(folder: Path, name: str) -> tuple[dict[str, torch.Tensor], float]:
    path = folder / name
    if not path.exists():
        path = folder / 'checkpoint.pt'
    state = torch.load(path, map_location='cpu', weights_only=True)
    return state.get('averaged', state['model']), state.get('scaling_factor', 1.0)


if __name__ == '__main__':
    main()
