"""`refdiff parse`: what an instruction asks for, and with which objects."""

import argparse
from collections.abc import Iterator
from dataclasses import asdict
import math

from refdiff_ros.console import to_json
from refdiff_ros.language.instruction.results import Instruction, Quantity, Reference, Step
from refdiff_ros.language.valid_text import valid_text


def add_parser(subparsers: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Register the subcommand."""
    parser = subparsers.add_parser(
        'parse', help='say which objects an instruction names, and in which roles')
    parser.add_argument('instruction', type=valid_text,
                        help="for example 'put the red can on the plate'")
    parser.add_argument('--json', action='store_true', help='print one JSON object instead')
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print what was understood; 0 with an object, 1 without."""
    from refdiff_ros.language.expression import load_parser  # spaCy takes a second to import
    from refdiff_ros.language.instruction.reader import read_instruction

    found = read_instruction(args.instruction, load_parser())
    print(to_json(asdict(found)) if args.json else '\n'.join(lines(found)))
    return 0 if found.steps else 1


def lines(found: Instruction) -> Iterator[str]:
    """An instruction as it was understood, for a person to read."""
    number = '' if found.number is None else f' {found.number}'
    yield f'{found.act.value}{number}'
    if found.no_object is not None:
        yield f'no object ({found.no_object.reason.value}): {found.no_object.sentence}'
    for row, step in enumerate(found.steps, 1):
        yield f'{row}. {_headline(step)}'
        for reference in step.references:
            yield f'   {reference.role.value}: {_described(reference)}'
        for role in step.missing:
            yield f'   {role.value}: not said'
        for references in step.alternatives:
            yield '   or: ' + ', '.join(
                f'{reference.role.value} {_described(reference)}' for reference in references)
    for reference in found.forbidden:
        yield f'leave alone: {_described(reference)}'
    for note in found.notes:
        yield f'note: {note}'


def _headline(step: Step) -> str:
    verb = f' ({step.verb})' if step.verb and step.verb != step.action.value else ''
    parts = [f'{step.action.value}{verb}', step.where and f'where: {step.where}',
             step.receiver and f'for: {step.receiver}']
    if not math.isnan(step.distance_m):
        parts.append(f'how far: {step.distance_m:.4g} m')
    if not math.isnan(step.angle_rad):
        parts.append(f'how far: {step.angle_rad:.4g} rad')
    return ', '.join(filter(None, parts))


def _described(reference: Reference) -> str:
    relation = f'{reference.relation} ' if reference.relation else ''
    if reference.quantity is not Quantity.ONE:
        relation += f'{reference.quantity.value} of '
    if not reference.expression:
        return f"{relation}'{reference.said}': the last answer"
    said = '' if reference.expression == reference.said else (
        f" (said: '{reference.said}')" if reference.said else ' (not said again)')
    return f"{relation}'{reference.expression}'{said}"
