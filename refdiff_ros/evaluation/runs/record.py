"""The record of a run: what it was asked, what answered it, and its answers as JSON Lines.

Each line has a check sum of its own, so that a figure altered by hand or by a failing disk is
noticed. Lines of older runs have none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
import hashlib
import json
import numbers
from typing import Any

from refdiff_ros.console import from_json
from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.run import Answer, Sample

_SHOWN = 6
# `values` says the same and more: what a preset's name and the overrides come to.
_IMPLIED = ('overrides', 'values.name')
# The name of a line's check sum, and what each of its values may be; others are numbers.
_SUM = 'sum'
_TEXTS = ('sample_id', 'image_id', 'expression', 'status', 'error')
_OR_NONE = ('pointing', 'oracle_iou')


@dataclass(frozen=True)
class RunQuestion:
    """What a run was asked, and with what. Two runs with the same question give the same answers.

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

    def differences(self, kept: 'RunQuestion') -> list[str]:
        """What this question has otherwise than the one of a kept run, one text each."""
        there, here = _flat(kept.as_json()), _flat(self.as_json())
        return [f'{name} {there.get(name)!r:.80} there, {here.get(name)!r:.80} asked'
                for name in dict.fromkeys((*there, *here))
                if there.get(name) != here.get(name) and not name.startswith(_IMPLIED)]

    def require_same(self, kept: 'RunQuestion', where: object) -> None:
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


@dataclass(frozen=True)
class Loaded:
    """What a process has loaded, as far as its answers depend on it.

    Attributes:
        bundle, trained, notice: of the models.
        weights_sha256: as from `weights_sha256`.
        values: what the preset, the bundle's tuned values and the overrides come to.
        device, dtype: kind of device ('cpu', 'cuda') and type of number.
        torch: its version.
    """

    bundle: str
    trained: bool
    notice: str
    weights_sha256: str
    values: Mapping[str, Any]
    device: str
    dtype: str
    torch: str

    def require_same(self, others: 'Loaded') -> None:
        """Nothing, if this process has loaded what the others have.

        Raises:
            BadRequestError: it has not; says what differs.
        """
        told = [f'{each.name} {getattr(self, each.name)!r:.60} in place of '
                f'{getattr(others, each.name)!r:.60}' for each in fields(self)
                if getattr(self, each.name) != getattr(others, each.name)]
        if told:
            raise BadRequestError('expected all processes of a run to load the same, got one with '
                                  f'{"; ".join(told)}: their answers would differ')


def samples_sha256(samples: Sequence[Sample]) -> str:
    """Of ids, pictures and expressions, in order: another list gives another digest."""
    hasher = hashlib.sha256()
    for sample in samples:
        told = [sample.sample_id, sample.image_id, sample.expression]
        hasher.update(json.dumps(told).encode() + b'\n')
    return hasher.hexdigest()


def answer_line(answer: Answer) -> bytes:
    """One line, its end included. Numbers read from it are the same to the last digit."""
    values = asdict(answer)
    return json.dumps({**values, _SUM: _sum_of(values)}, allow_nan=False).encode() + b'\n'


def parse_answers(content: bytes, where: object) -> tuple[dict[str, Answer], int]:
    """The answers of a file, and how many of its bytes they take.

    What follows the last line end is what a killed process left of a line: it is left out.

    Args:
        content: of the file.
        where: names the file in errors.

    Returns:
        Answers by their sample's id, the last one of each, in the order of first lines; and the
        number of bytes up to the last line end.

    Raises:
        BadRequestError: a whole line is no answer, or not the one that was written.
    """
    whole = content.rfind(b'\n') + 1
    answers = {}
    for number, line in enumerate(content[:whole].splitlines(), 1):
        try:
            answer = _answer(from_json(line))
        except (ValueError, TypeError) as error:
            raise BadRequestError(f'expected an answer in line {number} of {where}, got '
                                  f'{line[:60]!r} ({error})') from error
        answers[answer.sample_id] = answer
    return answers, whole


def _answer(values: Any) -> Answer:
    if not isinstance(values, dict):
        raise TypeError(f'{type(values).__name__} in place of an object')
    claimed = values.pop(_SUM, None)
    if claimed is not None and claimed != _sum_of(values):
        raise ValueError('its check sum does not fit: the line was altered; take it out, and run '
                         'the same command again to ask it anew')
    for name, value in values.items():
        if name == 'tags':
            good = isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
        elif name in _TEXTS:
            good = isinstance(value, str)
        else:
            good = isinstance(value, numbers.Real) or (value is None and name in _OR_NONE)
        if not good:
            raise TypeError(f'{name} is {value!r:.40}')
    return Answer(**values)


def _sum_of(values: Mapping[str, Any]) -> str:
    text = json.dumps(values, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _flat(values: Mapping[str, Any], prefix: str = '') -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            found |= _flat(value, f'{prefix}{name}.')
        else:
            found[f'{prefix}{name}'] = value
    return found
