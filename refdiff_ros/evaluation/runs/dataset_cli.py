"""`refdiff evaluate dataset`: a data set asked, in one go or in several."""

import argparse
from collections.abc import Callable, Sequence
import contextlib
from dataclasses import asdict, dataclass
from pathlib import Path
import shlex
import sys
from typing import Any, TYPE_CHECKING

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.cli import add_common, add_method, checked_overrides
from refdiff_ros.evaluation.cluster.options import add_ray, check_ray, with_whole_paths
from refdiff_ros.evaluation.datasets.published import PUBLISHED
from refdiff_ros.evaluation.output import some, write_figures
from refdiff_ros.evaluation.progress import Progress
from refdiff_ros.json_text import to_json

if TYPE_CHECKING:
    from refdiff_ros.evaluation.requirements import Verdict
    from refdiff_ros.evaluation.run import Answer
    from refdiff_ros.evaluation.runs.answering import Answering
    from refdiff_ros.evaluation.runs.folder import Answers
    from refdiff_ros.evaluation.runs.loaded import Loaded
    from refdiff_ros.evaluation.runs.question import Question
    from refdiff_ros.evaluation.sample import Sample

TABLETOP = 'tabletop'
_NAMED = 20  # errors; the run's folder and --json have them all


def add_dataset(commands: argparse._SubParsersAction) -> None:
    """Register the subcommand."""
    parser = commands.add_parser(
        'dataset', help='a split of a public data set, or of the tabletop set',
        description='With --out each answer is kept as it comes: stopped or killed at any moment, '
        'the same command goes on. The last line of the output is a JSON object with every '
        'figure.')
    parser.add_argument('dataset', metavar='NAME', choices=[*PUBLISHED, TABLETOP],
                        help=f'one of {", ".join(PUBLISHED)}, {TABLETOP}')
    parser.add_argument('--root', type=Path, metavar='DIR',
                        help=f"the data set's folder, in its own layout; {TABLETOP} has none")
    parser.add_argument('--images', type=Path, metavar='DIR',
                        help='the pictures, where they are not under --root')
    parser.add_argument('--split', required=True, help='such as val')
    parser.add_argument('--half', default='all', choices=['all', 'seen', 'unseen'],
                        help=f"of {TABLETOP}'s test set")
    add_method(parser)
    parser.add_argument('--out', type=Path, metavar='RUN_DIR',
                        help='keep the run here; go on with it if it is there already')
    parser.add_argument('--retry-errors', action='store_true',
                        help='ask again what the run in --out could not read or answer')
    parser.add_argument('--require', action='append', default=[], metavar='NAME=NUMBER',
                        help='exit with 1 unless it holds, e.g. miou=0.5; repeatable')
    add_common(parser, 'expressions')
    add_ray(parser)
    parser.set_defaults(run=run_dataset)


def run_dataset(args: argparse.Namespace) -> int:
    """Ask what is left to ask, print the table, the requirements and the JSON line.

    Returns:
        0; 1 when a requirement is missed or no case could be answered; 2 when an answer could not
        be kept, and 130 after Ctrl-C, both with the figures of what was done.

    Raises:
        RefDiffError: the requirements, the data set, the bundle, the preset's values or the run's
            folder cannot be used.
    """
    from refdiff_ros.evaluation.requirements import judge, parse_requirements
    from refdiff_ros.evaluation.runs.folder import Answers, RunFolder
    requirements = parse_requirements(args.require)
    checked_overrides(args)
    _check(args)
    args = with_whole_paths(args) if args.ray else args
    samples = _samples(args)
    with _answering(args, samples) as answering:
        question = _question(args, answering.loaded, samples)
        with (contextlib.nullcontext(Answers()) if args.out is None
              else RunFolder(args.out, question, command(args))) as kept:
            stop = _ask(answering, _left(args, samples, kept), kept, len(samples))
            answers = kept.of(samples)
    found = {'what': 'dataset', **question.summary(), **_figures(answers), 'stopped': stop.reason}
    # Half a run meets or misses nothing.
    verdicts = [] if stop.reason else judge(requirements, found)
    found['requirements'] = [verdict.as_json() for verdict in verdicts]
    _print(question, found, answers, verdicts)
    written = write_figures(args.json, {
        **found, 'values': question.values, 'results': [asdict(answer) for answer in answers]})
    print(to_json(found), flush=True)
    good = found['errors'] < found['cases'] and all(verdict.met for verdict in verdicts)
    return stop.status or written or (0 if good else 1)


def command(args: argparse.Namespace) -> str:
    """The command that asks what `args` ask."""
    words = ['refdiff', 'evaluate', 'dataset', args.dataset, '--split', args.split]
    for name, default in (('root', None), ('images', None), ('half', 'all'), ('mode', None),
                          ('preset', None), ('bundle', ''), ('seed', 0), ('limit', None),
                          ('device', 'auto'), ('out', None)):
        value = getattr(args, name)
        if value != default:
            words += [f'--{name}', str(value)]
    for text in args.overrides:
        words += ['--set', text]
    return shlex.join(words)


def _check(args: argparse.Namespace) -> None:
    if (args.dataset == TABLETOP) != (args.root is None):
        need = 'no --root' if args.dataset == TABLETOP else '--root DIR'
        raise BadRequestError(f'expected {need} with {args.dataset}')
    if args.dataset != TABLETOP and args.half != 'all':
        raise BadRequestError(f'expected --half with {TABLETOP} only, got {args.dataset}')
    if args.retry_errors and args.out is None:
        raise BadRequestError('expected --out with --retry-errors: it names the run')
    check_ray(args)


def _samples(args: argparse.Namespace) -> Sequence['Sample']:
    if args.dataset != TABLETOP:
        from refdiff_ros.evaluation.datasets.catalog import read_samples
        return read_samples(args.dataset, args.root, args.split, args.images)[:args.limit]
    if args.split not in ('val', 'test'):
        raise BadRequestError(f"expected a split of {TABLETOP}, 'val' or 'test', "
                              f'got {args.split!r}')
    from refdiff_ros.evaluation.tabletop.samples import tabletop_samples
    progress = Progress('rendered')
    return tabletop_samples(args.split, args.limit, args.half,
                            on_sample=lambda: progress.step(args.limit))


def _answering(
    args: argparse.Namespace, samples: Sequence['Sample'],
) -> contextlib.AbstractContextManager['Answering']:
    if args.ray is not None:
        from refdiff_ros.evaluation.cluster.workers import ray_workers
        return ray_workers(args, samples)
    from refdiff_ros.evaluation.runs.answering import InProcess
    return contextlib.nullcontext(InProcess(args))


def _question(
    args: argparse.Namespace, loaded: 'Loaded', samples: Sequence['Sample'],
) -> 'Question':
    from refdiff_ros.evaluation.runs.question import Question, samples_sha256
    cut = args.limit is not None and len(samples) == args.limit
    return Question(
        dataset=args.dataset, split=args.split, half=args.half,
        limit=args.limit if cut else None, samples=len(samples),
        samples_sha256=samples_sha256(samples), bundle=loaded.bundle, trained=loaded.trained,
        weights_sha256=loaded.weights_sha256, preset=args.preset,
        overrides=checked_overrides(args), values=loaded.values, mode=args.mode, seed=args.seed,
        device=loaded.device, dtype=loaded.dtype)


def _left(
    args: argparse.Namespace, samples: Sequence['Sample'], kept: 'Answers',
) -> list['Sample']:
    """What is still to be asked, in order: samples of one picture stay together."""
    done = {name for name, answer in kept.by_id.items()
            if not (args.retry_errors and answer.error)}
    left = [sample for sample in samples if sample.sample_id not in done]
    if done:
        print(f'going on: {len(samples) - len(left)} of {len(samples)} are answered',
              file=sys.stderr)
    return left


@dataclass(frozen=True)
class _Stop:
    """Why a run ended early ('' if it did not), and the exit status that this has."""

    reason: str = ''
    status: int = 0


def _ask(
    answering: 'Answering', left: Sequence['Sample'], kept: 'Answers', count: int,
) -> _Stop:
    from refdiff_ros.evaluation.cluster.connection import ClusterError
    from refdiff_ros.evaluation.runs.folder import RunError
    progress = Progress('expression', count - len(left))
    try:
        answering.answer(left, _on_answer(kept, progress, count))
    except KeyboardInterrupt:
        print(f'stopped after {len(kept.by_id)} of {count} expressions', file=sys.stderr)
        return _Stop('interrupted', 130)
    except (RunError, ClusterError) as error:
        print(f'refdiff: {error}', file=sys.stderr)
        return _Stop(str(error), 2)
    return _Stop()


def _on_answer(
    kept: 'Answers', progress: Progress, count: int,
) -> Callable[['Answer'], None]:
    named = 0

    def on_answer(answer: 'Answer') -> None:
        nonlocal named
        kept.add(answer)
        if answer.error:
            named += 1
            if named <= _NAMED:
                print(f'{answer.sample_id}: {answer.error}', file=sys.stderr)
            if named == _NAMED:
                print('further errors are counted only', file=sys.stderr)
        progress.step(count)

    return on_answer


def _figures(answers: Sequence['Answer']) -> dict[str, Any]:
    from refdiff_ros.evaluation.figures import tagged_report, tags_of
    from refdiff_ros.evaluation.metrics.latency import latency_ms
    return {**tagged_report(answers, tags_of(answers)),
            **latency_ms([answer.seconds for answer in answers if answer.scored])}


def _print(
    question: 'Question', found: dict[str, Any], answers: Sequence['Answer'],
    verdicts: Sequence['Verdict'],
) -> None:
    from refdiff_ros.evaluation.figures import ALIKE_LEGEND, LEGEND, table
    stopped = '' if not found['stopped'] else \
        f' (stopped after {len(answers)} of {question.samples}: {found["stopped"]})'
    print(f'{question}{stopped}\n{table(found)}\n{LEGEND}')
    if 'by_distractors' in found:
        print(ALIKE_LEGEND)
    bare = [answer.sample_id for answer in answers if not answer.scored]
    if bare:
        print(f'unreadable, not scored: {len(bare)} ({some(bare, _NAMED)})')
    failed = [answer.sample_id for answer in answers if answer.scored and answer.error]
    if failed:
        print(f'errors, scored 0: {len(failed)} ({some(failed, _NAMED)})')
    for verdict in verdicts:
        print(verdict)
