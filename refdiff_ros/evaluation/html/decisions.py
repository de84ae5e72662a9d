"""The report of `refdiff evaluate decisions` as one HTML file, without any script."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from refdiff_ros.errors import RefDiffError
from refdiff_ros.evaluation.html import charts
from refdiff_ros.evaluation.html.page import asset, content_policy

_WRONG = 200  # cases that are listed
_SETTINGS = ('bundle', 'preset', 'mode', 'split', 'half', 'seed', 'overrides', 'calibrated')


def write_decisions(path: Path, written: Mapping[str, Any]) -> None:
    """Write what `--json` writes as a page; the folder is made.

    Raises:
        RefDiffError: the file cannot be written, as on a full disk.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(decisions_page(written), encoding='utf-8')
    except OSError as error:
        raise RefDiffError(f'expected to write the report to {path}, got: {error}') from error


def decisions_page(written: Mapping[str, Any]) -> str:
    """The whole document.

    Args:
        written: figures, settings and 'results', as `--json` writes them.
    """
    style = asset('report.css')
    asked = escape(', '.join(str(written[name]) for name in _SETTINGS[:5]))
    wrong = [one for one in written['results'] if one['status'] != one['truth']]
    settings = ''.join(f'<tr><th scope="row">{name}</th><td>{escape(str(written[name]))}</td></tr>'
                       for name in _SETTINGS)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{content_policy('', style)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>decisions, {asked} - refdiff</title>
<style>{style}</style>
</head>
<body>
<main>
<p class="over">refdiff evaluation</p>
<h1>FOUND, NOT_FOUND, AMBIGUOUS</h1>
{_warnings(written)}
<h2>Decisions</h2>
{_confusion(written)}
<p class="note">Rows: what is right; columns: what was answered. Macro F1
{_text(written['macro_f1'])}. Below each figure its 95&nbsp;% bootstrap interval, scenes drawn
whole.</p>
{_sources(written)}
<h2>Confidence</h2>
{_confidence(written)}
<p class="note">Bars and dots: share of cases whose best region is the object meant (IoU 0.5 or
more); a dot stands at its bin's mean confidence. Dashes: a perfect confidence. Where several
objects fit, the one meant was drawn by lot; where none does, no region is right. ECE and diagram
have {len(written['confidence']['all questions']['bins'])} bins of equal width.</p>
<div class="charts">{_charts(written)}</div>
<h2>Wrong decisions</h2>
{_wrong(wrong)}
<details><summary>Settings of the run</summary><table class="settings">{settings}</table></details>
</main>
</body>
</html>
"""


def _warnings(written: Mapping[str, Any]) -> str:
    said = []
    if not written['trained']:
        said.append('The weights are random: the figures say nothing about the method.')
    if not written['calibrated']:
        said.append('There is no calibration for this bundle, preset and mode: the confidence is '
                    'a share of scores, and decisions go by score thresholds.')
    return ''.join(f'<p class="warning">{text}</p>' for text in said)


def _confusion(written: Mapping[str, Any]) -> str:
    answers = list(written['confusion']['FOUND'])
    rows = []
    for truth, counts in written['confusion'].items():
        cells = [str(counts[answer]) for answer in answers]
        cells += [_with_interval(written, figure, truth) for figure in ('precision', 'recall')]
        rows.append((truth, cells))
    return _table('right decision', (*answers, 'precision', 'recall'), rows)


def _with_interval(written: Mapping[str, Any], figure: str, name: str) -> str:
    low, high = written[f'{figure}_interval'][name]
    under = '' if low is None else f'<span class="under">{low:.3f} to {high:.3f}</span>'
    return f'{_text(written[figure][name])} {under}'


def _sources(written: Mapping[str, Any]) -> str:
    rows = [(name, [_text(share)]) for name, share in written['recall_by_source'].items()]
    return _table('source of the questions', ('right decisions',), rows)


def _confidence(written: Mapping[str, Any]) -> str:
    rows = [(name, [str(some['cases']), *(_text(some[key]) for key in (
        'right', 'mean_confidence', 'ece', 'brier'))])
        for name, some in written['confidence'].items()]
    return _table('of', ('cases', 'right', 'claimed', 'ECE', 'Brier'), rows)


def _charts(written: Mapping[str, Any]) -> str:
    drawn = [charts.reliability_chart(f'Reliability: {name}', some['bins'])
             for name, some in written['confidence'].items()]
    bins = written['confidence']['all questions']['bins']
    return ''.join([*drawn, charts.count_chart('Confidence of all questions', bins)])


def _wrong(wrong: Sequence[Mapping[str, Any]]) -> str:
    if not wrong:
        return '<p class="note">None.</p>'
    rows = [(one['expression'], [
        str(one['scene']), one['source'], one['truth'], one['status'],
        f'{one["confidence"]:.2f}', _text(one['presence']), escape(one['question'])])
        for one in wrong[:_WRONG]]
    more = f'<p class="note">And {len(wrong) - _WRONG} more.</p>' if len(wrong) > _WRONG else ''
    heads = ('scene', 'source', 'right', 'answered', 'confidence', 'presence', 'question')
    return _table('expression', heads, rows) + more


def _table(first: str, heads: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    """A table; names are escaped here, cells are HTML already."""
    head = ''.join(f'<th scope="col">{escape(name)}</th>' for name in (first, *heads))
    body = ''.join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + ''.join(f'<td>{cell}</td>' for cell in cells) + '</tr>' for name, cells in rows)
    return (f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(first)}">'
            f'<table class="figures"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
            '</div>')


def _text(value: float | None) -> str:
    return '-' if value is None else f'{value:.3f}'
