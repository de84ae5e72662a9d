"""`refdiff evaluate decisions`: FOUND, NOT_FOUND and AMBIGUOUS where the right one is known."""

import argparse
from dataclasses import asdict, replace
from pathlib import Path
import sys
from typing import TYPE_CHECKING

from refdiff_ros.console import Progress, to_json, write_figures
from refdiff_ros.evaluation.options import add_common, add_method, add_split, read_request
from refdiff_ros.evaluation.request import load_engine, RunRequest

if TYPE_CHECKING:
    from refdiff_ros.engine import Engine


def add_decisions(commands: argparse._SubParsersAction) -> None:
    """Register the subcommand."""
    parser = commands.add_parser(
        'decisions', help='FOUND, NOT_FOUND and AMBIGUOUS, and the confidence, on simulated '
        'tabletops',
        description='Asks expressions that are true of one object, of none and of several. The '
        'last line of the output is a JSON object with every figure.')
    add_split(parser)
    add_common(parser, 'expressions of each of the three sets')
    add_method(parser)
    parser.add_argument('--calibration', type=Path, metavar='FILE',
                        help="of this bundle, preset and mode, as 'refdiff calibrate' writes it")
    parser.add_argument('--html', type=Path, metavar='FILE',
                        help='write a report with the reliability diagram as one HTML file')
    parser.set_defaults(run=run_decisions)


def run_decisions(args: argparse.Namespace) -> int:
    """Ask, print the tables and the JSON line.

    Returns:
        0; 1 when no case could be answered; 2 when the figures cannot be written.

    Raises:
        RefDiffError: the bundle, the preset's values or the choice of cases cannot be used.
    """
    from refdiff_ros.evaluation.decisions import figures
    from refdiff_ros.evaluation.decisions.asking import DecisionResult, evaluate_decisions
    from refdiff_ros.evaluation.decisions.cases import decision_cases, SETS
    from refdiff_ros.evaluation.tabletop.cases import scene_range
    request = read_request(RunRequest, args)
    scene_range(request.split, request.half)  # said before the models are loaded
    engine = load_engine(request, decide='calibrated')
    if args.calibration is not None:
        _take_calibration(engine, args.calibration, request)
    models, calibrated = engine.models, engine.preset.calibration.mode == engine.mode.value
    with Progress('case', request.limit and request.limit * len(SETS)) as progress:
        def on_result(result: DecisionResult) -> None:
            if result.error:
                progress.say(f'scene {result.scene}, {result.expression!r}: {result.error}')
            progress.step()

        results = evaluate_decisions(
            engine, decision_cases(request.split, request.limit, request.half), on_result)
    found = {
        'what': 'decisions', 'bundle': models.name, 'trained': models.trained,
        'split': request.split, 'half': request.half, 'preset': request.preset,
        'mode': request.mode, 'seed': request.seed, 'overrides': request.overrides,
        'calibrated': calibrated, **figures.decision_figures(results)}
    print(f'{models.name}, {request.preset}, {request.mode}, {request.split} ({request.half})')
    if not calibrated:
        print(f"NOTE: '{models.name}' has no calibration for {request.preset} in mode "
              f'{request.mode}: the confidence is a share of scores, NOT_FOUND goes by '
              'selection.min_presence')
    print(f'{figures.decision_table(found)}\n{figures.LEGEND}')
    written = {**found, 'results': [asdict(result) for result in results]}
    if request.html is not None:
        from refdiff_ros.evaluation.html.decisions import write_decisions
        write_decisions(request.html, written)
        print(f'wrote {request.html}', file=sys.stderr)
    status = write_figures(request.json, written)
    confidence = {name: {key: value for key, value in some.items() if key != 'bins'}
                  for name, some in found['confidence'].items()}
    print(to_json({**found, 'confidence': confidence}), flush=True)
    return status or (0 if found['errors'] < found['cases'] else 1)


def _take_calibration(engine: 'Engine', path: Path, request: RunRequest) -> None:
    from refdiff_ros.matching.calibration_file import take_calibration
    from refdiff_ros.models.manager import DEFAULT_BUNDLE
    file = take_calibration(engine.models, path, request.bundle or DEFAULT_BUNDLE,
                            request.preset, request.mode)
    engine.preset = replace(engine.preset, calibration=file.calibration)
