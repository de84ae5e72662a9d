"""`refdiff evaluate dataset`: a data set asked, in one go or in several."""

import argparse
from collections.abc import Callable, Sequence
import contextlib
from dataclasses import asdict, dataclass
from pathlib import Path
import shlex
import sys
from typing import Any, TYPE_CHECKING

from refdiff_ros.console import Progress, some, to_json, write_figures
from refdiff_ros.errors import BadRequestError, require
from refdiff_ros.evaluation.cluster.options import add_ray, check_ray, with_whole_paths
from refdiff_ros.evaluation.datasets.published import PUBLISHED
from refdiff_ros.evaluation.options import (
    add_common,
    add_method,
    add_requirements,
    read_request,
)
from refdiff_ros.evaluation.request import DatasetRequest, TABLETOP

if TYPE_CHECKING:
    from refdiff_ros.evaluation.requirements import Verdict
    from refdiff_ros.evaluation.run import Answer, Sample
    from refdiff_ros.evaluation.runs.answerer import Answerer
    from refdiff_ros.evaluation.runs.folder import Answers
    from refdiff_ros.evaluation.runs.record import Loaded, RunQuestion

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
    add_requirements(parser, 'miou=0.5')
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
    from refdiff_ros.evaluation.requirements import judge
    from refdiff_ros.evaluation.runs.folder import Answers, RunFolder
    request = read_request(DatasetRequest, args)
    _check(request)
    request = with_whole_paths(request) if request.ray else request
    samples = _samples(request)
    with _answerer(request, samples) as answerer:
        question = _question(request, answerer.loaded, samples)
        with (contextlib.nullcontext(Answers()) if request.out is None
              else RunFolder(request.out, question, command(request))) as kept:
            stop = _ask(answerer, _left(request, samples, kept), kept, len(samples))
            answers = kept.of(samples)
    found = {'what': 'dataset', **question.summary(), **_figures(answers), 'stopped': stop.reason}
    # Half a run meets or misses nothing.
    verdicts = [] if stop.reason else judge(request.requirements, found)
    found['requirements'] = [verdict.as_json() for verdict in verdicts]
    _print(question, found, answers, verdicts)
    written = write_figures(request.json, {
        **found, 'values': question.values, 'results': [asdict(answer) for answer in answers]})
    print(to_json(found), flush=True)
    good = found['errors'] < found['cases'] and all(verdict.met for verdict in verdicts)
    return stop.status or written or (0 if good else 1)


def command(request: DatasetRequest) -> str:
    """The command that asks the same."""
    words = ['refdiff', 'evaluate', 'dataset', request.dataset, '--split', request.split]
    for name, default in (('root', None), ('images', None), ('half', 'all'), ('mode', None),
                          ('preset', None), ('bundle', ''), ('seed', 0), ('limit', None),
                          ('device', 'auto'), ('out', None)):
        value = getattr(request, name)
        if value != default:
            words += [f'--{name}', str(value)]
    for text in request.override_texts:
        words += ['--set', text]
    return shlex.join(words)


def _check(request: DatasetRequest) -> None:
    if (request.dataset == TABLETOP) != (request.root is None):
        need = 'no --root' if request.dataset == TABLETOP else '--root DIR'
        raise BadRequestError(f'expected {need} with {request.dataset}')
    if request.dataset != TABLETOP and request.half != 'all':
        raise BadRequestError(f'expected --half with {TABLETOP} only, got {request.dataset}')
    if request.retry_errors and request.out is None:
        raise BadRequestError('expected --out with --retry-errors: it names the run')
    check_ray(request)


def _samples(request: DatasetRequest) -> Sequence['Sample']:
    if request.dataset != TABLETOP:
        from refdiff_ros.evaluation.datasets.catalog import read_samples
        samples = read_samples(
            request.dataset, require(request.root, '--root'), request.split, request.images)
        return samples[:request.limit]
    from refdiff_ros.sim.splits import ASKED
    if request.split not in ASKED:
        raise BadRequestError(f'expected a split of {TABLETOP}, one of {list(ASKED)}, '
                              f'got {request.split!r}')
    from refdiff_ros.evaluation.tabletop.samples import tabletop_samples
    samples = []
    with Progress('rendered', request.limit) as progress:
        for sample in tabletop_samples(request.split, request.limit, request.half):
            samples.append(sample)
            progress.step()
    return samples


def _answerer(
    request: DatasetRequest, samples: Sequence['Sample'],
) -> contextlib.AbstractContextManager['Answerer']:
    if request.ray is not None:
        from refdiff_ros.evaluation.cluster.workers import ray_workers
        return ray_workers(request, samples)
    from refdiff_ros.evaluation.runs.answerer import InProcess
    return contextlib.nullcontext(InProcess(request))


def _question(
    request: DatasetRequest, loaded: 'Loaded', samples: Sequence['Sample'],
) -> 'RunQuestion':
    from refdiff_ros.evaluation.runs.record import RunQuestion, samples_sha256
    cut = request.limit is not None and len(samples) == request.limit
    return RunQuestion(
        dataset=request.dataset, split=request.split, half=request.half,
        limit=request.limit if cut else None, samples=len(samples),
        samples_sha256=samples_sha256(samples), bundle=loaded.bundle, trained=loaded.trained,
        weights_sha256=loaded.weights_sha256, preset=request.preset,
        overrides=request.overrides, values=loaded.values, mode=request.mode, seed=request.seed,
        device=loaded.device, dtype=loaded.dtype)


def _left(
    request: DatasetRequest, samples: Sequence['Sample'], kept: 'Answers',
) -> list['Sample']:
    """What is still to be asked, in order: samples of one picture stay together."""
    done = {name for name, answer in kept.by_id.items()
            if not (request.retry_errors and answer.error)}
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
    answerer: 'Answerer', left: Sequence['Sample'], kept: 'Answers', count: int,
) -> _Stop:
    from refdiff_ros.evaluation.cluster.connection import ClusterError
    from refdiff_ros.evaluation.runs.folder import RunError
    try:
        with Progress('expression', count, count - len(left)) as progress:
            answerer.answer(left, _on_answer(kept, progress))
    except KeyboardInterrupt:
        print(f'stopped after {len(kept.by_id)} of {count} expressions', file=sys.stderr)
        return _Stop('interrupted', 130)
    except (RunError, ClusterError) as error:
        print(f'refdiff: {error}', file=sys.stderr)
        return _Stop(str(error), 2)
    return _Stop()


def _on_answer(
    kept: 'Answers', progress: Progress,
) -> Callable[['Answer'], None]:
    named = 0

    def on_answer(answer: 'Answer') -> None:
        nonlocal named
        kept.add(answer)
        if answer.error:
            named += 1
            if named <= _NAMED:
                progress.say(f'{answer.sample_id}: {answer.error}')
            if named == _NAMED:
                progress.say('further errors are counted only')
        progress.step()

    return on_answer


def _figures(answers: Sequence['Answer']) -> dict[str, Any]:
    from refdiff_ros.evaluation.figures import tagged_figures, tags_of
    from refdiff_ros.evaluation.metrics.latency import latency_ms
    return {**tagged_figures(answers, tags_of(answers)),
            **latency_ms([answer.seconds for answer in answers if answer.scored])}


def _print(
    question: 'RunQuestion', found: dict[str, Any], answers: Sequence['Answer'],
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
