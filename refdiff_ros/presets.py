"""Three readings of the method as configuration: `paper`, `released`, `onboard`.

`paper` follows the published equations, `released` what the authors' code computes, `onboard` is
what the node runs. The reasons for each value of `onboard` are in the benchmark's tables.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
import json
from typing import Any

from refdiff_ros.config import (
    CalibrationConfig,
    DiscriminativeConfig,
    GenerativeConfig,
    Mode,
    ProposalConfig,
    require,
    SelectionConfig,
    SpatialConfig,
)
from refdiff_ros.errors import BadRequestError

__all__ = (
    'PRESETS',
    'CalibrationConfig',
    'DiscriminativeConfig',
    'GenerativeConfig',
    'Mode',
    'Preset',
    'ProposalConfig',
    'SelectionConfig',
    'SpatialConfig',
    'get_preset',
    'override',
    'parse_overrides',
)


@dataclass(frozen=True)
class Preset:
    """One reading of the whole method."""

    name: str
    # 'dependency', 'subject' (the first token that is ROOT or a subject) or 'rules' (the tree's
    # root, mended by rules); see `expression.parse`.
    root: str = 'dependency'
    generative: GenerativeConfig = field(default_factory=GenerativeConfig)
    proposals: ProposalConfig = field(default_factory=ProposalConfig)
    discriminative: DiscriminativeConfig = field(default_factory=DiscriminativeConfig)
    selection: SelectionConfig = field(default_factory=SelectionConfig)
    spatial: SpatialConfig = field(default_factory=SpatialConfig)
    calibration: CalibrationConfig = field(default_factory=CalibrationConfig)

    def __post_init__(self):
        require(self.root in ('dependency', 'subject', 'rules'),
                "root 'dependency', 'subject' or 'rules'", self.root)

    def override(self, values: Mapping[str, Any]) -> 'Preset':
        """A copy with nested values replaced: `{'generative': {'image_size': 128}}`.

        Raises:
            BadRequestError: a name that the preset does not have, or a value out of range.
        """
        return _override(self, values, self.name)


def _override(config: Any, values: Mapping[str, Any], path: str) -> Any:
    known = {f.name for f in fields(config)}
    changes = {}
    for name, value in values.items():
        if name not in known:
            raise BadRequestError(
                f'expected one of {sorted(known)} in {path}, got {name!r}')
        current = getattr(config, name)
        if is_dataclass(current):
            value = _override(current, value, f'{path}.{name}')
        elif isinstance(current, tuple):
            if isinstance(value, str):  # its letters would be taken for the values
                raise BadRequestError(
                    f'expected a list in {path}.{name}, such as ["one", "two"], got {value!r}')
            value = tuple(value)
        changes[name] = value
    return replace(config, **changes)


PAPER = Preset(
    name='paper',
    generative=GenerativeConfig(
        image_size=1024, fit='letterbox', unet_steps=2, attention='softmax',
        guidance_scale=None, normalise='once', sub_tokens='mean'),
)

RELEASED = Preset(
    name='released',
    root='subject',
    generative=GenerativeConfig(
        image_size=1024, fit='center_square', noise_ahead=1, unet_steps=2, attention='logits',
        guidance_scale=9.0, layers=('released',), normalise='each', sub_tokens='last',
        prompt_suffix=', ', sample_posterior=True),
    proposals=ProposalConfig(min_area_px=10_000, max_proposals=10),
    discriminative=DiscriminativeConfig(
        beta=0.3, mix='scores', positional='crop', ramp='two_thirds',
        directions=('left', 'right'), word_level=False, crop_fit='tight', crop_size=224,
        masked_input='native', layer='last', text_sentence=0.5, text_sentence_crop=1.0),
    selection=SelectionConfig(alpha=0.05, combination='additive'),
)

ONBOARD = Preset(
    name='onboard',
    root='rules',
    generative=GenerativeConfig(
        image_size=512, unet_steps=1, layers=('released',), normalise='picture'),
    proposals=ProposalConfig(
        weight_free='parts', points_per_side=16, largest_part=True, max_area_fraction=0.9),
    # Places are judged by geometry, so that CLIP need not: it reads the object's own phrase and
    # sees the object large.
    discriminative=DiscriminativeConfig(
        positional='none', text='phrase', crop_fit='box',
        directions=('left', 'right', 'top', 'bottom', 'middle', 'front', 'back'),
        root_only=True),
    selection=SelectionConfig(
        weight_free='otsu', ambiguity_margin=0.0, decide='calibrated'),
    spatial=SpatialConfig(kind='geometry'),
)

PRESETS = {preset.name: preset for preset in (PAPER, RELEASED, ONBOARD)}


def get_preset(name: str) -> Preset:
    """The preset called `name`.

    Raises:
        BadRequestError: no preset has that name.
    """
    if name not in PRESETS:
        raise BadRequestError(f'expected a preset of {sorted(PRESETS)}, got {name!r}')
    return PRESETS[name]


def parse_overrides(texts: Sequence[str]) -> dict[str, Any]:
    """Nested values from 'selection.alpha=0.2': JSON where it is JSON, else text.

    Raises:
        BadRequestError: no '=', or a name that is a value and a group at once.
    """
    values: dict[str, Any] = {}
    for text in texts:
        path, equals, written = text.partition('=')
        if not equals or not all(path.split('.')):
            raise BadRequestError(f'expected KEY=VALUE such as selection.alpha=0.2, got {text!r}')
        *groups, name = path.split('.')
        inside = values
        for group in groups:
            inside = inside.setdefault(group, {})
            if not isinstance(inside, dict):
                raise BadRequestError(f'expected one value or a group in {group!r}, got both')
        try:
            inside[name] = json.loads(written)
        except (ValueError, RecursionError):  # no JSON, or none to be kept busy by
            inside[name] = written
    return values


def override(preset: Preset, values: Mapping[str, Any]) -> Preset:
    """`preset` with values that a person typed, as `Preset.override`.

    Raises:
        BadRequestError: as there, and for a value of another type.
    """
    try:
        return preset.override(values)
    except (TypeError, AttributeError) as error:
        raise BadRequestError(
            f'expected values of the types that {preset.name} has, got {values}: {error}'
        ) from error
