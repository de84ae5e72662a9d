"""The command that calibrates a bundle, on evidence that is kept."""

import json

import numpy as np

from refdiff_ros.config import CalibrationConfig, FitWeights
from refdiff_ros.evaluation.calibrating import fitting
from refdiff_ros.models.bundle import parse_manifest
from training.tabletop import calibrate


def _collected(cases=200, seed=0):
    """Cases of one region each, which fits where it matches; every fourth shows two."""
    rng = np.random.default_rng(seed)
    known = rng.uniform(0, 1, (cases, 8, 6)) * [1, -0.1, 0.3, 1, 0, 1]
    judged = np.arange(8) < np.where(np.arange(cases) % 4 == 0, 2, 1)[:, None]
    fits = (known[..., 0] > 0.5) & judged
    count = fits.sum(axis=1)
    return fitting.Collected(
        known, judged, fits, fits[:, 0] / np.maximum(count, 1),
        np.select([count == 0, count == 1], [1, 0], 2))


def test_kept_answers_are_fitted_and_written_by_one_command(tmp_path, capsys):
    found = _collected()
    np.savez_compressed(tmp_path / 'answers.npz', **vars(found))
    manifest = {
        'format': 1, 'name': 'some', 'trained': True, 'parts': {
            name: {'layout': layout, 'files': [{'path': 'a', 'sha256': '0' * 64}]}
            for name, layout in (('diffusion', 'diffusers'), ('clip', 'transformers'))},
        'overrides': {'onboard': {'selection': {'alpha': 0.2}}}}
    (tmp_path / 'bundle.json').write_text(json.dumps(manifest))
    calibrate.main(['--cache', str(tmp_path / 'answers.npz'), '--into', str(tmp_path),
                    '--least-found', '0.5'])
    assert '"macro_f1"' in capsys.readouterr().out
    written = parse_manifest(json.loads((tmp_path / 'bundle.json').read_text()))
    values = written.overrides['onboard']
    assert values['selection'] == {'alpha': 0.2}
    assert CalibrationConfig(**{**values['calibration'], 'fit': FitWeights(
        **values['calibration']['fit'])}) == fitting.calibrated(found, 0.5)


def test_both_halves_of_a_split_are_asked_where_it_has_two():
    assert calibrate.halves_of('tabletop8_val') == ('all',)
    assert calibrate.halves_of('tabletop20_val') == ('seen', 'unseen')
