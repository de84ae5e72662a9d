"""`refdiff follow-eval`: many seeded orders, judged by the simulator's state."""

import argparse
from collections import Counter
from collections.abc import Sequence
import math
from pathlib import Path
import sys
from typing import Any

import numpy as np

from refdiff_ros.console import write_figures
from refdiff_ros.errors import RefDiffError
from refdiff_ros.follow.judging import OrderTrial
from refdiff_ros.pick.tally import wilson
from refdiff_ros.presets import Mode, PRESETS

_SOURCES = ('ours', 'true')


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register the subcommand."""
    parser = subparsers.add_parser(
        'follow-eval', help='follow orders on many simulated tables, and count what happens',
        description='Each episode is a cluttered table and an order: to pick, to put on, in or '
        'beside something, in two steps, one that needs a question, one about what is not there, '
        'one with something forbidden, one that is stopped, one that is taken back. What became '
        "of it the simulator's state says a second after the end.")
    parser.add_argument('--episodes', type=int, default=300, metavar='N')
    parser.add_argument('--seed', type=int, default=1000, help='of the first episode')
    parser.add_argument('--masks', default='both', choices=(*_SOURCES, 'both'),
                        help='whose masks (default both)')
    parser.add_argument('--true-masks', dest='masks', action='store_const', const='true',
                        help='the same as --masks true')
    parser.add_argument('--answers', default='oracle', choices=('oracle', 'none'),
                        help='who answers questions (default oracle)')
    parser.add_argument('--bundle', default='tabletop_mini')
    parser.add_argument('--preset', default='onboard', choices=sorted(PRESETS))
    parser.add_argument('--mode', default='full', choices=[mode.value for mode in Mode])
    parser.add_argument('--device', default='auto', help="'auto', 'cpu' or 'cuda[:N]'")
    parser.add_argument('--size', type=int, nargs=2, default=(192, 256), metavar=('H', 'W'),
                        help='of the pictures (default 192 256)')
    parser.add_argument('--json', type=Path, help='write every episode and the figures here')
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the episodes and print the figures.

    Returns:
        0, or 2 when the JSON cannot be written.

    Raises:
        RefDiffError: the models or the simulator cannot be had, or no episode could be laid.
    """
    from refdiff_ros.follow.sim_world import true_grounder
    from refdiff_ros.follow.trials import OrderEpisode
    from refdiff_ros.language.expression import load_parser
    from refdiff_ros.language.instruction.reader import read_instruction

    if args.episodes < 1 or args.seed < 0 or min(args.size) < 64:
        raise RefDiffError('expected --episodes >= 1, --seed >= 0 and --size of at least 64, got '
                           f'{args.episodes}, {args.seed} and {tuple(args.size)}')
    sources = _SOURCES if args.masks == 'both' else (args.masks,)
    grounders: dict[str, Any] = {'true': true_grounder}
    if 'ours' in sources:
        grounders['ours'] = _ours(args)
    nlp = load_parser()
    found: dict[str, list[OrderTrial]] = {source: [] for source in sources}
    for seed in range(args.seed, args.seed + args.episodes):
        try:
            episode = OrderEpisode(seed, tuple(args.size), lambda text: read_instruction(
                text, nlp))
        except RefDiffError as error:
            print(f'episode {seed} left out: {error}', file=sys.stderr, flush=True)
            continue
        for source in sources:
            trial = episode.run(grounders[source], args.answers == 'oracle')
            found[source].append(trial)
            _tell(source, trial)
        # Kept as it comes, so that a run that is broken off is not for nothing.
        write_figures(args.json, _values(args, found))
    if not any(found.values()):
        raise RefDiffError('expected an episode that could be laid, there was none: see above')
    print('\n'.join(line for source, trials in found.items()
                    for line in report(source, trials)))
    return write_figures(args.json, _values(args, found))


def _ours(args: argparse.Namespace) -> Any:
    # These bring torch, which takes seconds to import.
    from refdiff_ros.engine import Engine, resolve_preset
    from refdiff_ros.follow.sim_world import our_grounder
    from refdiff_ros.models import manager

    models = manager.load_bundle(args.bundle, device=args.device)
    return our_grounder(Engine(models, resolve_preset(models, args.preset), Mode(args.mode)))


def _tell(source: str, trial: OrderTrial) -> None:
    said = 'right' if trial.right else f'WRONG ({trial.fault}): {trial.reason}'
    print(f'{trial.seed:>5} {source} {trial.kind:<14} {trial.text:<60} {trial.status:<9} {said}',
          file=sys.stderr, flush=True)


def counts(trials: Sequence[OrderTrial]) -> dict[str, tuple[int, int]]:
    """Of each figure how many, and of how many."""
    refused = ('REFUSED', 'NOT_READ')
    goals = sum(t.steps for t in trials)
    there = [t for t in trials if t.steps]
    answered = [t for t in trials if t.understood >= 0]
    needed = [t for t in trials if t.needed_question]
    others = [t for t in trials if not t.needed_question]
    forbidding = [t for t in trials if t.kind == 'forbidden']
    stopped = [t for t in trials if not math.isnan(t.stop_mm)]
    return {
        'whole order right': (sum(t.right for t in trials), len(trials)),
        'steps right': (sum(t.steps_right for t in trials), goals),
        'wrong object touched': (sum(t.wrong_touched for t in trials), len(trials)),
        'forbidden object moved': (sum(t.forbidden_moved for t in forbidding), len(forbidding)),
        'others moved or toppled': (sum(t.others_moved for t in trials), len(trials)),
        'dropped from over 2 cm': (sum(t.dropped for t in trials), len(trials)),
        'needed question asked': (sum(t.asked > 0 for t in needed), len(needed)),
        'needless question': (sum(t.asked > 0 for t in others), len(others)),
        'answer understood': (sum(t.understood > 0 for t in answered), len(answered)),
        'refused what is there': (sum(t.status in refused for t in there), len(there)),
        'stopped within 5 mm': (sum(t.stop_mm <= 5 for t in stopped), len(stopped)),
        'stopped within 100 ms': (sum(t.stop_ms <= 100 for t in stopped), len(stopped)),
    }


def report(source: str, trials: Sequence[OrderTrial]) -> list[str]:
    """The figures as lines of text."""
    name = {'ours': 'our masks', 'true': 'true masks'}[source]
    lines = [f'{name}: {len(trials)} orders']
    for what, (count, total) in counts(trials).items():
        if total:
            low, high = wilson(count, total)
            lines.append(f'  {what:<26} {count:>4} of {total:<4} {count / total:6.1%}  '
                         f'({low:.1%} to {high:.1%})')
    kinds = Counter(t.kind for t in trials)
    right = Counter(t.kind for t in trials if t.right)
    lines.append('  right by kind: ' + ', '.join(
        f'{kind} {right[kind]}/{kinds[kind]}' for kind in sorted(kinds)))
    faults = Counter(t.fault for t in trials if t.fault)
    lines.append('  faults: ' + (', '.join(
        f'{fault} {count}' for fault, count in faults.most_common()) or 'none'))
    stops = [t for t in trials if not math.isnan(t.stop_mm)]
    if stops:
        lines.append(f'  motion after a stop: at most {max(t.stop_mm for t in stops):.1f} mm and '
                     f'{max(t.stop_ms for t in stops):.0f} ms, median '
                     f'{np.median([t.stop_mm for t in stops]):.1f} mm')
    return lines


def _values(args: argparse.Namespace, found: dict[str, list[OrderTrial]]) -> dict[str, Any]:
    values: dict[str, Any] = {
        'episodes': args.episodes, 'seed': args.seed, 'size_hw': list(args.size),
        'answers': args.answers, 'bundle': args.bundle, 'preset': args.preset,
        'mode': args.mode}
    for source, trials in found.items():
        values[source] = {
            'figures': {what: {'count': count, 'of': total,
                               'interval95': [round(bound, 4) for bound in wilson(count, total)]}
                        for what, (count, total) in counts(trials).items()},
            'trials': [trial.values() for trial in trials]}
    return values
