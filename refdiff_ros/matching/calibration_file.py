"""A calibration in a file of its own: what `refdiff calibrate` writes and the node reads.

    {"format": 1, "bundle": "sd15_vit_h", "weights_sha256": "...", "preset": "onboard",
     "mode": "full", "data": {"kind": "bag", "name": "kitchen", "cases": 300, ...},
     "calibration": {"fit": {"bias": -11.1, ...}, "bias": 0.1, ...},
     "cross_validated": {"macro_f1": 0.87, ...}}

It holds for one bundle with these weights, one preset and one mode, and is refused for any other.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
import json
from pathlib import Path
from typing import Any

from refdiff_ros.config import CalibrationConfig, FitWeights
from refdiff_ros.errors import BadRequestError, RefDiffError
from refdiff_ros.models.home import expanded
from refdiff_ros.models.model_set import ModelSet
from refdiff_ros.models.weights_digest import weights_sha256

FORMAT = 1


@dataclass(frozen=True)
class CalibrationFile:
    """A calibration and what it holds for.

    Attributes:
        bundle: name of the models.
        weights_sha256: of their weights.
        preset, mode: of the answers.
        data: what it was fitted on, for people.
        calibration: coefficients and thresholds; its mode is `mode`.
        cross_validated: figures on cases that each fit had not seen.
    """

    bundle: str
    weights_sha256: str
    preset: str
    mode: str
    data: Mapping[str, Any]
    calibration: CalibrationConfig
    cross_validated: Mapping[str, Any] = field(default_factory=dict)

    def require_for(self, where: object, models: tuple[str, str], preset: str, mode: str) -> None:
        """Nothing, if the calibration holds for what is to answer.

        Args:
            where: names the calibration in the error.
            models: the bundle's name and `weights_sha256`.
            preset, mode: of the answers.

        Raises:
            BadRequestError: it holds for something else; says what differs.
        """
        bundle, weights = models
        for name, own, other in (('bundle', self.bundle, bundle), ('preset', self.preset, preset),
                                 ('mode', self.mode, mode)):
            if own != other:
                raise BadRequestError(
                    f"expected a calibration for {name} '{other}', but {where} is for '{own}': "
                    f"run 'refdiff calibrate' with this {name}, or take the calibration away")
        if self.weights_sha256 != weights:
            raise BadRequestError(
                f"expected a calibration of the weights that '{bundle}' has now, but {where} is "
                "of others of that name: run 'refdiff calibrate' once more")


def take_calibration(
    models: ModelSet, path: Path, asked: str, preset: str, mode: str,
) -> CalibrationFile:
    """Have a bundle answer by a calibration from a file, in place of its own.

    Args:
        models: the loaded bundle; its overrides are replaced.
        path: of the file.
        asked: what the bundle was loaded by.
        preset, mode: of the answers.

    Raises:
        BadRequestError: there is no calibration, or it holds for something else.
    """
    file = read_calibration(expanded(path))
    file.require_for(path, (models.name, weights_sha256(asked, models)), preset, mode)
    own = models.overrides.get(preset, {})
    models.overrides = {**models.overrides, preset: {
        **own, 'calibration': asdict(file.calibration),
        'selection': {**own.get('selection', {}), 'decide': 'calibrated'}}}
    return file


def read_calibration(path: Path) -> CalibrationFile:
    """The calibration in a file.

    Raises:
        BadRequestError: there is none, or it is not what `refdiff calibrate` writes.
    """
    try:
        values = json.loads(path.read_text(encoding='utf-8'))
        if values['format'] != FORMAT:
            raise ValueError(f'format {values["format"]!r:.20} in place of {FORMAT}')
        fitted = dict(values['calibration'])
        calibration = CalibrationConfig(
            **{**fitted, 'fit': FitWeights(**fitted['fit']), 'mode': values['mode']})
        known = {each.name for each in fields(CalibrationFile)} - {'calibration'}
        return CalibrationFile(
            calibration=calibration, **{name: values[name] for name in sorted(known)})
    except OSError as error:
        raise BadRequestError(f'expected a calibration at {path}, got: {error}') from error
    except (ValueError, TypeError, KeyError, RecursionError, RefDiffError) as error:
        raise BadRequestError(
            f"expected a calibration that 'refdiff calibrate' wrote at {path}, got: "
            f'{type(error).__name__}: {error}') from error


def write_calibration(path: Path, file: CalibrationFile) -> None:
    """Write the file; its folder is made.

    Raises:
        RefDiffError: it cannot be written, as on a full disk.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            json.dumps({'format': FORMAT, **asdict(file)}, indent=1, allow_nan=False) + '\n',
            encoding='utf-8')
    except OSError as error:
        raise RefDiffError(
            f'expected to write the calibration to {path}, got: {error}') from error
