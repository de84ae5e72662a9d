"""Calibrate a bundle on the validation split: `python -m training.tabletop.calibrate`.

Asks the expressions of `refdiff evaluate decisions`, fits as `refdiff calibrate` does and prints
what goes into `bundle.json`. With `--cache` answers are kept, so
that only the fit is done anew; delete the file when anything that answers has changed.
"""

import argparse
from dataclasses import asdict, replace
from functools import partial
import json
from pathlib import Path

import numpy as np

from refdiff_ros.config import CalibrationConfig
from refdiff_ros.console import Progress
from refdiff_ros.engine import Engine, resolve_preset
from refdiff_ros.evaluation.calibrating.collecting import row_of, stacked
from refdiff_ros.evaluation.calibrating.fitting import calibrated, Collected, summary, thresholds
from refdiff_ros.evaluation.decisions.cases import decision_cases, SETS
from refdiff_ros.models.bundle import MANIFEST
from refdiff_ros.models.manager import load_bundle
from refdiff_ros.sim.splits import get_split

_BUNDLE = 'tabletop_mini'
_PRESET = 'onboard'


def main(arguments: list[str] | None = None) -> None:
    """Collect, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--bundle', default=_BUNDLE, help='name or folder')
    parser.add_argument('--split', default='val', help='such as val, or tabletop20_val')
    parser.add_argument('--limit', type=int, default=300, help='expressions of each set and half')
    parser.add_argument('--least-found', type=float, default=0.9,
                        help='share of expressions true of one object that must stay FOUND')
    parser.add_argument('--least-asked', type=float, metavar='SHARE',
                        help='share of expressions true of several objects that must be asked '
                        'about, and then as few needless questions as that allows')
    parser.add_argument('--decide', choices=('thresholds', 'likeliest'), default='thresholds',
                        help='as calibration.decide')
    parser.add_argument('--cache', type=Path, help='.npz with the answers, read where it exists')
    parser.add_argument('--into', type=Path, metavar='FOLDER',
                        help="the bundle's folder, whose bundle.json is written")
    parser.add_argument('--device', default='cpu')
    options = parser.parse_args(arguments)
    if options.cache is not None and options.cache.is_file():
        with np.load(options.cache) as kept:
            found = Collected(**kept)
    else:
        found = collect(options.bundle, options.split, options.limit, options.device)
        if options.cache is not None:
            np.savez_compressed(options.cache, **vars(found))
    config = replace(calibrated(
        found, options.least_found, choose=partial(thresholds, least_asked=options.least_asked)),
        decide=options.decide)
    print(json.dumps(summary(found, config), indent=1))
    print(json.dumps({'calibration': asdict(config)}, indent=1))
    if options.into is not None:
        write(options.into / MANIFEST, config)


def collect(bundle: str, split: str, limit: int, device: str) -> Collected:
    """Ask everything and keep what the calibration needs; as much of each half of the split."""
    models = load_bundle(bundle, device=device)
    engine = Engine(models, resolve_preset(models, _PRESET))
    rows, halves = [], halves_of(split)
    with Progress('case', limit * len(SETS) * len(halves)) as progress:
        for half in halves:
            for case in decision_cases(split, limit, half):
                answer = engine.segment(case.view.frame, case.text, check=False)
                rows.append(row_of(answer, case.view.frame, case.view.masks, case.rows,
                                   case.truth, engine.preset.selection))
                progress.step()
    return stacked(rows)


def halves_of(split: str) -> tuple[str, ...]:
    """Both halves of a split, where it asks for pairs that training lacked; else 'all' of it."""
    known = get_split(split)
    return ('all',) if known.unseen_from == known.count else ('seen', 'unseen')


def write(path: Path, config: CalibrationConfig) -> None:
    """Put the calibration into a bundle's manifest."""
    values = json.loads(path.read_text(encoding='utf-8'))
    values.setdefault('overrides', {}).setdefault(_PRESET, {})['calibration'] = asdict(config)
    path.write_text(json.dumps(values, indent=1) + '\n', encoding='utf-8')
    print(f'wrote {path}')


if __name__ == '__main__':
    main()
