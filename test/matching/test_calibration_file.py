"""Calibrations in files: read as written, refused for anything else."""

from dataclasses import replace
import json

import pytest
from tiny_models import tiny_model_set

from refdiff_ros.config import CalibrationConfig, FitWeights
from refdiff_ros.engine import resolve_preset
from refdiff_ros.errors import BadRequestError
from refdiff_ros.matching.calibration_file import (
    CalibrationFile,
    read_calibration,
    take_calibration,
    write_calibration,
)
from refdiff_ros.models.store import UNTRAINED
from refdiff_ros.models.weights_digest import weights_sha256

CONFIG = CalibrationConfig('full', FitWeights(bias=-3.0, match=9.0), 0.1, 0.9, 0.4, 0.6)


@pytest.fixture
def models():
    return tiny_model_set()


@pytest.fixture
def file(models):
    return CalibrationFile('tiny', weights_sha256(UNTRAINED, models), 'onboard', 'full',
                           {'kind': 'bag', 'name': 'kitchen', 'cases': 300}, CONFIG,
                           {'macro_f1': 0.8})


def test_what_is_written_is_read(file, tmp_path):
    path = tmp_path / 'new' / 'some.json'
    write_calibration(path, file)
    assert read_calibration(path) == file


def test_a_bundle_answers_by_it(file, models, tmp_path):
    models.overrides['onboard'] = {'selection': {'alpha': 0.2, 'decide': 'scores'}}
    write_calibration(tmp_path / 'some.json', file)
    take_calibration(models, tmp_path / 'some.json', UNTRAINED, 'onboard', 'full')
    preset = resolve_preset(models, 'onboard')
    assert preset.calibration == CONFIG
    assert (preset.selection.alpha, preset.selection.decide) == (0.2, 'calibrated')


@pytest.mark.parametrize('changes, message', [
    ({'bundle': 'sd15_vit_h'}, "for bundle 'tiny', but .* is for 'sd15_vit_h'"),
    ({'preset': 'paper'}, "for preset 'onboard', but .* is for 'paper'"),
    ({'mode': 'DS', 'calibration': replace(CONFIG, mode='DS')},
     "for mode 'full', but .* is for 'DS'"),
    ({'weights_sha256': '00'}, "weights that 'tiny' has now")])
def test_another_bundle_preset_or_mode_is_refused(file, models, tmp_path, changes, message):
    write_calibration(tmp_path / 'some.json', replace(file, **changes))
    before = dict(models.overrides)
    with pytest.raises(BadRequestError, match=message):
        take_calibration(models, tmp_path / 'some.json', UNTRAINED, 'onboard', 'full')
    assert models.overrides == before


@pytest.mark.parametrize('damage', [
    lambda values: values.pop('mode'), lambda values: values.update(format=2),
    lambda values: values['calibration'].update(fits_from=3),
    lambda values: values['calibration']['fit'].update(bias='x'),
    lambda values: values['calibration'].update(more=1)])
def test_a_damaged_file_is_told(file, tmp_path, damage):
    path = tmp_path / 'some.json'
    write_calibration(path, file)
    values = json.loads(path.read_text())
    damage(values)
    path.write_text(json.dumps(values))
    with pytest.raises(BadRequestError, match="that 'refdiff calibrate' wrote"):
        read_calibration(path)


def test_no_file_is_told(tmp_path):
    with pytest.raises(BadRequestError, match='expected a calibration at'):
        read_calibration(tmp_path / 'none.json')
    (tmp_path / 'list.json').write_text('[1]')
    with pytest.raises(BadRequestError, match="that 'refdiff calibrate' wrote"):
        read_calibration(tmp_path / 'list.json')
