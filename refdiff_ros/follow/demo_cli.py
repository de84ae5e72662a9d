"""`refdiff follow`: a simulated gripper does what an order says, on a ROS graph, and is filmed."""

import argparse
from pathlib import Path
import sys
from typing import Any, TYPE_CHECKING

from refdiff_ros.demo.cli import first_line
from refdiff_ros.errors import RefDiffError
from refdiff_ros.follow.results import FollowStatus, StepStatus
from refdiff_ros.language.valid_text import valid_text
from refdiff_ros.pick.film import write_gif, write_timeline
from refdiff_ros.presets import Mode, PRESETS

if TYPE_CHECKING:
    from refdiff_ros.follow.ros.client import FollowClient

_SIZE_HW, _FILM_HZ, _SHOWN_S = (240, 320), 4.0, 0.1
# A scene with two bananas, a plate, a box and a mug: one question, two steps.
_SEED = 660000030
_ORDER = 'put the banana on the plate, then put the box next to the plate'
_ANSWER = 'the left one'


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register the subcommand."""
    parser = subparsers.add_parser(
        'follow', help='a simulated gripper does what an order says',
        description='Needs ROS 2 and the built workspace; uses a private ROS domain on this '
        'machine and ends every process whatever happens. Questions are put on the terminal.')
    parser.add_argument('order', nargs='?', type=valid_text, default=_ORDER,
                        help=f'in words (default: {_ORDER!r})')
    parser.add_argument('--answer', action='append', metavar='TEXT',
                        help='answers to its questions, in order; without a terminal and an '
                        f'answer {_ANSWER!r} is given')
    parser.add_argument('--seed', type=int, default=_SEED, help='of the scene')
    parser.add_argument('--true-masks', action='store_true',
                        help="ask the simulator's truth in place of the models")
    parser.add_argument('--bundle', default='tabletop_mini')
    parser.add_argument('--preset', default='onboard', choices=sorted(PRESETS))
    parser.add_argument('--mode', default='full', choices=[mode.value for mode in Mode])
    parser.add_argument('--device', default='auto', help="'auto', 'cpu' or 'cuda[:N]'")
    parser.add_argument('--size', type=int, nargs=2, default=_SIZE_HW, metavar=('H', 'W'),
                        help='of the pictures (default 240 320)')
    parser.add_argument('--out', type=Path, default=Path('out/follow'),
                        help='folder for the film, the timeline and logs (default out/follow)')
    parser.add_argument('--no-film', dest='film', action='store_false',
                        help='let the physics run, and film nothing')
    parser.add_argument('--timeout', type=float, default=600.0, metavar='S',
                        help='seconds to become active, and for the order (default 600)')
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Follow one order.

    Returns:
        0 when it was done, 1 otherwise.

    Raises:
        RefDiffError: ROS is not there, a process ended by itself, or nothing came in time.
    """
    from refdiff_ros.optional import require_ros
    from refdiff_ros.pick.graph import graph, GraphOptions, show_scene

    if args.timeout <= 0 or args.seed < 0 or min(args.size) < 64:
        raise RefDiffError('expected --timeout > 0, --seed >= 0 and --size of at least 64, got '
                           f'{args.timeout}, {args.seed} and {tuple(args.size)}')
    client_type = require_ros('refdiff_ros.follow.ros.client').FollowClient
    print(first_line(args.bundle) if not args.true_masks
          else "The simulator's truth answers in place of the models.", flush=True)
    options = GraphOptions(
        args.seed, tuple(args.size), args.true_masks, args.bundle, args.preset, args.mode,
        args.device, args.timeout, args.out / 'log', server='follow-server',
        film_hz=_FILM_HZ if args.film else 0.0)
    print(f'starting the gripper, the refdiff node and the node that follows; logs in '
          f'{options.log}', flush=True)
    with graph(options, client_type) as client:
        show_scene(client, args.seed, args.timeout)
        names = ', '.join(thing['name'] for thing in client.scene['objects'])
        print(f'on the table: {names}\norder: "{args.order}"', flush=True)
        answers = list(args.answer or ())
        goal = client.order(args.timeout, instruction=args.order)
        result = client.watch_order(goal, args.timeout,
                                    lambda question: _answer(question, answers))
        frames, seconds = client.film()
    return _write(args, client, result, frames, seconds)


def _answer(question: Any, answers: list[str]) -> str:
    """An answer from the command line, else from the terminal, else the default."""
    print(f'? {question.text}', flush=True)
    for option in question.options:
        print(f'    {option.id}: {option.label}', flush=True)
    if answers:
        said = answers.pop(0)
    elif sys.stdin.isatty():
        return input('> ')
    else:
        said = 'yes' if not question.options else _ANSWER
    print(f'> {said}', flush=True)
    return said


def _write(args: argparse.Namespace, client: 'FollowClient', result: Any, frames: list,
           seconds: float) -> int:
    status = FollowStatus(result.status)
    for row, step in enumerate(result.steps, 1):
        print(f'step {row}: {StepStatus(step.status).name.lower()}: {step.reason}')
    print(f'{status.name}: {result.reason.removeprefix("done: ")}', flush=True)
    if args.film and frames:
        name = status.name.lower()
        ended = f'{name}: {result.reason.removeprefix(f"{name}: ")}'
        write_gif(args.out / 'follow.gif', frames, client.events, args.order, _SHOWN_S,
                  ended)
        print(f'film: {args.out}/follow.gif', flush=True)
    write_timeline(args.out, {
        'expression': args.order, 'seed': args.seed, 'truth': '',
        'events': [{'at_s': round(event.at_s, 3), 'stage': event.stage.name.lower(),
                    'note': event.note} for event in client.events],
        'result': {'at_s': round(seconds, 3), 'status': status.name, 'reason': result.reason}})
    print(f'timeline: {args.out}/timeline.json', flush=True)
    return 0 if status is FollowStatus.DONE else 1
