"""The report of `refdiff evaluate decisions` as one HTML file, without any script."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from refdiff_ros.evaluation.figures import shown
from refdiff_ros.evaluation.html import charts
from refdiff_ros.evaluation.html.templates import Cell, render_page, Table, write_page

_WRONG = 200  # cases that are listed
_SETTINGS = ('bundle', 'preset', 'mode', 'split', 'half', 'seed', 'overrides', 'calibrated')


def write_decisions(path: Path, written: Mapping[str, Any]) -> None:
    """Write what `--json` writes as a page; the folder is made.

    Raises:
        RefDiffError: the file cannot be written, as on a full disk.
        MissingPackageError: Jinja2 is not installed.
    """
    write_page(path, decisions_page(written))


def decisions_page(written: Mapping[str, Any]) -> str:
    """The whole document.

    Args:
        written: figures, settings and 'results', as `--json` writes them; for another page than
            that of `refdiff evaluate decisions` also 'heading' and 'note'.
    """
    asked = ', '.join(str(written[name]) for name in _SETTINGS[:5])
    wrong = [one for one in written['results'] if one['status'] != one['truth']]
    return render_page(
        'decisions.html', title=f'decisions, {asked}',
        heading=written.get('heading', 'FOUND, NOT_FOUND, AMBIGUOUS'),
        note=written.get('note', ''), warnings=_warnings(written),
        confusion=_confusion(written), macro_f1=shown(written['macro_f1']),
        sources=_sources(written), presence=_presence(written), confidence=_confidence(written),
        bins=len(written['confidence']['all questions']['bins']), charts=_charts(written),
        wrong=_wrong(wrong[:_WRONG]), more=len(wrong[_WRONG:]),
        settings={name: [str(written[name])] for name in _SETTINGS})


def _warnings(written: Mapping[str, Any]) -> list[str]:
    said = []
    if not written['trained']:
        said.append('The weights are random: the figures say nothing about the method.')
    if not written['calibrated']:
        said.append('There is no calibration for this bundle, preset and mode: the confidence is '
                    'a share of scores, and NOT_FOUND goes by selection.min_presence.')
    return said


def _confusion(written: Mapping[str, Any]) -> Table:
    answers = list(written['confusion']['FOUND'])
    rows = [(truth, [
        *(Cell(str(counts[answer])) for answer in answers),
        *(_with_interval(written, figure, truth) for figure in ('precision', 'recall'))])
        for truth, counts in written['confusion'].items()]
    return _table('right decision', (*answers, 'precision', 'recall'), rows)


def _with_interval(written: Mapping[str, Any], figure: str, name: str) -> Cell:
    low, high = written[f'{figure}_interval'][name]
    return Cell(shown(written[figure][name]),
                '' if low is None else f'{low:.3f} to {high:.3f}')


def _sources(written: Mapping[str, Any]) -> Table:
    rows = [(name, [Cell(shown(share))]) for name, share in written['recall_by_source'].items()]
    return _table('source of the questions', ('right decisions',), rows)


def _presence(written: Mapping[str, Any]) -> Table:
    names = {'auroc': 'AUROC', 'present_refused': 'present, refused',
             'absent_refused': 'absent, refused'}
    row = [Cell(shown(written['presence'][name])) for name in names]
    return _table('of', tuple(names.values()), [('presence', row)])


def _confidence(written: Mapping[str, Any]) -> Table:
    rows = [(name, [Cell(str(some['cases'])), *(Cell(shown(some[key])) for key in (
        'right', 'mean_confidence', 'ece', 'brier'))])
        for name, some in written['confidence'].items()]
    return _table('of', ('cases', 'right', 'claimed', 'ECE', 'Brier'), rows)


def _charts(written: Mapping[str, Any]) -> list[str]:
    drawn = [charts.reliability_chart(f'Reliability: {name}', some['bins'])
             for name, some in written['confidence'].items()]
    bins = written['confidence']['all questions']['bins']
    return [*drawn, charts.count_chart('Confidence of all questions', bins)]


def _wrong(wrong: Sequence[Mapping[str, Any]]) -> Table:
    heads = ('scene', 'source', 'right', 'answered', 'confidence', 'presence', 'question')
    return _table('expression', heads, [(one['expression'], [Cell(text) for text in (
        str(one['scene']), one['source'], one['truth'], one['status'],
        f'{one["confidence"]:.2f}', shown(one['presence']), one['question'])]) for one in wrong])


def _table(
    first: str, heads: Iterable[str], rows: Sequence[tuple[str, Sequence[Cell]]],
) -> Table:
    return Table(first, first, [Cell(head) for head in heads], rows)
