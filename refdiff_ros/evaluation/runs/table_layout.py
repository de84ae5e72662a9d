"""The paper's tables with what was measured beside what was published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.figures import figures
from refdiff_ros.evaluation.runs.folder import Run
from refdiff_ros.evaluation.runs.paper_tables import Column, Table

NOT_MEASURED = 'not measured'
_LEGEND = ("published: arXiv:2308.16777, Table {}, percent; '-': no figure there. measured: with "
           'this package, percent;\nnumbers in brackets: see below. not measured: no run of it '
           'was given.')


@dataclass(frozen=True)
class _Line:
    """A line of the table: a method's published figures, or its measured ones of one setting."""

    method: str
    parts: tuple[str, ...]
    source: str
    cells: tuple[str, ...]
    measured: bool


@dataclass(frozen=True)
class Filled:
    """A table with its figures.

    Attributes:
        table: as published.
        columns: those of the table, and one for each other split that was measured.
        lines: of each method the published line and the measured ones.
        notes: of each run that is in the table, by its number.
        left_out: a text for each run that is of no row.
    """

    table: Table
    columns: tuple[Column, ...]
    lines: tuple[_Line, ...]
    notes: tuple[str, ...]
    left_out: tuple[str, ...]


@dataclass
class _Setting:
    """Runs of one method with the same models and values: they make one measured line."""

    name: str
    cells: dict[Column, str] = field(default_factory=dict)


def fill_table(table: Table, runs: Sequence[Run]) -> Filled:
    """Put runs into a table; nothing is filled in that is in no run.

    Raises:
        BadRequestError: two runs that would stand in one place.
    """
    modes = {row.mode for row in table.rows if row.mode}
    used = [run for run in runs if run.question.mode in modes]
    columns = _columns(table, used)
    places = {(column.dataset, column.split, column.half): column for column in columns}
    found = [figures(run.scored) for run in used]
    lines: list[_Line] = []
    for row in table.rows:
        published = tuple('-' if value is None else f'{value:.2f}' for value in row.published)
        parts = tuple('x' if part else '' for part in row.parts) or ('',) * len(table.parts)
        blank = ('-',) * (len(columns) - len(published))
        lines.append(_Line(row.method, parts, 'published', published + blank, False))
        numbered = [(number, run, found[number - 1]) for number, run in enumerate(used, 1)
                    if run.question.mode == row.mode]
        for setting in _settings(table, places, numbered) or [_Setting('')]:
            cells = tuple(setting.cells.get(column, NOT_MEASURED) for column in columns)
            source = f'measured, {setting.name}' if setting.name else 'measured'
            lines.append(_Line('', ('',) * len(table.parts), source, cells, True))
    notes = tuple(_note(number, run, some, table.figure)
                  for number, (run, some) in enumerate(zip(used, found, strict=True), 1))
    left_out = tuple(f'{run.path}: mode {run.question.mode} is no row of Table {table.number}'
                     for run in runs if run.question.mode not in modes)
    return Filled(table, columns, tuple(lines), notes, left_out)


def as_text(filled: Filled) -> str:
    """The table for a terminal."""
    table, columns = filled.table, filled.columns
    titles = ['' if k and columns[k - 1].title == column.title else column.title
              for k, column in enumerate(columns)]
    head = [('Method', *table.parts, '', *titles)]
    if any(column.name for column in columns):
        head.append(('', *('' for _ in table.parts), '', *(column.name for column in columns)))
    # A line without a single measured figure says so once and does not widen its columns.
    rows = [(line, (line.method, *line.parts, line.source, *line.cells)) for line in filled.lines]
    bare = {id(line) for line, _ in rows
            if line.measured and set(line.cells) == {NOT_MEASURED}}
    first = len(table.parts) + 2
    widths = [max(len(cells[k]) for cells in (*head, *(
        row for line, row in rows if id(line) not in bare or k < first)))
        for k in range(first + len(columns))]

    def text(cells: Sequence[str]) -> str:
        return '  '.join(cell.ljust(width) if k < first else cell.rjust(width)
                         for k, (cell, width) in enumerate(zip(cells, widths))).rstrip()

    heads = [text(cells) for cells in head]
    body = [text([*cells[:first]]).ljust(sum(widths[:first]) + 2 * first) + NOT_MEASURED
            if id(line) in bare else text(cells) for line, cells in rows]
    rule = '-' * max(map(len, (*heads, *body)))
    return '\n'.join([_title(table), *heads, rule, *body, rule, *_below(filled)])


def as_markdown(filled: Filled) -> str:
    """The table for a document."""
    columns = [f'{column.title} {column.name}'.strip() for column in filled.columns]
    names = ['Method', *filled.table.parts, '', *columns]
    lines = [names, ['---'] * (len(names) - len(columns)) + ['---:'] * len(columns)]
    lines += [[line.method, *line.parts, line.source, *line.cells] for line in filled.lines]
    table = '\n'.join('| ' + ' | '.join(cells) + ' |' for cells in lines)
    notes = '\n\n'.join(_below(filled))
    return f'**{_title(filled.table)}**\n\n{table}\n\n{notes}'


def _title(table: Table) -> str:
    return f'Table {table.number}: {table.title}, %'


def _below(filled: Filled) -> list[str]:
    left_out = [f'left out: {text}' for text in filled.left_out]
    return [_LEGEND.format(filled.table.number), *filled.notes, *left_out]


def _columns(table: Table, runs: Sequence[Run]) -> tuple[Column, ...]:
    known = {(column.dataset, column.split, column.half) for column in table.columns}
    more = dict.fromkeys(_place(run) for run in runs if _place(run) not in known)
    return (*table.columns, *(
        Column(dataset, split if half == 'all' else f'{split} {half}', dataset, split, half)
        for dataset, split, half in more))


def _place(run: Run) -> tuple[str, str, str]:
    return run.question.dataset, run.question.split, run.question.half


def _settings(
    table: Table, places: Mapping[tuple[str, str, str], Column],
    runs: Sequence[tuple[int, Run, Mapping[str, Any]]],
) -> list[_Setting]:
    found: dict[str, _Setting] = {}
    for number, run, some in runs:
        asked = run.question
        # Everything that makes another line; the data are the columns.
        key = repr((asked.bundle, asked.weights_sha256, asked.values, asked.seed))
        setting = found.setdefault(key, _Setting(f'{asked.bundle}, {asked.preset}'))
        column = places[_place(run)]
        if column in setting.cells:
            raise BadRequestError(
                f'expected one run of mode {asked.mode} on {asked.dataset} {asked.split} with the '
                f'same models and values, got another in {run.path}: leave one out')
        setting.cells[column] = f'{_percent(some[table.figure])} [{number}]'
    return list(found.values())


def _note(number: int, run: Run, some: Mapping[str, Any], figure: str) -> str:
    asked = run.question
    interval = some[f'{figure}_interval']
    span = '' if None in interval else f', 95 % {" to ".join(map(_percent, interval))}'
    counts = f'{some["cases"]} expressions'
    counts += f', the first {asked.limit} only' if asked.limit else ''
    bare = len(run.answers) - some['cases']
    counts += f', {bare} more unreadable' if bare else ''
    counts += f', {some["errors"]} errors scored 0' if some['errors'] else ''
    weights = f'weights sha256 {asked.weights_sha256[:12]}'
    trained = '' if asked.trained else ', RANDOM WEIGHTS: the figure means nothing'
    half = '' if asked.half == 'all' else f' ({asked.half})'
    return (f'[{number}] {_percent(some[figure])}{span}: {asked.dataset} {asked.split}{half}, '
            f'{counts}; {asked.bundle}, {weights}{trained}; preset {asked.preset}, mode '
            f'{asked.mode}, seed {asked.seed}, {asked.device} {asked.dtype}\n'
            f'    {run.command}')


def _percent(value: float | None) -> str:
    return 'none scored' if value is None else f'{100 * value:.2f}'
