"""The report as a file: text and charts from here, the table and the cases by its own script."""

import base64
from collections.abc import Sequence
import hashlib
from html import escape
import json
from pathlib import Path
import re
from typing import Any

from refdiff_ros.errors import RefDiffError
from refdiff_ros.evaluation.html import charts, summary
from refdiff_ros.evaluation.html.cases import Run, tag_names
from refdiff_ros.evaluation.html.comparison import compare, Comparison
from refdiff_ros.evaluation.html.gallery import Gallery, Kept

_ASSETS = Path(__file__).parent / 'assets'
_SCRIPTS = ('dom.js', 'table.js', 'case.js', 'report.js')


def write_report(path: Path, run: Run, other: Run | None = None,
                 gallery: Gallery | None = None) -> None:
    """Write a run, or two side by side, as one HTML file; the folder is made.

    Args:
        path: of the file, which is replaced.
        run: the first or only run.
        other: a second run, which is compared with the first.
        gallery: pictures of some of the first run's cases.

    Raises:
        RefDiffError: the file cannot be written, as on a full disk.
    """
    text = page(run, other, {} if gallery is None else gallery.sorts())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding='utf-8')
    except OSError as error:
        raise RefDiffError(f'expected to write the report to {path}, got: {error}') from error


def page(run: Run, other: Run | None, sorts: dict[str, list[Kept]]) -> str:
    """The whole document.

    Args:
        run, other: as in `write_report`.
        sorts: cases with pictures, as `Gallery.sorts` gives them.
    """
    runs = [run] if other is None else [run, other]
    found = None if other is None else compare(run, other)
    script = '\n'.join(asset(name) for name in _SCRIPTS)
    style = asset('report.css')
    filled = {
        'title': escape(' against '.join(each.name for each in runs)),
        'policy': content_policy(script, style),
        'style': style, 'script': script,
        'warnings': ''.join(
            summary.warnings(each, '' if other is None else f'{label}: ')
            for each, label in zip(runs, 'AB')),
        'comparison': '' if found is None else summary.comparison_words(found),
        'tiles': summary.tiles(runs), 'settings': summary.settings_table(runs),
        'charts': _charts(runs, found), 'breakdown': summary.breakdown(runs),
        'pictured': _pictured(sorts, len(run.answers)),
        'data': _embedded(_data(runs, found, sorts)),
    }
    # In one pass: what is filled in is not looked at again.
    return re.sub(r'\{\{(\w+)\}\}', lambda place: filled[place.group(1)], asset('report.html'))


def _charts(runs: Sequence[Run], found: Comparison | None) -> str:
    answers = [summary.scored(run) for run in runs]
    ious = [[answer.iou for answer in some] for some in answers]
    drawn = [charts.iou_chart(ious), charts.precision_chart(ious),
             charts.latency_chart([[answer.seconds for answer in some] for some in answers])]
    if found is not None:
        drawn.append(charts.difference_chart(found.differences))
    return ''.join(drawn)


def _pictured(sorts: dict[str, list[Kept]], cases: int) -> str:
    """Which cases have pictures, in words."""
    count = sum(len(kept) for kept in sorts.values())
    if not count:
        return ('No case has pictures: they are kept while a run goes on, by its option '
                '<code>--html</code>.')
    return (f'{count:,} of {cases:,} cases have pictures: the worst, the best, and some drawn '
            'from all others.')


def _data(runs: Sequence[Run], found: Comparison | None,
          sorts: dict[str, list[Kept]]) -> dict[str, Any]:
    """What the script works on: a list for each column, since names repeat in each row else."""
    rows = {answer.sample_id: row for row, answer in enumerate(runs[0].answers)}
    kept = {name: [each for each in some if each.sample_id in rows]
            for name, some in sorts.items()}
    return {
        'runs': [_columns(run) for run in runs],
        'pairs': None if found is None else [list(pair) for pair in found.rows],
        'gallery': {name: [rows[each.sample_id] for each in some]
                    for name, some in kept.items()},
        'pictures': {rows[each.sample_id]: each.pictures
                     for some in kept.values() for each in some},
    }


def _columns(run: Run) -> dict[str, Any]:
    answers = run.answers
    plain = {
        'id': [answer.sample_id for answer in answers],
        'expression': [answer.expression for answer in answers],
        'iou': [round(answer.iou, 4) if answer.scored else None for answer in answers],
        'intersection': [answer.intersection for answer in answers],
        'union': [answer.union for answer in answers],
        'pointing': [_rounded(answer.pointing) for answer in answers],
        'oracle': [_rounded(answer.oracle_iou) for answer in answers],
        'ms': [round(answer.seconds * 1e3, 1) for answer in answers]}
    return {
        **plain,
        'image': _coded([answer.image_id for answer in answers]),
        'status': _coded([answer.status for answer in answers]),
        # Few cases have one.
        'error': {row: answer.error for row, answer in enumerate(answers) if answer.error},
        'tags': {name: _coded([answer.tags.get(name, '') for answer in answers])
                 for name in tag_names(answers)}}


def _coded(values: Sequence[str]) -> dict[str, list]:
    """Each value once, and its number in every row."""
    numbers: dict[str, int] = {}
    codes = [numbers.setdefault(value, len(numbers)) for value in values]
    return {'values': list(numbers), 'codes': codes}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _embedded(data: dict[str, Any]) -> str:
    """JSON that ends no script element, whatever texts are in it."""
    text = json.dumps(data, separators=(',', ':'), allow_nan=False)
    for character in '<>&':
        text = text.replace(character, f'\\u{ord(character):04x}')
    return text


def content_policy(script: str, style: str) -> str:
    """A content security policy: this script, this style and embedded pictures, nothing else."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
              for text in (script, style)]
    return (f"default-src 'none'; img-src data:; script-src 'sha256-{hashes[0]}'; "
            f"style-src 'sha256-{hashes[1]}'; base-uri 'none'; form-action 'none'")


def asset(name: str) -> str:
    """A file of the page's own."""
    return (_ASSETS / name).read_text(encoding='utf-8')
