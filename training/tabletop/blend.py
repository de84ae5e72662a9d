"""Weights between two models: `python -m training.tabletop.blend --first A.pt --second B.pt`.

Between a model and what a further training made of it lie models that have learned most of the new
and forgotten less of the old (WiSE-FT, Wortsman et al. 2022).
"""

import argparse
from pathlib import Path

import torch


def main(arguments: list[str] | None = None) -> None:
    """Write the blend."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--first', required=True, type=Path, help='weights such as clip.pt')
    parser.add_argument('--second', required=True, type=Path, help='what was made of them')
    parser.add_argument('--share', type=float, default=0.5, help='of the second (default 0.5)')
    parser.add_argument('--out', required=True, type=Path)
    options = parser.parse_args(arguments)
    first, second = (torch.load(path, map_location='cpu', weights_only=True)['model']
                     for path in (options.first, options.second))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    torch.save({'model': blended(first, second, options.share)}, options.out)


def blended(
    first: dict[str, torch.Tensor], second: dict[str, torch.Tensor], share: float,
) -> dict[str, torch.Tensor]:
    """`first` moved by `share` of the way to `second`; what is not a real number is of `first`."""
    return {name: torch.lerp(value, second[name], share) if value.is_floating_point() else value
            for name, value in first.items()}


if __name__ == '__main__':
    main()
