"""Weights to go on from: `python -m training.tabletop.start --bundle FOLDER --out FOLDER`.

Takes a shipped bundle apart into `vae/vae.pt` and into `start.pt` in `unet`, `sam` and `clip`, in
the form in which the trainings read them. Words that the vocabulary has gained since get random
vectors.
"""

import argparse
from pathlib import Path
from typing import Any

import torch

from refdiff_ros.models.manager import load_bundle
from refdiff_ros.models.mini_tokenizer import build_tokenizer


def main(arguments: list[str] | None = None) -> None:
    """Write the weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--bundle', required=True, help='name or folder')
    parser.add_argument('--out', required=True, type=Path)
    options = parser.parse_args(arguments)
    models = load_bundle(options.bundle, device='cpu')
    for name in ('vae', 'unet', 'sam', 'clip'):
        (options.out / name).mkdir(parents=True, exist_ok=True)
    diffusion = models.diffusion
    torch.save({'model': diffusion.vae.float().state_dict(),
                'scaling_factor': float(diffusion.vae.config.scaling_factor)},
               options.out / 'vae' / 'vae.pt')
    both = torch.nn.ModuleDict({'unet': diffusion.unet, 'text': diffusion.text_encoder}).float()
    for name, state, tokenizer in (('unet', both.state_dict(), diffusion.tokenizer),
                                   ('clip', models.clip.model.float().state_dict(),
                                    models.clip.tokenizer)):
        table = next(key for key in state if key.endswith('token_embedding.weight'))
        state[table] = grown(state[table], tokenizer, build_tokenizer(),
                             torch.Generator().manual_seed(0))
        torch.save({'model': state}, options.out / name / 'start.pt')
    torch.save({'model': models.sam.float().state_dict()}, options.out / 'sam' / 'start.pt')


def grown(
    table: torch.Tensor, old: Any, new: Any, generator: torch.Generator,
) -> torch.Tensor:
    """The vectors of a larger vocabulary: each known token keeps its own.

    Args:
        table: (V, D) vectors of the tokens of `old`.
        old, new: tokenizers.
        generator: of the vectors of tokens that `old` lacks.
    """
    known, wanted = old.get_vocab(), new.get_vocab()
    result = torch.randn(len(wanted), table.shape[1], generator=generator) * table.std()
    for token, row in wanted.items():
        if token in known:
            result[row] = table[known[token]]
    return result


if __name__ == '__main__':
    main()
