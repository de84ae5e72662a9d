"""Two runs of the same samples, pair by pair."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.figures import aligned, by_tag, tags_of
from refdiff_ros.evaluation.metrics.bootstrap import bootstrap_interval
from refdiff_ros.evaluation.metrics.paired_t_test import paired_t_test
from refdiff_ros.evaluation.run import Answer
from refdiff_ros.evaluation.runs.folder import Run

Pair = tuple[Answer, Answer]


@dataclass(frozen=True)
class Paired:
    """The answers of two runs to the same samples.

    Attributes:
        pairs: of run A and run B, in the order of A.
        only_a, only_b: ids of samples that the other run has not.
        unscored: ids of samples that one of them could not read.
    """

    pairs: tuple[Pair, ...]
    only_a: tuple[str, ...] = ()
    only_b: tuple[str, ...] = ()
    unscored: tuple[str, ...] = ()


@dataclass(frozen=True)
class PairedFigures:
    """How run B does beside run A.

    Attributes:
        pairs: how many.
        mean_a, mean_b: mIoU of each.
        difference: B - A.
        interval: 95 % bootstrap interval of the difference, whole pictures drawn together.
        t, p: of the paired t-test, two-sided; None where there is none.
    """

    pairs: int
    mean_a: float
    mean_b: float
    difference: float
    interval: tuple[float, float]
    t: float | None
    p: float | None


def pair_runs(run_a: Run, run_b: Run) -> Paired:
    """Match the answers of two runs by their samples.

    Raises:
        BadRequestError: the runs share no sample that both could score, or are not of one data
            set.
    """
    if run_a.question.dataset != run_b.question.dataset:
        raise BadRequestError(
            f'expected two runs of one data set, got {run_a.question.dataset} in {run_a.path} and '
            f'{run_b.question.dataset} in {run_b.path}')
    a, b = run_a.answers, run_b.answers
    shared = [name for name in a if name in b]
    for name in shared:
        if a[name].expression != b[name].expression:
            raise BadRequestError(
                f'expected one expression of sample {name} in both runs, got '
                f'{a[name].expression!r} and {b[name].expression!r}: they are of other releases')
    scored = [name for name in shared if a[name].scored and b[name].scored]
    if not scored:
        raise BadRequestError(
            f'expected runs with scored samples in common, got {len(shared)} in common, none of '
            f'them scored in both: {run_a.path} is of {run_a.question.split}, {run_b.path} of '
            f'{run_b.question.split}')
    return Paired(
        tuple((a[name], b[name]) for name in scored),
        tuple(name for name in a if name not in b), tuple(name for name in b if name not in a),
        tuple(sorted(set(shared) - set(scored))))


def paired_figures(pairs: Sequence[Pair]) -> PairedFigures:
    """The figures of one pair or more.

    Raises:
        MissingPackageError: SciPy is not installed.
    """
    before = np.array([a.iou for a, _ in pairs])
    after = np.array([b.iou for _, b in pairs])
    differences = after - before
    interval = bootstrap_interval(differences, groups=[a.image_id for a, _ in pairs])
    t, p = paired_t_test(before, after)
    return PairedFigures(len(pairs), float(before.mean()), float(after.mean()),
                         float(differences.mean()), interval, t, p)


def compared(paired: Paired) -> dict[str, Any]:
    """Every figure of a comparison, ready for JSON, 'overall' and by each tag of run A."""
    of_a = [a for a, _ in paired.pairs]
    match = {a.sample_id: (a, b) for a, b in paired.pairs}
    return {
        'overall': asdict(paired_figures(paired.pairs)),
        **{f'by_{tag}': {
            value: asdict(paired_figures([match[answer.sample_id] for answer in some]))
            for value, some in by_tag(of_a, tag).items()} for tag in tags_of(of_a)},
        'only_a': list(paired.only_a), 'only_b': list(paired.only_b),
        'unscored': list(paired.unscored)}


def comparison_table(found: Mapping[str, Any]) -> str:
    """The text table of `compared`."""
    lines = [('', 'pairs', 'mIoU A', 'mIoU B', 'B - A', '95 %', 't', 'p'),
             _cells('overall', found['overall'])]
    for name, values in found.items():
        if name.startswith('by_'):
            lines += [_cells(f'{name[3:]}: {value}', some) for value, some in values.items()]
    head, *rows = aligned(lines)
    return '\n'.join([head, '-' * len(head), *rows])


def _cells(name: str, some: Mapping[str, Any]) -> tuple[str, ...]:
    low, high = some['interval']
    return (name, str(some['pairs']), f'{some["mean_a"]:.3f}', f'{some["mean_b"]:.3f}',
            f'{some["difference"]:+.3f}', f'{low:+.3f} to {high:+.3f}',
            '-' if some['t'] is None else f'{some["t"]:.2f}', _p_text(some['p']))


def _p_text(p: float | None) -> str:
    if p is None:
        return '-'
    return '< 0.0001' if p < 1e-4 else f'{p:.4f}'
