"""What a run was asked: enough to tell whether another run asks the same."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
import hashlib
import json
from typing import Any

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.sample import Sample

_SHOWN = 6
# `values` says the same and more: what a preset's name and the overrides come to.
_IMPLIED = ('overrides', 'values.name')


@dataclass(frozen=True)
class Question:
    """A run's question. Two runs with the same one give the same answers.

    Attributes:
        dataset, split: what was asked.
        half: of the tabletop's test set; 'all' elsewhere.
        limit: the first samples only; None for all.
        samples: how many they are.
        samples_sha256: of their ids, pictures and expressions, in order.
        bundle, trained: the models.
        weights_sha256: of the weights, as from `weights_sha256`.
        preset: name of the reading of the method.
        overrides: what was asked in place of the preset's values.
        values: what the preset, the bundle's tuned values and the overrides come to.
        mode: G, GS, DS, full, or the name of another method.
        seed: of the diffusion noise.
        device, dtype: kind of device and type of number: answers differ a little between them.

    Raises:
        BadRequestError: a value of another type.
    """

    dataset: str
    split: str
    half: str
    limit: int | None
    samples: int
    samples_sha256: str
    bundle: str
    trained: bool
    weights_sha256: str
    preset: str
    overrides: Mapping[str, Any]
    values: Mapping[str, Any]
    mode: str
    seed: int
    device: str
    dtype: str

    def __post_init__(self):
        for each in fields(self):
            kind = Mapping if each.name in ('overrides', 'values') else each.type
            value = getattr(self, each.name)
            if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
                raise BadRequestError(f"expected a question's {each.name} as "
                                      f'{getattr(kind, "__name__", kind)}, got {value!r:.60}')

    def as_json(self) -> dict[str, Any]:
        """The question as it looks when it is read from JSON again."""
        return json.loads(json.dumps(asdict(self)))

    def summary(self) -> dict[str, Any]:
        """`as_json` without the many `values`."""
        return {name: value for name, value in self.as_json().items() if name != 'values'}

    def differences(self, kept: 'Question') -> list[str]:
        """What this question has otherwise than the one of a kept run, one text each."""
        there, here = _flat(kept.as_json()), _flat(self.as_json())
        return [f'{name} {there.get(name)!r:.80} there, {here.get(name)!r:.80} asked'
                for name in dict.fromkeys((*there, *here))
                if there.get(name) != here.get(name) and not name.startswith(_IMPLIED)]

    def require_same(self, kept: 'Question', where: object) -> None:
        """Nothing, if a kept run was asked the same.

        Raises:
            BadRequestError: it was not; says what differs.
        """
        found = self.differences(kept)
        if found:
            more = f'; and {len(found) - _SHOWN} more' if len(found) > _SHOWN else ''
            raise BadRequestError(
                f'expected the question that {where} holds answers to, got another: '
                f'{"; ".join(found[:_SHOWN])}{more}. Ask the same, or take another folder')

    def __str__(self) -> str:
        half = '' if self.half == 'all' else f' ({self.half})'
        return f'{self.dataset} {self.split}{half}, {self.bundle}, {self.preset}, {self.mode}'


def samples_sha256(samples: Sequence[Sample]) -> str:
    """Of ids, pictures and expressions, in order: another list gives another digest."""
    hasher = hashlib.sha256()
    for sample in samples:
        told = [sample.sample_id, sample.image_id, sample.expression]
        hasher.update(json.dumps(told).encode() + b'\n')
    return hasher.hexdigest()


def _flat(values: Mapping[str, Any], prefix: str = '') -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            found |= _flat(value, f'{prefix}{name}.')
        else:
            found[f'{prefix}{name}'] = value
    return found
