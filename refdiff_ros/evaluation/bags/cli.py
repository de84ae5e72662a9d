"""`refdiff evaluate bag`: a recorded bag asked as fast as the engine can, and scored."""

import argparse
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
import sys
import time
from typing import Any, TYPE_CHECKING

from refdiff_ros.console import Progress
from refdiff_ros.evaluation.html.cli import add_html_option, open_gallery
from refdiff_ros.evaluation.online.cli import (
    add_online_options,
    refuse_online_options,
    run_answers,
    run_online,
)
from refdiff_ros.evaluation.options import (
    add_common,
    add_method,
    add_requirements,
    read_request,
)
from refdiff_ros.evaluation.request import BagRequest, load_engine

if TYPE_CHECKING:
    from refdiff_ros.engine import Engine
    from refdiff_ros.evaluation.bags.grasps import GraspScorer
    from refdiff_ros.evaluation.html.gallery import Gallery
    from refdiff_ros.evaluation.run import Answer, Reply, Sample


def add_bag(commands: argparse._SubParsersAction) -> None:
    """Register the subcommand."""
    parser = commands.add_parser(
        'bag', help='a recorded bag with labels',
        description='Reads rosbag2 (sqlite3, mcap) and ROS 1 bags; ROS need not be installed. '
        'The last line of the output is a JSON object with every figure.')
    parser.add_argument('bag', type=Path, help='rosbag2 folder, or .mcap, .db3 or .bag file')
    parser.add_argument('--labels', type=Path, required=True, metavar='FILE',
                        help="JSON Lines; 'refdiff label' starts such a file")
    parser.add_argument('--image-topic', default='', metavar='TOPIC',
                        help="read the labelled images from here (default: the labels' topic)")
    add_frame_options(parser)
    add_method(parser)
    parser.add_argument('--unverified', action='store_true',
                        help="take labels that are the model's own answers as well")
    add_requirements(parser, 'miou=0.5 or p95_ms=300')
    add_common(parser, 'labels')
    add_html_option(parser)
    add_online_options(parser)
    parser.set_defaults(run=run_bag)


def add_frame_options(parser: argparse.ArgumentParser) -> None:
    """What belongs to an image."""
    from refdiff_ros.evaluation.bags.pairing import TOLERANCE_S
    parser.add_argument('--depth-topic', default='', metavar='TOPIC',
                        help='depth registered to the images')
    parser.add_argument('--info-topic', default='', metavar='TOPIC', help='camera_info')
    parser.add_argument('--rectified', action='store_true',
                        help='the images are rectified: take P of camera_info, without its lens')
    parser.add_argument('--sync-tolerance', type=float, default=TOLERANCE_S, metavar='S',
                        help='depth belongs to an image when their stamps differ by at most this '
                        f'many seconds (default {TOLERANCE_S:g})')


def run_bag(args: argparse.Namespace) -> int:
    """Ask, print the table, the requirements and the JSON line.

    Returns:
        0; 1 when a requirement is missed or no case could be answered; 2 when the bag turned out
        to be damaged, and 130 after Ctrl-C, both with the figures of what was done.

    Raises:
        RefDiffError: the requirements, the labels, the bag, the bundle or the preset's values
            cannot be used.
    """
    request = read_request(BagRequest, args)
    if request.online:
        return run_online(request)
    refuse_online_options(request)
    return run_offline(request) if request.answers is None else run_answers(request)


def run_offline(request: BagRequest) -> int:
    """As `run_bag`, asked in this process."""
    from refdiff_ros.evaluation.bags.grasps import GraspScorer, true_grasps
    from refdiff_ros.evaluation.bags.labelled_bag import (
        checked_labels,
        finish,
        labelled_bag,
        Outcome,
    )
    from refdiff_ros.evaluation.bags.samples import bag_samples
    labels = checked_labels(request)
    with labelled_bag(request, labels) as labelled:
        engine = _engine(request)
        matched = labelled.matched
        samples = islice(bag_samples(labelled.bag, labelled.index, matched), request.limit)
        count = min(matched.count, request.limit or matched.count)
        gallery = open_gallery(request.html, engine)
        grasps = GraspScorer(true_grasps(matched))
        began = time.perf_counter()
        answers, stopped, status = _ask(engine, samples, count, gallery, grasps)
        aside_s = grasps.seconds + (0.0 if gallery is None else gallery.seconds)
        wall_s = time.perf_counter() - began - aside_s
        found = _figures(answers, wall_s)
        title = f'{request.bag.name}, {engine.models.name}, {request.preset}, {request.mode}'
        return finish(request, labelled, Outcome(
            title, answers, grasps.cases, {**_asked(request, engine), **found}, [_speed(found)],
            {}, stopped, status), gallery)


def _engine(request: BagRequest) -> 'Engine':
    """The engine, warm: the first answer is timed like any other."""
    engine = load_engine(request)
    from refdiff_ros.warming import warm_up
    warm_up(engine.models, engine.preset)
    return engine


def _asked(request: BagRequest, engine: 'Engine') -> dict[str, Any]:
    return {
        'bundle': engine.models.name, 'trained': engine.models.trained, 'preset': request.preset,
        'overrides': request.overrides, 'mode': request.mode, 'seed': request.seed}


def _figures(answers: Sequence['Answer'], wall_s: float) -> dict[str, Any]:
    from refdiff_ros.evaluation.metrics.latency import latency_ms
    images = {answer.image_id for answer in answers}

    # With reading and decoding, without loading and warming the models.
    def rate(count: int) -> float | None:
        return round(count / wall_s, 3) if count else None
    return {'frames_per_second': rate(len(images)), 'answers_per_second': rate(len(answers)),
            **latency_ms([answer.seconds for answer in answers if answer.scored])}


def _speed(found: dict[str, Any]) -> str:
    return (f'{found["frames_per_second"] or "-"} frames/s with reading, '
            f'{found["answers_per_second"] or "-"} answers/s; an answer takes '
            f'{found["p50_ms"] or "-"} ms (median), {found["p95_ms"] or "-"} ms (95 %)')


def _ask(
    engine: 'Engine', samples: Iterable['Sample'], count: int, gallery: 'Gallery | None',
    grasps: 'GraspScorer',
) -> tuple[list['Answer'], str, int]:
    """The answers, why they end early ('' if they do not), and the exit status that this has."""
    from refdiff_ros.evaluation.bags.reading import BagError
    from refdiff_ros.evaluation.run import answer_samples
    answers: list[Answer] = []

    def on_answer(answer: 'Answer', reply: 'Reply') -> None:
        answers.append(answer)
        grasps.add(answer, reply)
        if gallery is not None:
            gallery.add(answer.sample_id, answer.iou, reply)
        if answer.error:
            progress.say(f'{answer.sample_id}: {answer.error}')
        progress.step()

    try:
        with Progress('label', count) as progress:
            answer_samples(engine, samples, on_answer)
    except KeyboardInterrupt:
        print(f'stopped after {len(answers)} of {count} labels', file=sys.stderr)
        return answers, 'interrupted', 130
    except BagError as error:
        print(f'refdiff: {error}', file=sys.stderr)
        return answers, str(error), 2
    return answers, '', 0
