"""`refdiff evaluate tabletop` and `proposals`: simulated tabletops asked and scored."""

import argparse
from collections.abc import Sequence
from pathlib import Path
import sys
from typing import Any, TYPE_CHECKING

from refdiff_ros.console import Progress, to_json, write_figures
from refdiff_ros.evaluation.html.cli import add_html_option, finish_report, open_gallery
from refdiff_ros.evaluation.options import (
    add_common,
    add_method,
    add_split,
    read_request,
)
from refdiff_ros.evaluation.request import load_engine, load_models, RunRequest

if TYPE_CHECKING:
    from refdiff_ros.engine import Engine
    from refdiff_ros.evaluation.html.gallery import Gallery
    from refdiff_ros.evaluation.run import Answer, Reply
    from refdiff_ros.evaluation.tabletop.contact_sheets import ContactSheets
    from refdiff_ros.models.model_set import ModelSet

_DESCRIPTION = 'The last line of the output is a JSON object with every figure.'


def add_tabletop(commands: argparse._SubParsersAction) -> None:
    """Register `evaluate tabletop`."""
    parser = commands.add_parser(
        'tabletop', help='expressions on simulated tabletops', description=_DESCRIPTION)
    add_split(parser)
    add_common(parser, 'expressions')
    add_method(parser)
    parser.add_argument('--sheets', type=Path, metavar='DIR',
                        help='write pictures of the worst, the best and some random cases')
    add_html_option(parser)
    parser.set_defaults(run=run_tabletop)


def add_proposals(commands: argparse._SubParsersAction) -> None:
    """Register `evaluate proposals`."""
    parser = commands.add_parser(
        'proposals', help="how many objects the segmentor's proposals cover",
        description=_DESCRIPTION)
    add_split(parser)
    add_common(parser, 'scenes')
    parser.set_defaults(run=run_proposals)


def run_tabletop(args: argparse.Namespace) -> int:
    """Ask, print the table and the JSON line.

    Returns:
        0; 1 when no case could be answered; 2 when the JSON file cannot be written.

    Raises:
        RefDiffError: the bundle, the preset's values or the choice of cases cannot be used, or
            sheets or report cannot be written, after the figures were printed.
    """
    from refdiff_ros.evaluation.figures import LEGEND, table
    from refdiff_ros.evaluation.tabletop.cases import scene_range
    from refdiff_ros.evaluation.tabletop.contact_sheets import ContactSheets
    from refdiff_ros.evaluation.tabletop.figures import as_case, tabletop_figures
    request = read_request(RunRequest, args)
    scene_range(request.split, request.half)  # said before the models are loaded
    engine = load_engine(request)
    sheets = None if request.sheets is None else ContactSheets()
    gallery = open_gallery(request.html, engine)
    answers = _ask(request, engine, sheets, gallery)
    models = engine.models
    found = {'what': 'tabletop', **_asked(request, models), 'mode': request.mode,
             'seed': request.seed, **tabletop_figures(answers)}
    print(f'{models.name}, {request.preset}, {request.mode}, {request.split} ({request.half})\n'
          f'{table(found)}\n{LEGEND}')
    cases = [as_case(answer) for answer in answers]
    status = _finish(request, found, cases)
    if sheets is not None and request.sheets is not None:
        for path in sheets.write(request.sheets):
            print(f'wrote {path}', file=sys.stderr)
    finish_report(request.html, {**found, 'results': cases}, gallery)
    return status or (0 if found['errors'] < found['cases'] else 1)


def _ask(
    request: RunRequest, engine: 'Engine', sheets: 'ContactSheets | None',
    gallery: 'Gallery | None',
) -> Sequence['Answer']:
    from refdiff_ros.evaluation.html.cases import case_id
    from refdiff_ros.evaluation.run import answer_samples
    from refdiff_ros.evaluation.tabletop.figures import as_case
    from refdiff_ros.evaluation.tabletop.samples import tabletop_samples

    def on_answer(answer: 'Answer', reply: 'Reply') -> None:
        name = case_id(as_case(answer))
        if sheets is not None:
            sheets.add(answer, reply)
        if gallery is not None:
            gallery.add(name, answer.iou, reply)
        if answer.error:
            progress.say(f'{name}: {answer.error}')
        progress.step()

    with Progress('case', request.limit) as progress:
        return answer_samples(
            engine, tabletop_samples(request.split, request.limit, request.half), on_answer)


def run_proposals(args: argparse.Namespace) -> int:
    """Propose, print the figures and the JSON line; 0, or 2 when the file cannot be written.

    Raises:
        RefDiffError: the bundle, the preset's values or the choice of scenes cannot be used.
    """
    from refdiff_ros.evaluation.tabletop.cases import scene_range
    from refdiff_ros.evaluation.tabletop.proposal_recall import proposal_recall
    request = read_request(RunRequest, args)
    scenes = scene_range(request.split, request.half)[:request.limit]
    models, preset = load_models(request)
    with Progress('scene', len(scenes)) as progress:
        figures = proposal_recall(models, preset, request.split, scenes, progress.step)
    found = {'what': 'proposals', **_asked(request, models), **figures}
    print(f'{models.name}, {request.preset}, {request.split} ({request.half}): '
          f'{found["objects"]} objects in {found["scenes"]} scenes, {found["mean_kept"]} of '
          f'{found["mean_proposals"]} proposals a scene pass the filter')
    for threshold, value in found['recall'].items():
        print(f'recall at IoU {threshold}: {"-" if value is None else value}')
    return _finish(request, found)


def _asked(request: RunRequest, models: 'ModelSet') -> dict[str, Any]:
    return {'bundle': models.name, 'trained': models.trained, 'split': request.split,
            'half': request.half, 'preset': request.preset, 'overrides': request.overrides}


def _finish(request: RunRequest, found: dict[str, Any],
            results: list[dict[str, Any]] | None = None) -> int:
    """Write and print the figures; 0, or 2 when the file cannot be written."""
    status = write_figures(
        request.json, found if results is None else {**found, 'results': results})
    print(to_json(found), flush=True)
    return status
