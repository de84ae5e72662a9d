"""What stands in the page as text: the settings, the figures with intervals, the breakdown."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
import json
from typing import Any

from refdiff_ros.evaluation.figures import figures
from refdiff_ros.evaluation.html.cases import Run, tag_names
from refdiff_ros.evaluation.html.comparison import Comparison
from refdiff_ros.evaluation.metrics.latency import latency_ms
from refdiff_ros.evaluation.run import Answer

_VALUES = 24  # a tag with more tells single cases, not kinds
# Computed anew from the cases, and told as tiles.
_FIGURES = {
    'cases', 'errors', 'mean_iou', 'mean_iou_interval', 'overall_iou', 'overall_iou_interval',
    'precision_at', 'pointing', 'oracle_mean_iou', 'seconds_per_case', 'unreadable', 'mean_ms',
    'p50_ms', 'p95_ms', 'p99_ms', 'max_ms', 'requirements', 'unmatched', 'stopped'}
_COLUMNS = (('cases', 'cases'), ('mean_iou', 'mIoU'), ('overall_iou', 'oIoU'),
            ('0.5', 'Pr@0.5'), ('0.7', 'Pr@0.7'), ('0.9', 'Pr@0.9'), ('pointing', 'pointing'),
            ('oracle_mean_iou', 'best proposal'), ('seconds_per_case', 's/case'))

Figures = dict[str, Any]


def scored(run: Run) -> list[Answer]:
    """The answers of a run that could be scored."""
    return [answer for answer in run.answers if answer.scored]


def warnings(run: Run, label: str) -> str:
    """What limits a run, each as a paragraph."""
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
    return ''.join(f'<p class="warning">{label}{escape(text)}</p>' for text in said)


def settings_table(runs: Sequence[Run]) -> str:
    """What was asked of which models, one column a run."""
    shown = [{'name': run.name, **_settings(run)} for run in runs]
    names = list(dict.fromkeys(name for each in shown for name in each))
    rows = []
    for name in names:
        cells = [_setting(each.get(name)) for each in shown]
        differs = ' class="differs"' if len(set(cells)) > 1 else ''
        rows.append(f'<tr{differs}><th scope="row">{escape(name)}</th>'
                    + ''.join(f'<td>{escape(cell)}</td>' for cell in cells) + '</tr>')
    head = '' if len(runs) == 1 else '<thead><tr><th></th>' + ''.join(
        f'<th scope="col">{_badge(k)}</th>' for k in range(len(runs))) + '</tr></thead>'
    return f'<table class="settings">{head}<tbody>{"".join(rows)}</tbody></table>'


def tiles(runs: Sequence[Run]) -> str:
    """The figures of all cases, the most important first; two runs share each tile."""
    found = [{**figures(scored(run)), **latency_ms([each.seconds for each in scored(run)]),
              'unreadable': len(run.answers) - len(scored(run))} for run in runs]
    shown = [
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
    return '<dl class="tiles">' + ''.join(_tile(*each) for each in shown) + '</dl>'


def breakdown(runs: Sequence[Run]) -> str:
    """The figures by each tag, a table a tag; with two runs, mIoU of both and the difference."""
    parts, left_out = [], []
    for name in tag_names([answer for run in runs for answer in run.answers]):
        values = sorted({answer.tags[name] for run in runs for answer in scored(run)
                         if name in answer.tags})
        if len(values) > _VALUES:
            left_out.append(name)
        elif values:
            rows = [(value, [figures([answer for answer in scored(run)
                                      if answer.tags.get(name) == value]) for run in runs])
                    for value in values]
            table = _by_tag(name, rows) if len(runs) == 1 else _both_by_tag(name, rows)
            parts.append(f'<details{"" if parts else " open"}><summary>By {escape(name)}'
                         f'</summary>{table}</details>')
    if left_out:
        names = escape(', '.join(left_out))
        parts.append(f'<p class="note">Not broken down, for more than {_VALUES} values: '
                     f'{names}.</p>')
    return ''.join(parts) or '<p class="note">No case has a tag.</p>'


def comparison_words(found: Comparison) -> str:
    """Who was better, and which cases only one run has."""
    if found.mean is None:
        words = ['The runs have no case in common.']
    else:
        low, high = found.interval
        equal = len(found.differences) - found.better - found.worse
        words = [
            f'In {len(found.differences):,} shared cases B differs from A by '
            f'<strong>{found.mean:+.3f}</strong> mIoU (95 % interval {low:+.3f} to {high:+.3f}): '
            f'better in {found.better:,}, worse in {found.worse:,}, equal in {equal:,}.']
    words += [f'{count:,} cases are in {run} alone.'
              for run, count in zip('AB', found.alone) if count]
    return f'<p>{" ".join(words)}</p>'


def _settings(run: Run) -> dict[str, Any]:
    return {name: value for name, value in run.settings.items()
            if name not in _FIGURES and not name.startswith('by_')}


def _setting(value: Any) -> str:
    if value is None or value == {}:
        return '-'
    if isinstance(value, bool):
        return 'yes' if value else 'no'
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode('utf-8', 'replace').decode()


def _tile(label: str, values: Sequence[str], below: Sequence[str] | None) -> str:
    lines = []
    for k, value in enumerate(values):
        under = f'<span class="under">{escape(below[k])}</span>' if below and below[k] else ''
        badge = _badge(k) if len(values) > 1 else ''
        lines.append(f'<dd>{badge}<span class="value">{escape(value)}</span>{under}</dd>')
    return f'<div class="tile"><dt>{escape(label)}</dt>{"".join(lines)}</div>'


def _by_tag(name: str, rows: Iterable[tuple[str, list[Figures]]]) -> str:
    head = ''.join(f'<th scope="col">{escape(title)}</th>' for _, title in _COLUMNS)
    body = ''.join(
        f'<tr><th scope="row">{escape(value)}</th>'
        + ''.join(f'<td>{_cell(found[0], column)}</td>' for column, _ in _COLUMNS) + '</tr>'
        for value, found in rows)
    return _table(name, head, body)


def _both_by_tag(name: str, rows: Iterable[tuple[str, list[Figures]]]) -> str:
    titles = ('cases', 'mIoU', 'oIoU', 'Pr@0.5')
    head = ''.join(f'<th scope="col">{_badge(k)} {title}</th>'
                   for title in titles for k in range(2))
    head += '<th scope="col">mIoU, B less A</th>'
    body = []
    for value, found in rows:
        means = [each['mean_iou'] for each in found]
        change = '-' if None in means else f'{means[1] - means[0]:+.3f}'
        cells = ''.join(f'<td>{_cell(each, column)}</td>'
                        for column in ('cases', 'mean_iou', 'overall_iou', '0.5')
                        for each in found)
        body.append(f'<tr><th scope="row">{escape(value)}</th>{cells}<td>{change}</td></tr>')
    return _table(name, head, ''.join(body))


def _table(name: str, head: str, body: str) -> str:
    return (f'<div class="scroll" tabindex="0" role="region" '
            f'aria-label="By {escape(name)}"><table class="figures"><thead><tr>'
            f'<th scope="col">{escape(name)}</th>{head}</tr></thead><tbody>{body}</tbody></table>'
            '</div>')


def _cell(found: Figures, column: str) -> str:
    if column == 'cases':
        return f'{found["cases"]:,}'
    if column in ('mean_iou', 'overall_iou'):
        interval = _interval(found[f'{column}_interval'])
        under = f' <span class="under">{interval}</span>' if interval else ''
        return f'{_value(found[column], 3)}{under}'
    if column in found['precision_at']:
        return _percent(found['precision_at'][column])
    if column == 'pointing':
        return _percent(found[column])
    return _value(found[column], 2)


def _badge(run: int) -> str:
    return f'<span class="badge {"ab"[run]}">{"AB"[run]}</span>'


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
