"""How good a calibration is that is fitted on N cases: `python bench/calibration_curve.py`.

Asks validation scenes what `refdiff calibrate` would ask, and test questions; fits draws of the
former and measures them on the latter. With `--cache` answers are kept; delete the folder when the
models change. Some 2,900 answers, a fifth of a second each of one free core for `tabletop_mini`;
`--labels` and `--test` shorten it.
"""

import argparse
from pathlib import Path

import numpy as np

from refdiff_ros.config import CalibrationConfig
from refdiff_ros.console import Progress
from refdiff_ros.engine import Engine, resolve_preset
from refdiff_ros.errors import RefDiffError
from refdiff_ros.evaluation.calibrating.collecting import Row, row_of, stacked
from refdiff_ros.evaluation.calibrating.fitting import (
    calibrated,
    Collected,
    decisions,
    probabilities,
    steady_thresholds,
)
from refdiff_ros.evaluation.calibrating.questions import absent_expressions
from refdiff_ros.evaluation.decisions.cases import decision_cases
from refdiff_ros.evaluation.decisions.figures import DECISIONS
from refdiff_ros.evaluation.metrics.reliability import expected_calibration_error
from refdiff_ros.language.expression import parse
from refdiff_ros.matching.calibration import right_probability
from refdiff_ros.models.manager import load_bundle
from refdiff_ros.results import Status

_SIZES = (50, 100, 300, 1000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--bundle', default='tabletop_mini')
    parser.add_argument('--labels', type=int, default=350, help='validation labels of each kind')
    parser.add_argument('--test', type=int, default=500, help='test questions of each kind')
    parser.add_argument('--draws', type=int, default=20)
    parser.add_argument('--least-found', type=float, default=0.9)
    parser.add_argument('--cache', type=Path)
    options = parser.parse_args()
    models = load_bundle(options.bundle, device='cpu')
    engine = Engine(models, resolve_preset(models, 'onboard'))
    labels, scenes, made = _kept(options.cache, 'labels', lambda: _labels(engine, options.labels))
    test, *_ = _kept(options.cache, 'test', lambda: _test(engine, options.test))
    print(f'{"cases":>8}{"draws":>7}' + ''.join(f'{name:>22}' for name in _names()) + '     ECE')
    _tell('shipped', [_figures(test, engine.preset.calibration)])
    for size in _SIZES:
        if size > len(scenes):
            print(f'{size} cases: only {len(scenes)} are there, see --labels')
            continue
        found = []
        for draw in range(options.draws):
            rows = _draw(scenes, size, np.random.default_rng(draw))
            try:
                config = calibrated(labels.take(rows), options.least_found, 'full',
                                    steady_thresholds, made[rows])
            except RefDiffError as error:
                print(f'{size} cases, draw {draw}: {error}')
            else:
                found.append(_figures(test, config))
        _tell(str(size), found)


def _kept(folder: Path | None, name: str, ask) -> tuple[Collected, np.ndarray, np.ndarray]:
    path = None if folder is None else folder / f'{name}.npz'
    if path is None or not path.is_file():
        found, scenes, made = ask()
        if path is None:
            return found, scenes, made
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, scenes=scenes, made=made, **vars(found))
    with np.load(path) as kept:
        values = dict(kept)
    return Collected(**{key: value for key, value in values.items()
                        if key not in ('scenes', 'made')}), values['scenes'], values['made']


def _labels(engine: Engine, limit: int) -> tuple[Collected, np.ndarray, np.ndarray]:
    """What labels of validation scenes say, and what was said of other scenes, scene by scene."""
    cases = [case for case in decision_cases('val', limit) if case.source in ('one', 'several')]
    absent = absent_expressions(
        [(str(case.scene), case.text) for case in cases],
        lambda text: parse(text, engine.models.nlp, engine.preset.root).root)
    rows: list[Row] = []
    scenes: list[int] = []
    made: list[bool] = []
    with Progress('case', 2 * len(cases)) as progress:
        for number, case in enumerate(cases):
            last = number + 1 == len(cases) or cases[number + 1].scene != case.scene
            asked = [(case.text, case.view.masks[list(case.rows)], case.truth)]
            if last:
                nothing = case.view.masks[:0]
                asked += [(text, nothing, Status.NOT_FOUND) for text in absent[str(case.scene)]]
            for place, (text, masks, truth) in enumerate(asked):
                answer = engine.segment(case.view.frame, text, check=False)
                rows.append(row_of(answer, case.view.frame, masks, range(len(masks)), truth,
                                   engine.preset.selection))
                scenes.append(case.scene)
                made.append(place > 0)
                progress.step()
    return stacked(rows), np.array(scenes), np.array(made)


def _test(engine: Engine, limit: int) -> tuple[Collected, np.ndarray, np.ndarray]:
    rows, scenes = [], []
    with Progress('case', 3 * limit) as progress:
        for case in decision_cases('test', limit, 'seen'):
            answer = engine.segment(case.view.frame, case.text, check=False)
            rows.append(row_of(answer, case.view.frame, case.view.masks, case.rows, case.truth,
                               engine.preset.selection))
            scenes.append(case.scene)
            progress.step()
    return stacked(rows), np.array(scenes), np.zeros(len(rows), bool)


def _draw(scenes: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Cases of scenes in an order by lot, whole but for the last one."""
    order = rng.permutation(np.unique(scenes))
    return np.concatenate([np.flatnonzero(scenes == scene) for scene in order])[:size]


def _names() -> list[str]:
    return [f'{name} {figure}' for name in DECISIONS[1:] for figure in ('recall', 'precision')] + [
        'FOUND recall']


def _figures(test: Collected, config: CalibrationConfig) -> list[float]:
    """As `_names`, and the expected calibration error."""
    fits = probabilities(test, config.fit)
    given = decisions(fits, config)
    found = []
    for place in (1, 2):
        found.append(np.mean(given[test.truth == place] == place))
        found.append(np.mean(test.truth[given == place] == place))
    found.append(np.mean(given[test.truth == 0] == 0))
    right = np.random.default_rng(0).random(len(fits)) < test.right
    claimed = [right_probability(each, config) for each in fits]
    return [*map(float, found), expected_calibration_error(claimed, right)]


def _tell(name: str, found: list[list[float]]) -> None:
    values = np.array(found)
    print(f'{name:>8}{len(values):>7}' + ''.join(
        f'{f"{mean:.3f} +- {spread:.3f}":>22}' for mean, spread in zip(
            values.mean(axis=0), values.std(axis=0))), flush=True)


if __name__ == '__main__':
    main()
