"""`refdiff pick`: a simulated gripper picks up one thing, on a ROS graph, and is filmed."""

import argparse
from pathlib import Path
from typing import Any, TYPE_CHECKING

from refdiff_ros.demo.cli import first_line
from refdiff_ros.errors import RefDiffError
from refdiff_ros.language.valid_text import valid_text
from refdiff_ros.pick.film import write_gif, write_timeline
from refdiff_ros.pick.stages import PickStatus
from refdiff_ros.pick.verdict import Verdict, verdict
from refdiff_ros.presets import Mode, PRESETS
from refdiff_ros.sim.worlds import add_world_option

if TYPE_CHECKING:
    from refdiff_ros.pick.ros.client import PickClient, Watched

_SIZE_HW, _FILM_HZ = (240, 320), 10.0


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register the subcommand."""
    parser = subparsers.add_parser(
        'pick', help='a simulated gripper picks up what a sentence means',
        description='Needs ROS 2 and the built workspace; uses a private ROS domain on this '
        'machine and ends every process whatever happens.')
    parser.add_argument('expression', nargs='?', type=valid_text,
                        help='what to pick up; by default one that suits the scene')
    parser.add_argument('--seed', type=int, default=3, help='of the scene (default 3)')
    add_world_option(parser)
    parser.add_argument('--true-masks', action='store_true',
                        help="ask the simulator's truth in place of the models")
    parser.add_argument('--bundle', default='tabletop_mini')
    parser.add_argument('--preset', default='onboard', choices=sorted(PRESETS))
    parser.add_argument('--mode', default='full', choices=[mode.value for mode in Mode])
    parser.add_argument('--device', default='auto', help="'auto', 'cpu' or 'cuda[:N]'")
    parser.add_argument('--size', type=int, nargs=2, default=_SIZE_HW, metavar=('H', 'W'),
                        help='of the pictures (default 240 320)')
    parser.add_argument('--out', type=Path, default=Path('out/pick'),
                        help='folder for the film, the timeline and logs (default out/pick)')
    parser.add_argument('--timeout', type=float, default=300.0, metavar='S',
                        help='seconds to become active, and for the pick (default 300)')
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run one pick.

    Returns:
        0 when the object that was meant was lifted in truth, 1 otherwise.

    Raises:
        RefDiffError: ROS is not there, a process ended by itself, or nothing came in time.
    """
    from refdiff_ros.pick.graph import graph, GraphOptions, show_scene

    if args.timeout <= 0 or args.seed < 0 or min(args.size) < 64:
        raise RefDiffError('expected --timeout > 0, --seed >= 0 and --size of at least 64, got '
                           f'{args.timeout}, {args.seed} and {tuple(args.size)}')
    print(first_line(args.bundle) if not args.true_masks
          else "The simulator's truth answers in place of the models.", flush=True)
    options = GraphOptions(
        args.seed, tuple(args.size), args.true_masks, args.bundle, args.preset, args.mode,
        args.device, args.timeout, args.out / 'log', film_hz=_FILM_HZ, world=args.world)
    print(f'starting the gripper, the refdiff node and the action server; logs in {options.log}',
          flush=True)
    with graph(options) as client:
        show_scene(client, args.seed, args.timeout, args.world)
        text, row = _asked(client.scene, args.expression)
        print(f'asking for "{text}"', flush=True)
        watched = client.pick(text, args.timeout)
        truth = _truth(client, watched, row)
    return _write(args, text, watched, truth)


def _asked(scene: dict[str, Any], expression: str | None) -> tuple[str, int | None]:
    """The expression, and the row of the object that it means, None where nobody knows."""
    said = {found['text']: found['id'] - 1 for found in scene['expressions']}
    if expression is not None:
        return expression, said.get(expression)
    shapes = [thing['shape'] for thing in scene['objects']]
    for found in scene['expressions']:
        if found['kind'] == 'attribute' and shapes[found['id'] - 1] not in ('plate', 'bowl'):
            return found['text'], said[found['text']]
    raise RefDiffError('expected a scene with something to pick up, this one has nothing: take '
                       'another --seed, or name something')


def _truth(client: 'PickClient', watched: 'Watched', row: int | None) -> Verdict:
    return verdict(row, watched.result.status == PickStatus.REFUSED, watched.raised_m,
                   watched.peak_m, tuple(thing['on'] for thing in client.scene['objects']),
                   watched.disturbed)


def _write(args: argparse.Namespace, text: str, watched: 'Watched', truth: Verdict) -> int:
    write_gif(args.out / 'pick.gif', watched.frames, watched.events, text,
              1.0 / _FILM_HZ)
    result = watched.result
    write_timeline(args.out, {
        'expression': text, 'seed': args.seed, 'truth': truth.value,
        'events': [{'at_s': round(event.at_s, 3), 'stage': event.stage.name.lower(),
                    'note': event.note} for event in watched.events],
        'result': {'at_s': round(watched.seconds, 3),
                   'status': PickStatus(result.status).name, 'reason': result.reason},
        'raised_m': [round(float(value), 4) for value in watched.raised_m]})
    print((args.out / 'timeline.txt').read_text().rstrip())
    print(f'film: {args.out}/pick.gif, timeline: {args.out}/timeline.json', flush=True)
    return 0 if truth is Verdict.RIGHT else 1
