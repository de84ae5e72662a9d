"""`refdiff evaluate`: figures on data whose truth is known."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
import json
from pathlib import Path
import sys
from typing import Any, TYPE_CHECKING

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.baselines import method_mode, method_preset, METHODS
from refdiff_ros.evaluation.datasets.cli import add_check_parser
from refdiff_ros.evaluation.html.cli import (
    add_html_option,
    add_html_parser,
    finish_report,
    open_gallery,
)
from refdiff_ros.evaluation.output import write_figures
from refdiff_ros.evaluation.progress import Progress
from refdiff_ros.json_text import to_json
from refdiff_ros.presets import Preset, PRESETS

if TYPE_CHECKING:
    from refdiff_ros.engine import Engine
    from refdiff_ros.models.model_set import ModelSet


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register the subcommands."""
    parser = subparsers.add_parser('evaluate', help='measure answers where the truth is known')
    commands = parser.add_subparsers(required=True, metavar='WHAT')
    tabletop = commands.add_parser(
        'tabletop', help='expressions on simulated tabletops',
        description='The last line of the output is a JSON object with every figure.')
    add_split(tabletop)
    add_common(tabletop, 'expressions')
    add_method(tabletop)
    tabletop.add_argument('--sheets', type=Path, metavar='DIR',
                          help='write pictures of the worst, the best and some random cases')
    add_html_option(tabletop)
    tabletop.set_defaults(run=run_tabletop)
    proposals = commands.add_parser(
        'proposals', help="how many objects the segmentor's proposals cover",
        description='The last line of the output is a JSON object with every figure.')
    add_split(proposals)
    add_common(proposals, 'scenes')
    proposals.set_defaults(run=run_proposals)
    add_check_parser(commands)
    add_html_parser(commands)
    # They take their options from here.
    from refdiff_ros.evaluation.bags.cli import add_bag
    from refdiff_ros.evaluation.decisions.cli import add_decisions
    from refdiff_ros.evaluation.runs.compare_cli import add_compare
    from refdiff_ros.evaluation.runs.dataset_cli import add_dataset
    from refdiff_ros.evaluation.runs.table_cli import add_table
    add_decisions(commands)
    add_bag(commands)
    add_dataset(commands)
    add_compare(commands)
    add_table(commands)


def add_split(parser: argparse.ArgumentParser) -> None:
    """The options of the tabletop set: which split, which half of the test set."""
    parser.add_argument('--split', default='val', choices=['val', 'test'])
    parser.add_argument('--half', default='all', choices=['all', 'seen', 'unseen'],
                        help='of the test set: pairs of shape and colour that training had, '
                        'or lacked')


def add_common(parser: argparse.ArgumentParser, counted: str) -> None:
    """The options of every evaluation: how much, with which models, and where to."""
    parser.add_argument('--limit', type=positive, metavar='N',
                        help=f'the first N {counted} only')
    add_models(parser)
    parser.add_argument('--json', type=Path, metavar='FILE',
                        help='write the figures, and each case, as JSON')


def add_method(parser: argparse.ArgumentParser) -> None:
    """The options of how a run's questions are answered."""
    parser.add_argument('--mode', default='full', choices=METHODS, metavar='MODE',
                        help=f'one of {", ".join(METHODS)} (default full)')
    parser.add_argument('--seed', type=int, default=0, help='of the diffusion noise')


def add_models(parser: argparse.ArgumentParser) -> None:
    """The options of everything that answers: which models, with what values, and where."""
    parser.add_argument('--bundle', default='', help='model bundle: name, folder or hub id')
    parser.add_argument('--preset', default='onboard', choices=sorted(PRESETS))
    parser.add_argument('--set', action='append', default=[], metavar='KEY=VALUE',
                        dest='overrides', help="override a preset's value, e.g. "
                        'selection.alpha=0.2; repeatable')
    parser.add_argument('--device', default='auto', help="'auto', 'cpu' or 'cuda[:N]'")


def positive(text: str) -> int:
    """A whole number of 1 or more from an option's text; argparse says what is wrong."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'expected a whole number of 1 or more, got {text!r}')
    return int(text)


def run_tabletop(args: argparse.Namespace) -> int:
    """Ask, print the table and the JSON line.

    Returns:
        0; 1 when no case could be answered; 2 when the JSON file cannot be written.

    Raises:
        RefDiffError: the bundle, the preset's values or the choice of cases cannot be used, or
            sheets or report cannot be written, after the figures were printed.
    """
    from refdiff_ros.evaluation import figures
    from refdiff_ros.evaluation.tabletop.cases import cases, evaluate, scene_range
    from refdiff_ros.evaluation.tabletop.contact_sheets import ContactSheets
    scene_range(args.split, args.half)  # a wrong half is told before the models are loaded
    engine = prepare_engine(args)
    models = engine.models
    sheets, progress = ContactSheets(), Progress('case')
    gallery = open_gallery(args.html, engine)

    def on_case(case: Any, view: Any, said: Any, answer: Any) -> None:
        if args.sheets is not None:
            sheets.add(case, view, said, answer)
        if gallery is not None:
            gallery.add(case, view.frame, view.masks[said.row], answer)
        if case.error:
            print(f'scene {case.scene}, {case.expression!r}: {case.error}', file=sys.stderr)
        progress.step(args.limit)

    results = evaluate(engine, cases(args.split, args.limit, args.half), on_case=on_case)
    found = {'what': 'tabletop', **_asked(args, models), 'mode': args.mode, 'seed': args.seed,
             **figures.report(results)}
    print(f'{models.name}, {args.preset}, {args.mode}, {args.split} ({args.half})')
    print(f'{figures.table(found)}\n{figures.LEGEND}')
    cases_found = [asdict(case) for case in results]
    status = _finish(args, found, cases_found)
    if args.sheets is not None:
        for path in sheets.write(args.sheets):
            print(f'wrote {path}', file=sys.stderr)
    finish_report(args.html, {**found, 'results': cases_found}, gallery)
    return status or (0 if found['errors'] < found['cases'] else 1)


def run_proposals(args: argparse.Namespace) -> int:
    """Propose, print the figures and the JSON line; 0, or 2 when the file cannot be written.

    Raises:
        RefDiffError: the bundle, the preset's values or the choice of scenes cannot be used.
    """
    from refdiff_ros.evaluation.tabletop.cases import scene_range
    from refdiff_ros.evaluation.tabletop.proposal_recall import proposal_recall
    scene_range(args.split, args.half)
    models, preset = prepare(args)
    progress = Progress('scene')
    found = {'what': 'proposals', **_asked(args, models), **proposal_recall(
        models, preset, args.split, args.half, args.limit,
        lambda _, count: progress.step(count))}
    print(f'{models.name}, {args.preset}, {args.split} ({args.half}): {found["objects"]} objects '
          f'in {found["scenes"]} scenes, {found["mean_kept"]} of {found["mean_proposals"]} '
          'proposals a scene pass the filter')
    for threshold, value in found['recall'].items():
        print(f'recall at IoU {threshold}: {"-" if value is None else value}')
    return _finish(args, found)


def parse_overrides(texts: Sequence[str]) -> dict[str, Any]:
    """Nested values from 'selection.alpha=0.2': JSON where it is JSON, else text.

    Raises:
        BadRequestError: no '=', or a name that is a value and a group at once.
    """
    values: dict[str, Any] = {}
    for text in texts:
        path, equals, written = text.partition('=')
        if not equals or not all(path.split('.')):
            raise BadRequestError(f'expected KEY=VALUE such as selection.alpha=0.2, got {text!r}')
        *groups, name = path.split('.')
        inside = values
        for group in groups:
            inside = inside.setdefault(group, {})
            if not isinstance(inside, dict):
                raise BadRequestError(f'expected one value or a group in {group!r}, got both')
        try:
            inside[name] = json.loads(written)
        except json.JSONDecodeError:
            inside[name] = written
    return values


def override(preset: Preset, values: dict[str, Any]) -> Preset:
    """`preset` with `values`, as `Preset.override`.

    Raises:
        BadRequestError: as there, and for a value of another type.
    """
    try:
        return preset.override(values)
    except (TypeError, AttributeError) as error:
        raise BadRequestError(
            f'expected values of the types that {preset.name} has, got {values}: {error}'
        ) from error


def checked_overrides(args: argparse.Namespace) -> dict[str, Any]:
    """The values of `--set`; cheap, so that a mistyped key is told before the models are loaded.

    Raises:
        BadRequestError: as `parse_overrides` and `override`.
    """
    values = parse_overrides(args.overrides)
    override(PRESETS[args.preset], values)
    return values


def prepare_engine(
    args: argparse.Namespace, dataset: str = '', decide: str = 'scores',
) -> 'Engine':
    """What answers as `--mode` asks, with the bundle, the preset and the values of `--set`.

    Args:
        args: with the options of `add_models` and `add_method`.
        dataset: that is asked, as in `method_preset`.
        decide: as in `prepare`.

    Raises:
        RefDiffError: as in `prepare`.
    """
    models, preset = prepare(args, args.mode, dataset, decide)
    from refdiff_ros.engine import Engine
    return Engine(models, preset, method_mode(args.mode), args.seed)


def prepare(
    args: argparse.Namespace, method: str = 'full', dataset: str = '', decide: str = 'scores',
) -> tuple['ModelSet', Preset]:
    """The bundle and the preset; says the bundle's notice, before any figure.

    Figures of masks are about which region is chosen, and every one of their expressions means
    one: a calibrated NOT_FOUND, whose mask is empty, is off unless it is asked for with
    `--set selection.decide=calibrated`.

    Args:
        args: with the options of `add_models`.
        method, dataset: as in `method_preset`; the values of `--set` come after its own.
        decide: value of `selection.decide` where it is not overridden.

    Raises:
        RefDiffError: the bundle or the preset's values cannot be used.
    """
    values = checked_overrides(args)

    # torch and the models take seconds to import.
    from refdiff_ros.engine import resolve_preset
    from refdiff_ros.models.manager import DEFAULT_BUNDLE, load_bundle
    models = load_bundle(args.bundle or DEFAULT_BUNDLE, device=args.device)
    if models.notice:
        print(f'NOTE: {models.notice}', flush=True)
    preset = method_preset(resolve_preset(models, args.preset), method, dataset)
    preset = preset.override({'selection': {'decide': decide}})
    return models, override(preset, values)


def _asked(args: argparse.Namespace, models: 'ModelSet') -> dict[str, Any]:
    return {'bundle': models.name, 'trained': models.trained, 'split': args.split,
            'half': args.half, 'preset': args.preset,
            'overrides': parse_overrides(args.overrides)}


def _finish(args: argparse.Namespace, found: dict[str, Any],
            results: list[dict[str, Any]] | None = None) -> int:
    """Write and print the figures; 0, or 2 when the file cannot be written."""
    status = write_figures(args.json, found if results is None else {**found, 'results': results})
    print(to_json(found), flush=True)
    return status
