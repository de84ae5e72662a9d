"""`refdiff calibrate`: when answers of a bundle can be believed, from pictures of one's own."""

import argparse
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
import re
import sys
from typing import Any, NoReturn, TYPE_CHECKING

import numpy as np

from refdiff_ros.console import Progress, to_json
from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.bags.cli import add_frame_options
from refdiff_ros.evaluation.options import positive, read_request
from refdiff_ros.evaluation.request import BagRequest, DatasetRequest, RunRequest, TABLETOP
from refdiff_ros.presets import Mode, PRESETS

if TYPE_CHECKING:
    from refdiff_ros.engine import Engine
    from refdiff_ros.evaluation.calibrating.collecting import Asked
    from refdiff_ros.evaluation.calibrating.fitting import Collected
    from refdiff_ros.evaluation.calibrating.sources import Source

# Fewer say nothing: of 50 cases a threshold is drawn from a dozen of each kind.
MIN_CASES, MIN_OF_KIND = 50, 10


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register the subcommands."""
    parser = subparsers.add_parser(
        'calibrate', help='fit NOT_FOUND, AMBIGUOUS and the confidence to your own pictures',
        description='Asks a bundle what labels are of, and of each picture also what was said of '
        'another one; fits the decision; checks it by cross-validation; writes a JSON file for '
        f"the node's parameter 'calibration'. Needs {MIN_CASES} cases, {MIN_OF_KIND} of them true "
        'of one object.')
    commands = parser.add_subparsers(required=True, metavar='WHAT')
    bag = commands.add_parser('bag', help='a recorded bag with labels')
    bag.add_argument('bag', type=Path, help='rosbag2 folder, or .mcap, .db3 or .bag file')
    bag.add_argument('--labels', type=Path, required=True, metavar='FILE',
                     help="JSON Lines; 'refdiff label' starts such a file")
    bag.add_argument('--answers', type=Path, metavar='FOLDER',
                     help="a recording of 'refdiff evaluate bag --online' of this bag: only what "
                     'it answered is asked, of the bundle, preset and mode that answered')
    bag.add_argument('--image-topic', default='', metavar='TOPIC',
                     help="read the labelled images from here (default: the labels' topic)")
    bag.add_argument('--unverified', action='store_true',
                     help="take labels that are the model's own answers as well")
    add_frame_options(bag)
    _add_common(bag)
    bag.set_defaults(run=run_bag)
    dataset = commands.add_parser('dataset', help='a public data set, or the tabletops')
    dataset.add_argument('dataset', metavar='DATASET', help=f"as 'refdiff evaluate dataset' or "
                         f'{TABLETOP}')
    dataset.add_argument('--root', type=Path, metavar='DIR', help="the data set's folder")
    dataset.add_argument('--images', type=Path, metavar='DIR',
                         help='the pictures, where they are not under --root')
    dataset.add_argument('--split', default='val', metavar='SPLIT')
    dataset.add_argument('--half', default='all', choices=['all', 'seen', 'unseen'])
    _add_common(dataset)
    dataset.set_defaults(run=run_dataset)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--limit', type=positive, metavar='N',
                        help='the first N cases only, those made from other pictures included')
    parser.add_argument('--bundle', default='', help='model bundle: name, folder or hub id')
    parser.add_argument('--preset', default='onboard', choices=sorted(PRESETS))
    parser.add_argument('--mode', default='full', choices=[mode.value for mode in Mode])
    parser.add_argument('--seed', type=int, default=0, help='of the diffusion noise')
    parser.add_argument('--device', default='auto', help="'auto', 'cpu' or 'cuda[:N]'")
    parser.add_argument('--least-found', type=float, default=0.9, metavar='SHARE',
                        help='of what is true of one object, so much must stay FOUND '
                        '(default 0.9)')
    parser.add_argument('--out', type=Path, metavar='FILE',
                        help='default: beside the bundle, named after it, preset, mode and data')
    parser.add_argument('--html', type=Path, metavar='FILE',
                        help='write the reliability diagram as one HTML file')


def run_bag(args: argparse.Namespace) -> int:
    """Calibrate on a labelled bag; as `_run`."""
    from refdiff_ros.evaluation.calibrating.sources import from_bag, settings_of
    request = read_request(BagRequest, args)
    if request.answers is not None:
        asked = settings_of(request.answers)
        request = replace(request, **{name: asked[name] for name in (
            'bundle', 'preset', 'mode', 'seed', 'rectified') if name in asked})
    return _run(args, request, from_bag(request))


def run_dataset(args: argparse.Namespace) -> int:
    """Calibrate on a data set; as `_run`."""
    from refdiff_ros.evaluation.calibrating.sources import from_dataset
    request = read_request(DatasetRequest, args)
    return _run(args, request, nullcontext(from_dataset(request)))


def _run(
    args: argparse.Namespace, request: RunRequest, source: AbstractContextManager['Source'],
) -> int:
    """Ask, fit, check, write; print the figures of the check.

    Returns:
        0.

    Raises:
        RefDiffError: the source or the bundle cannot be used, there are too few cases, or
            nothing keeps as much FOUND as is asked for.
    """
    from refdiff_ros.evaluation.calibrating.cross_validation import cross_validated, FOLDS
    from refdiff_ros.evaluation.calibrating.fitting import calibrated, steady_thresholds
    from refdiff_ros.evaluation.decisions import figures
    if not 0 <= args.least_found <= 1:
        raise BadRequestError(f'expected --least-found in 0..1, got {args.least_found:g}')
    with source as opened:
        engine = _engine(request)
        found, cases = _collected(request, opened, engine)
        data = opened.data
    counts = _counted(found)
    results = cross_validated(found, cases, args.least_found, request.mode)
    config = calibrated(found, args.least_found, request.mode, steady_thresholds,
                        np.array([case.made for case in cases]))
    checked = figures.decision_figures(results)
    kept = {name: checked[name] for name in ('macro_f1', 'precision', 'recall')}
    kept['ece'] = checked['confidence']['all questions']['ece']
    path = _write(args.out, request, engine, {**data, 'cases': len(cases), **counts}, config, kept)
    print(f'{engine.models.name}, {request.preset}, {request.mode}, {data["name"]}: {FOLDS}-fold '
          'cross-validation, pictures drawn whole')
    print(f'{figures.decision_table(checked)}\n{figures.LEGEND}')
    if args.html is not None:
        _write_report(args.html, request, engine, data, {
            **checked, 'results': [asdict(result) for result in results]})
    print(f'wrote {path}; the node takes it by the parameter calibration:={path}')
    print(to_json({'calibration': asdict(config), 'cross_validated': kept, **counts}), flush=True)
    return 0


def _engine(request: RunRequest) -> 'Engine':
    from refdiff_ros.evaluation.request import load_engine
    engine = load_engine(request)
    engine.preset = engine.preset.override({'calibration': {'mode': ''}})
    return engine


def _collected(
    request: RunRequest, source: 'Source', engine: 'Engine',
) -> tuple['Collected', list['Asked']]:
    """What the answers show, and what was asked."""
    from refdiff_ros.evaluation.calibrating.collecting import collect
    from refdiff_ros.evaluation.calibrating.questions import absent_expressions, questions
    from refdiff_ros.language.expression import parse
    absent = absent_expressions(source.said, lambda text: parse(
        text, engine.models.nlp, engine.preset.root).root)
    total = source.count + sum(map(len, absent.values()))
    if total < MIN_CASES:
        _refuse(f'{total}, with what can be asked of other pictures')
    with Progress('case', min(total, request.limit or total)) as progress:
        cases = questions(source.pictures(progress.say), absent)
        found, asked = collect(
            engine, islice(cases, request.limit), progress.say, progress.step)
    if found is None or len(asked) < MIN_CASES:
        _refuse(f'{len(asked)} that could be answered')
    return found, asked


def _counted(found: 'Collected') -> dict[str, int]:
    """How many cases there are of each decision, enough of two of them."""
    from refdiff_ros.evaluation.decisions.figures import DECISIONS
    counts = {name: int((found.truth == place).sum()) for place, name in enumerate(DECISIONS)}
    for name in ('FOUND', 'NOT_FOUND'):
        if counts[name] < MIN_OF_KIND:
            _refuse(f'{counts[name]} where {name} is right')
    if not counts['AMBIGUOUS']:
        print("NOTE: no label is true of several objects (key 'also'): AMBIGUOUS is answered "
              'where another region fits more likely than not', file=sys.stderr)
    return counts


def _refuse(got: str) -> NoReturn:
    raise BadRequestError(
        f'expected {MIN_CASES} cases or more, {MIN_OF_KIND} of them true of one object and '
        f'{MIN_OF_KIND} of none, got {got}: label more pictures')


def _write(
    out: Path | None, request: RunRequest, engine: 'Engine', data: dict[str, Any], config: Any,
    checked: dict[str, Any],
) -> Path:
    from refdiff_ros.matching.calibration_file import CalibrationFile, write_calibration
    from refdiff_ros.models.home import home
    from refdiff_ros.models.manager import DEFAULT_BUNDLE
    from refdiff_ros.models.weights_digest import weights_sha256
    asked = request.bundle or DEFAULT_BUNDLE
    name = '-'.join(re.sub(r'[^\w.+]+', '_', part) for part in (
        engine.models.name, request.preset, request.mode, str(data['name'])))
    folder = Path(asked).resolve().parent if Path(asked).is_dir() else home() / 'bundles'
    path = out or folder / f'{name}.json'
    write_calibration(path, CalibrationFile(
        engine.models.name, weights_sha256(asked, engine.models), request.preset, request.mode,
        data, config, checked))
    return path


def _write_report(
    path: Path, request: RunRequest, engine: 'Engine', data: dict[str, Any],
    checked: dict[str, Any],
) -> None:
    from refdiff_ros.evaluation.html.decisions import write_decisions
    write_decisions(path, {
        'bundle': engine.models.name, 'preset': request.preset, 'mode': request.mode,
        'split': data['name'], 'half': 'cross-validated', 'seed': request.seed, 'overrides': {},
        'calibrated': True, 'trained': engine.models.trained, 'heading': 'Calibration',
        'note': f'{engine.models.name}, {request.preset}, {request.mode}, on {data["name"]}: each '
                'case judged by a fit on the other pictures. Some expressions that were said of '
                'other pictures are true by chance, so that right NOT_FOUND is more than it says.',
        **checked})
    print(f'wrote {path}', file=sys.stderr)
