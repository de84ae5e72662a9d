"""The report as a file: text and charts from here, the table and the cases by its own script."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from refdiff_ros.evaluation.html import charts, summary
from refdiff_ros.evaluation.html.cases import ReportedRun, tag_names
from refdiff_ros.evaluation.html.comparison import compare, Comparison
from refdiff_ros.evaluation.html.gallery import Gallery, Kept
from refdiff_ros.evaluation.html.templates import asset, render_page, write_page

_SCRIPTS = ('dom.js', 'table.js', 'case.js', 'report.js')


def write_report(path: Path, run: ReportedRun, other: ReportedRun | None = None,
                 gallery: Gallery | None = None) -> None:
    """Write a run, or two side by side, as one HTML file; the folder is made.

    Args:
        path: of the file, which is replaced.
        run: the first or only run.
        other: a second run, which is compared with the first.
        gallery: pictures of some of the first run's cases.

    Raises:
        RefDiffError: the file cannot be written, as on a full disk.
        MissingPackageError: Jinja2 is not installed.
    """
    write_page(path, _page(run, other, {} if gallery is None else gallery.sorts()))


def _page(run: ReportedRun, other: ReportedRun | None, sorts: dict[str, list[Kept]]) -> str:
    """The whole document; cases with pictures in `sorts`, as `Gallery.sorts` gives them."""
    runs = [run] if other is None else [run, other]
    found = None if other is None else compare(run, other)
    labels = ('',) if other is None else ('A: ', 'B: ')
    return render_page(
        'report.html', '\n'.join(asset(name) for name in _SCRIPTS),
        title=' against '.join(each.name for each in runs), runs=len(runs),
        warnings=[text for each, label in zip(runs, labels, strict=True)
                  for text in summary.warnings(each, label)],
        comparison=found, tiles=summary.tiles(runs), settings=summary.settings(runs),
        charts=_charts(runs, found), breakdown=summary.breakdown(runs),
        pictured=sum(len(kept) for kept in sorts.values()), cases=len(run.answers),
        data=_data(runs, found, sorts))


def _charts(runs: Sequence[ReportedRun], found: Comparison | None) -> list[str]:
    answers = [summary.scored(run) for run in runs]
    ious = [[answer.iou for answer in some] for some in answers]
    drawn = [charts.iou_chart(ious), charts.precision_chart(ious),
             charts.latency_chart([[answer.seconds for answer in some] for some in answers])]
    if found is not None:
        drawn.append(charts.difference_chart(found.differences))
    return drawn


def _data(runs: Sequence[ReportedRun], found: Comparison | None,
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


def _columns(run: ReportedRun) -> dict[str, Any]:
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
