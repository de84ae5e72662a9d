"""`refdiff pick-eval`: many seeded picks, with our masks and with the true ones."""

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
import sys
from typing import Any

from refdiff_ros.console import write_figures
from refdiff_ros.errors import RefDiffError
from refdiff_ros.pick.tally import faults, shares, table, Trial
from refdiff_ros.pick.verdict import Verdict
from refdiff_ros.presets import Mode, PRESETS
from refdiff_ros.sim.worlds import add_world_option

_SOURCES = ('ours', 'true')


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register the subcommand."""
    parser = subparsers.add_parser(
        'pick-eval', help='pick objects from many simulated tables, and count what happens',
        description='Each episode is a cluttered table with a sentence about an object; one in '
        'five asks for what is not there. The same episodes are run with the masks of the models '
        'and with the true masks. By default everything runs in this process, faster than the '
        'clock and without ROS, through the stages that the action server runs.')
    parser.add_argument('--episodes', type=int, default=200, metavar='N')
    parser.add_argument('--seed', type=int, default=0, help='of the first episode (default 0)')
    parser.add_argument('--masks', default='both', choices=(*_SOURCES, 'both'),
                        help='whose masks (default both)')
    parser.add_argument('--true-masks', dest='masks', action='store_const', const='true',
                        help='the same as --masks true')
    add_world_option(parser)
    parser.add_argument('--bundle', default='tabletop_mini')
    parser.add_argument('--preset', default='onboard', choices=sorted(PRESETS))
    parser.add_argument('--mode', default='full', choices=[mode.value for mode in Mode])
    parser.add_argument('--device', default='auto', help="'auto', 'cpu' or 'cuda[:N]'")
    parser.add_argument('--size', type=int, nargs=2, default=(192, 256), metavar=('H', 'W'),
                        help='of the pictures (default 192 256)')
    parser.add_argument('--ros', action='store_true',
                        help='on a ROS graph, in real time: nodes in processes of their own')
    parser.add_argument('--json', type=Path, help='write every episode and the figures here')
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the episodes and print the figures.

    Returns:
        0, or 2 when the JSON cannot be written.

    Raises:
        RefDiffError: the models or the simulator cannot be had, or no episode could be laid.
    """
    if args.episodes < 1 or args.seed < 0 or min(args.size) < 64:
        raise RefDiffError('expected --episodes >= 1, --seed >= 0 and --size of at least 64, got '
                           f'{args.episodes}, {args.seed} and {tuple(args.size)}')
    sources = _SOURCES if args.masks == 'both' else (args.masks,)
    found: dict[str, list[Trial]] = {source: [] for source in sources}

    def keep(trials: dict[str, Trial]) -> None:
        for source, trial in trials.items():
            found[source].append(trial)
        _tell(trials)
        # Kept as it comes, so that a run that is broken off is not for nothing.
        write_figures(args.json, _values(args, found))

    if args.ros:
        from refdiff_ros.pick.graph_trials import run_trials
        run_trials(args, sources, keep)
    else:
        _in_process(args, sources, keep)
    if not any(found.values()):
        raise RefDiffError('expected an episode that could be laid, there was none: see above')
    print(_report(found))
    return write_figures(args.json, _values(args, found))


def _in_process(args: argparse.Namespace, sources: Sequence[str],
                keep: Callable[[dict[str, Trial]], None]) -> None:
    from refdiff_ros.pick.trials import Episode, Grounder, our_masks, true_masks

    grounders: dict[str, Grounder] = {'true': true_masks}
    if 'ours' in sources:
        grounders['ours'] = our_masks(_engine(args))
    for seed in range(args.seed, args.seed + args.episodes):
        try:
            episode = Episode(seed, tuple(args.size), args.world)
        except RefDiffError as error:
            print(f'episode {seed} left out: {error}', file=sys.stderr, flush=True)
            continue
        keep({source: episode.run(grounders[source]) for source in sources})


def _engine(args: argparse.Namespace) -> Any:
    # These bring torch, which takes seconds to import.
    from refdiff_ros.engine import Engine, resolve_preset
    from refdiff_ros.models import manager

    models = manager.load_bundle(args.bundle, device=args.device)
    return Engine(models, resolve_preset(models, args.preset), Mode(args.mode))


def _tell(trials: dict[str, Trial]) -> None:
    first = next(iter(trials.values()))
    told = '; '.join(f'{source}: {trial.verdict.value}, {trial.seconds:.1f} s'
                     for source, trial in trials.items())
    print(f'{first.seed:>5}  {first.text:<40} {told}', file=sys.stderr, flush=True)


def _report(found: dict[str, list[Trial]]) -> str:
    names = {'ours': 'our masks', 'true': 'true masks'}
    lines = [table(names[source], trials) for source, trials in found.items()]
    for source, trials in found.items():
        asked = Counter(t.shape for t in trials if t.shape)
        right = Counter(t.shape for t in trials if t.verdict is Verdict.RIGHT)
        lines.append(f'{names[source]}, right by shape: ' + ', '.join(
            f'{shape} {right[shape]}/{asked[shape]}' for shape in sorted(asked)))
    if len(found) == 2:
        whose = faults(found['ours'], found['true'])
        lines.append(
            f'{whose["failures"]} failures with our masks: {whose["grounding"]} are grounding '
            f'(the true mask was lifted), {whose["grasping"]} are grasping (it was not either); '
            f'{whose["luck"]} lifted that the true mask did not')
    return '\n'.join(lines)


def _values(args: argparse.Namespace, found: dict[str, list[Trial]]) -> dict[str, Any]:
    values: dict[str, Any] = {
        'episodes': args.episodes, 'seed': args.seed, 'world': args.world, 'ros': args.ros,
        'size_hw': list(args.size), 'bundle': args.bundle, 'preset': args.preset,
        'mode': args.mode}
    for source, trials in found.items():
        values[source] = {'shares': shares(trials), 'trials': [t.values() for t in trials]}
    if len(found) == 2:
        values['faults'] = faults(found['ours'], found['true'])
    return values
