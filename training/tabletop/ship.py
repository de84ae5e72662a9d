"""Put trained models together as a bundle: `python -m training.tabletop.ship --from FOLDER`.

The folder holds what the trainings wrote, `vae/vae.pt`, `unet/unet.pt`, `clip/clip.pt` and
`sam/sam.pt`; a training that has not ended is taken from its last checkpoint. With `--base BUNDLE`
what the folder lacks comes from that bundle. Weights are written in half precision.
"""

import argparse
import json
from pathlib import Path
import shutil
from typing import Any

import torch

from refdiff_ros.models.manager import load_bundle
from refdiff_ros.models.mini_tokenizer import build_tokenizer
from refdiff_ros.models.model_set import ClipModels, DiffusionModels, ModelSet
from refdiff_ros.models.tabletop import (
    build_clip,
    build_scheduler,
    build_tabletop_sam,
    build_vae,
    NAME,
    NOTICES,
    overrides_of,
)
from refdiff_ros.models.writer import write_bundle
from training.tabletop.clip import side_of
from training.tabletop.unet import build as build_diffusion

_LICENCE = 'Apache-2.0'


def main(arguments: list[str] | None = None) -> None:
    """Write the bundle; its README, if it has one, is kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--from', dest='source', required=True, type=Path)
    parser.add_argument('--base', help='name or folder of the bundle that has what FOLDER lacks')
    parser.add_argument('--name', default=NAME, choices=NOTICES, help=f'(default {NAME})')
    parser.add_argument('--out', required=True, type=Path, help='folder of the bundle')
    options = parser.parse_args(arguments)
    card = options.out / 'README.md'
    kept = card.read_bytes() if card.is_file() else None
    models = collect(options.source, options.base, options.name)
    if options.out.exists():
        shutil.rmtree(options.out)
    bundle = write_bundle(
        models, options.out,
        licences=dict.fromkeys(('diffusion', 'clip', 'sam'), _LICENCE))
    if kept is not None:
        card.write_bytes(kept)
    size = sum(file.size for part in bundle.parts for file in part.files)
    print(json.dumps({'name': bundle.name, 'bytes': size}))


def collect(folder: Path, base: str | None = None, name: str = NAME) -> ModelSet:
    """The trained models of a folder, in half precision; what it lacks is of the bundle `base`."""
    tokenizer = build_tokenizer()
    known = load_bundle(base, device='cpu') if base else None
    clip, overrides = _clip(folder, tokenizer, known), overrides_of(name)
    overrides['released']['discriminative']['crop_size'] = (
        clip.model.config.vision_config.image_size)
    return ModelSet(
        name=name, trained=True, notice=NOTICES[name], overrides=overrides,
        diffusion=_diffusion(folder, tokenizer, known), clip=clip,
        sam=_sam(folder, known, name), device=torch.device('cpu'), dtype=torch.float16)


def _diffusion(folder: Path, tokenizer: Any, known: ModelSet | None) -> DiffusionModels:
    found = None if known is None else known.diffusion
    if found is not None and not (folder / 'vae').is_dir():
        vae = found.vae.half()
    else:
        weights, scale = _weights(folder / 'vae', 'vae.pt')
        vae = _filled(build_vae(scale), weights)
    if found is not None and not (folder / 'unet').is_dir():
        return DiffusionModels(vae, found.unet.half(), found.scheduler,
                               found.text_encoder.half(), found.tokenizer)
    both = build_diffusion(tokenizer)
    both.load_state_dict(_weights(folder / 'unet', 'unet.pt')[0])
    unet, text = (both[name].half().eval() for name in ('unet', 'text'))
    return DiffusionModels(vae, unet, build_scheduler(), text, tokenizer)


def _clip(folder: Path, tokenizer: Any, known: ModelSet | None) -> ClipModels:
    if known is not None and not (folder / 'clip').is_dir():
        return ClipModels(known.clip.model.half(), known.clip.tokenizer)
    weights, _ = _weights(folder / 'clip', 'clip.pt')
    return ClipModels(_filled(build_clip(tokenizer, side_of(weights)), weights), tokenizer)


def _sam(folder: Path, known: ModelSet | None, name: str) -> torch.nn.Module:
    if known is not None and not (folder / 'sam').is_dir():
        return known.sam.half()
    return _filled(build_tabletop_sam(name), _weights(folder / 'sam', 'sam.pt')[0])


def _filled(model: torch.nn.Module, weights: dict[str, torch.Tensor]) -> torch.nn.Module:
    model.load_state_dict(weights)
    return model.half().eval()


def _weights(folder: Path, name: str) -> tuple[dict[str, torch.Tensor], float]:
    path = folder / name
    if not path.exists():
        path = folder / 'checkpoint.pt'
    state = torch.load(path, map_location='cpu', weights_only=True)
    return state.get('averaged', state['model']), state.get('scaling_factor', 1.0)


if __name__ == '__main__':
    main()
