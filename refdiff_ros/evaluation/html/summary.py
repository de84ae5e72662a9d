"""What stands in the page: warnings, settings, figures with intervals, the breakdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import json
from typing import Any

from refdiff_ros.evaluation.figures import figures
from refdiff_ros.evaluation.html.cases import ReportedRun, tag_names
from refdiff_ros.evaluation.html.templates import Cell, Table
from refdiff_ros.evaluation.metrics.latency import latency_ms
from refdiff_ros.evaluation.run import Answer

_VALUES = 24
# Computed anew from the cases, and told as tiles.
_FIGURES = {
    'cases', 'errors', 'mean_iou', 'mean_iou_interval', 'overall_iou', 'overall_iou_interval',
    'precision_at', 'pointing', 'oracle_mean_iou', 'seconds_per_case', 'unreadable', 'mean_ms',
    'p50_ms', 'p95_ms', 'p99_ms', 'max_ms', 'requirements', 'unmatched', 'stopped'}
_COLUMNS = (('cases', 'cases'), ('mean_iou', 'mIoU'), ('overall_iou', 'oIoU'),
            ('0.5', 'Pr@0.5'), ('0.7', 'Pr@0.7'), ('0.9', 'Pr@0.9'), ('pointing', 'pointing'),
            ('oracle_mean_iou', 'best proposal'), ('seconds_per_case', 's/case'))

Figures = dict[str, Any]


@dataclass(frozen=True)
class Tile:
    """A figure with its name, one value a run."""

    label: str
    values: Sequence[Cell]


@dataclass(frozen=True)
class Breakdown:
    """The figures by each tag.

    Attributes:
        tables: one a tag.
        left_out: tags with more than `most` values, which tell single cases, not kinds.
    """

    tables: Sequence[Table]
    left_out: Sequence[str]
    most: int


def scored(run: ReportedRun) -> list[Answer]:
    """The answers of a run that could be scored."""
    return [answer for answer in run.answers if answer.scored]


def warnings(run: ReportedRun, label: str) -> list[str]:
    """What limits a run, each after `label`."""
    settings, said = run.settings, []
    if settings.get('trained') is False:
        said.append('The weights are random: the figures say nothing about the method.')
    if settings.get('stopped'):
        said.append(f'The run ended early ({settings["stopped"]}): the figures are of what was '
                    'done.')
    if settings.get('unverified'):
        said.append(f"{settings['unverified']} labels are a model's own answers: the figures say "
                    'how far answers agree with it.')
    missed = [wanted for wanted in settings.get('requirements') or ()
              if isinstance(wanted, Mapping) and not wanted.get('met')]
    said += [f'Requirement missed: {one.get("name")}, wanted {one.get("wanted")}, got '
             f'{one.get("got")}.' for one in missed]
    return [f'{label}{text}' for text in said]


def settings(runs: Sequence[ReportedRun]) -> dict[str, list[str]]:
    """What was asked of which models, by name, one text a run."""
    shown = [{'name': run.name, **_settings(run)} for run in runs]
    names = dict.fromkeys(name for each in shown for name in each)
    return {name: [setting_text(each.get(name)) for each in shown] for name in names}


def tiles(runs: Sequence[ReportedRun]) -> list[Tile]:
    """The figures of all cases, the most important first; two runs share each tile."""
    found = [{**figures(scored(run)), **latency_ms([each.seconds for each in scored(run)]),
              'unreadable': len(run.answers) - len(scored(run))} for run in runs]
    shown: list[tuple[str, list[str], list[str] | None]] = [
        ('mIoU', [_value(each['mean_iou'], 3) for each in found],
         [_interval(each['mean_iou_interval']) for each in found]),
        ('oIoU', [_value(each['overall_iou'], 3) for each in found],
         [_interval(each['overall_iou_interval']) for each in found])]
    shown += [(f'Pr@{t}', [_percent(each['precision_at'][t]) for each in found], None)
              for t in ('0.5', '0.7', '0.9')]
    shown += [
        ('pointing', [_percent(each['pointing']) for each in found], None),
        ('best proposal, mIoU', [_value(each['oracle_mean_iou'], 3) for each in found], None),
        ('time, median', [_millis(each['p50_ms']) for each in found],
         [f'95 %: {_millis(each["p95_ms"])}' for each in found]),
        ('cases', [f'{each["cases"]:,}' for each in found], [_troubles(each) for each in found])]
    return [_tile(*each) for each in shown]


def breakdown(runs: Sequence[ReportedRun]) -> Breakdown:
    """The figures by each tag, a table a tag; with two runs, mIoU of both and the difference."""
    tables, left_out = [], []
    for name in tag_names([answer for run in runs for answer in run.answers]):
        values = sorted({answer.tags[name] for run in runs for answer in scored(run)
                         if name in answer.tags})
        if len(values) > _VALUES:
            left_out.append(name)
        elif values:
            rows = [(value, [figures([answer for answer in scored(run)
                                      if answer.tags.get(name) == value]) for run in runs])
                    for value in values]
            tables.append(_by_tag(name, rows) if len(runs) == 1 else _both_by_tag(name, rows))
    return Breakdown(tables, left_out, _VALUES)


def _settings(run: ReportedRun) -> dict[str, Any]:
    return {name: value for name, value in run.settings.items()
            if name not in _FIGURES and not name.startswith('by_')}


def setting_text(value: Any) -> str:
    """A setting for people."""
    if value is None or value == {}:
        return '-'
    if isinstance(value, bool):
        return 'yes' if value else 'no'
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode('utf-8', 'replace').decode()


def _tile(label: str, values: Sequence[str], below: Sequence[str] | None) -> Tile:
    many = len(values) > 1
    return Tile(label, [Cell(value, below[k] if below else '', k if many else None)
                        for k, value in enumerate(values)])


def _by_tag(name: str, rows: Sequence[tuple[str, list[Figures]]]) -> Table:
    return Table(f'By {name}', name, [Cell(title) for _, title in _COLUMNS], [
        (value, [_cell(found[0], column) for column, _ in _COLUMNS]) for value, found in rows])


def _both_by_tag(name: str, rows: Sequence[tuple[str, list[Figures]]]) -> Table:
    columns = ('cases', 'mean_iou', 'overall_iou', '0.5')
    titles = dict(_COLUMNS)
    heads = [Cell(titles[column], run=run) for column in columns for run in range(2)]
    return Table(f'By {name}', name, [*heads, Cell('mIoU, B less A')], [
        (value, [*(_cell(each, column) for column in columns for each in found), _change(found)])
        for value, found in rows])


def _change(found: Sequence[Figures]) -> Cell:
    first, second = (each['mean_iou'] for each in found)
    return Cell('-' if None in (first, second) else f'{second - first:+.3f}')


def _cell(found: Figures, column: str) -> Cell:
    if column == 'cases':
        return Cell(f'{found["cases"]:,}')
    if column in ('mean_iou', 'overall_iou'):
        return Cell(_value(found[column], 3), _interval(found[f'{column}_interval']))
    if column in found['precision_at']:
        return Cell(_percent(found['precision_at'][column]))
    if column == 'pointing':
        return Cell(_percent(found[column]))
    return Cell(_value(found[column], 2))


def _troubles(found: Figures) -> str:
    said = [f'{found[name]} {word}' for name, word in
            (('errors', 'errors'), ('unreadable', 'unreadable')) if found[name]]
    return ', '.join(said)


def _value(value: float | None, digits: int) -> str:
    return '-' if value is None else f'{value:.{digits}f}'


def _percent(value: float | None) -> str:
    return '-' if value is None else f'{100 * value:.1f} %'


def _millis(value: float | None) -> str:
    if value is None:
        return '-'
    return f'{value:.0f} ms' if value >= 10 else f'{value:.1f} ms'


def _interval(bounds: Sequence[float | None]) -> str:
    return '' if None in bounds else f'{bounds[0]:.3f} to {bounds[1]:.3f}'
