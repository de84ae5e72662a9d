"""The instruction reader's accuracy by kind: `python -m training.parser.instruction_report`.

A row of `test/data/instructions*.jsonl` has `text`, `kind` and either `no_object` (the reason) or
a reading: `action`, for each role (`results.Role`) the expressions that it should give, a single
one as a string, and `relation` of the place. Later steps stand in `then`, other readings that are
as good in `accept`. A pronoun of another sentence is written as said ('it'), one of the same
sentence as what it stands for; `pronoun` names the roles that have one. `forbidden`, `missing`
and `pronoun` are empty where they are not written; `where` and `verb` count where they are.

A row with `act` (`results.DialogueAct`) is compared in every field, and those that it does not
write are empty: `number`, and in a step `distance_m`, `angle_rad`, `receiver` ('me') and
`quantity` (by role, where it is not 'one'). `noted` says that the answer must have a note, and
`root` is the root word of the first object's expression.

A sentence is right when everything in it is: steps in their order, expressions letter by letter,
relations, what is forbidden, and the reason when there is no object. Besides that the report says
how often the actions alone are right, how often all expressions with their roles are, and in how
many sentences something was read wrong without a note on it.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
import json
import math
from pathlib import Path
from typing import Any

from refdiff_ros.errors import BadRequestError
from refdiff_ros.language.expression import load_parser, parse
from refdiff_ros.language.instruction.reader import read_instruction
from refdiff_ros.language.instruction.results import Instruction, Reference, Role, Step, THEMES

DATA = Path(__file__).parents[2] / 'test' / 'data'
DEVELOPMENT, HELD_OUT = DATA / 'instructions.jsonl', DATA / 'instructions_held_out.jsonl'
ORDERS, ORDERS_HELD_OUT = DATA / 'orders.jsonl', DATA / 'orders_held_out.jsonl'
# Written before the rules were read, and never to be tuned by.
ORDERS_UNSEEN = tuple(DATA / f'orders_unseen{part}.jsonl' for part in ('', '_2', '_3'))
_PARTS = ('right', 'actions', 'expressions', 'silent')


def read_list(path: Path) -> list[dict[str, Any]]:
    """The rows of a list."""
    return [json.loads(line) for line in path.read_text(encoding='utf-8').splitlines()]


def differences(row: dict[str, Any], found: Instruction) -> list[str]:
    """What is wrong with a reading, in words; empty where it is right."""
    accepted = [row, *({**row, **other} for other in row.get('accept', []))]
    return min((_against(one, found) for one in accepted), key=len)


def _against(row: dict[str, Any], found: Instruction) -> list[str]:
    wrong = []
    reason = found.no_object.reason.value if found.no_object else None
    _compare(wrong, 'no_object', row.get('no_object'), reason)
    _compare(wrong, 'forbidden', row.get('forbidden', []), [_said(r) for r in found.forbidden])
    expected = [] if 'no_object' in row else [row, *row.get('then', [])]
    _compare(wrong, 'actions', [step['action'] for step in expected],
             [step.action.value for step in found.steps])
    for step, read in zip(expected, found.steps):
        _compare_step(wrong, step, read)
        if 'act' in row:
            _compare_details(wrong, step, read)
    if 'act' in row:
        _compare_speech(wrong, row, found)
    return wrong


def _compare_details(wrong: list[str], step: dict[str, Any], read: Step) -> None:
    """What only the newer lists say of a step."""
    for name in ('distance_m', 'angle_rad'):
        value = getattr(read, name, math.nan)
        _compare(wrong, name, step.get(name), None if math.isnan(value) else round(value, 6))
    _compare(wrong, 'receiver', step.get('receiver', ''), getattr(read, 'receiver', ''))
    quantities = {one.role.value: one.quantity.value for one in read.references
                  if getattr(one, 'quantity', None) and one.quantity.value != 'one'}
    _compare(wrong, 'quantity', step.get('quantity', {}), quantities)


def _compare_speech(wrong: list[str], row: dict[str, Any], found: Instruction) -> None:
    """What only the newer lists say of the whole."""
    act = getattr(found, 'act', None)
    _compare(wrong, 'act', row['act'], act and act.value)
    _compare(wrong, 'number', row.get('number'), getattr(found, 'number', None))
    if row.get('noted') and not found.notes:
        wrong.append('notes: expected one, got none')
    themes = [one for one in found.references if one.role in THEMES and one.expression]
    if 'root' in row and themes:
        expression = parse(themes[0].expression, _loaded_parser(), root='rules')
        _compare(wrong, 'root', row['root'], expression.root)


def _compare_step(wrong: list[str], step: dict[str, Any], read: Step) -> None:
    for role in Role:
        _compare(wrong, role.value, _as_list(step.get(role.value, [])),
                 [_said(reference) for reference in read.of(role)])
    relations = {reference.relation for reference in read.of(Role.PLACE)}
    _compare(wrong, 'relation', {step['relation']} if 'relation' in step else set(), relations)
    _compare(wrong, 'pronoun', set(step.get('pronoun', [])),
             {reference.role.value for reference in read.references if reference.pronoun})
    _compare(wrong, 'missing', step.get('missing', []), [role.value for role in read.missing])
    for name in ('where', 'verb'):
        if name in step:
            _compare(wrong, name, step[name], getattr(read, name))


def _compare(wrong: list[str], name: str, expected: object, found: object) -> None:
    if expected != found:
        wrong.append(f'{name}: expected {expected!r}, got {found!r}')


def _as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _said(reference: Reference) -> str:
    return reference.expression or reference.said


@cache
def _loaded_parser() -> Any:
    return load_parser()


def _read(row: dict[str, Any], nlp: Any) -> tuple[list[str], Instruction | None]:
    """What is wrong with the reading of a row, and the reading; None where there is none."""
    try:
        found = read_instruction(row['text'], nlp)
    except BadRequestError as error:
        return [f'no_object: {error}'], None
    return differences(row, found), found


def accuracy(rows: Iterable[dict[str, Any]], nlp: Any) -> dict[str, dict[str, float]]:
    """By kind, and 'all': the number `n`, and in percent how many are right, have the right
    actions, have the right expressions in the right roles, and are wrong without a note."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0] * (len(_PARTS) + 1))
    roles = (*tuple(f'{role.value}:' for role in Role), 'forbidden:', 'actions:', 'no_object:')
    for row in rows:
        wrong, found = _read(row, nlp)
        silent = bool(wrong and found and found.steps and not found.notes)
        actions = not any(line.startswith(('actions:', 'no_object:')) for line in wrong)
        expressions = not any(line.startswith(roles) for line in wrong)
        for kind in (row['kind'], 'all'):
            for at, one in enumerate((1, not wrong, actions, expressions, silent)):
                counts[kind][at] += one
    return {kind: {'n': n, **{part: round(100 * count / n, 1)
                              for part, count in zip(_PARTS, right)}}
            for kind, (n, *right) in counts.items()}


def main(arguments: list[str] | None = None) -> None:
    """Print a table in Markdown for each list and, as the last line, all as JSON."""
    parser = argparse.ArgumentParser(prog='python -m training.parser.instruction_report')
    parser.add_argument('--list', type=Path, nargs='+',
                        default=[DEVELOPMENT, HELD_OUT, ORDERS, ORDERS_HELD_OUT, *ORDERS_UNSEEN])
    parser.add_argument('--rules', action='store_true', help='without the dependency parser')
    parser.add_argument('--errors', action='store_true', help='print what is wrong')
    options = parser.parse_args(arguments)
    nlp = None if options.rules else load_parser()
    tables = {}
    for path in options.list:
        rows = read_list(path)
        tables[path.stem] = table = accuracy(rows, nlp)
        kinds = [*sorted(set(table) - {'all'}), 'all']
        print(f'| {path.stem} | n | all right, % | actions, % | expressions and roles, % '
              '| wrong without a note, % |')
        print('|---|---|---|---|---|---|')
        for kind in kinds:
            one = table[kind]
            print(f"| {kind} | {one['n']} | " + ' | '.join(
                f'{one[part]:.1f}' for part in _PARTS) + ' |')
        for row in rows if options.errors else []:
            wrong, _ = _read(row, nlp)
            if wrong:
                print(f"{row['kind']}: {row['text']!r}: " + '; '.join(wrong))
        print()
    print(json.dumps(tables))


if __name__ == '__main__':
    main()
