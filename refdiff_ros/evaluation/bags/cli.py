"""`refdiff evaluate bag`: a recorded bag asked as fast as the engine can, and scored."""

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import islice
import json
from pathlib import Path
import sys
import time
from typing import Any, TYPE_CHECKING

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.cli import (
    add_common,
    add_method,
    checked_overrides,
    prepare_engine,
    Progress,
)
from refdiff_ros.evaluation.html.cli import add_html_option, finish_report, open_gallery
from refdiff_ros.evaluation.output import some, write_figures

if TYPE_CHECKING:
    from refdiff_ros.engine import Engine
    from refdiff_ros.evaluation.bags.labels import Label
    from refdiff_ros.evaluation.bags.pairing import Index
    from refdiff_ros.evaluation.bags.samples import Matched
    from refdiff_ros.evaluation.gate import Verdict
    from refdiff_ros.evaluation.html.gallery import Gallery
    from refdiff_ros.evaluation.run import Answer
    from refdiff_ros.evaluation.sample import Sample

_NAMED = 5  # of each kind of trouble; --json has them all


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
    parser.add_argument('--require', action='append', default=[], metavar='NAME=NUMBER',
                        help='exit with 1 unless it holds, e.g. miou=0.5 or p95_ms=300; '
                        'repeatable')
    add_common(parser, 'labels')
    add_html_option(parser)
    parser.set_defaults(run=run_bag)


def add_frame_options(parser: argparse.ArgumentParser) -> None:
    """What belongs to an image."""
    from refdiff_ros.evaluation.bags.pairing import TOLERANCE_S
    parser.add_argument('--depth-topic', default='', metavar='TOPIC',
                        help='depth registered to the images')
    parser.add_argument('--info-topic', default='', metavar='TOPIC', help='camera_info')
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
    from refdiff_ros.evaluation.bags.labels import read_labels
    from refdiff_ros.evaluation.bags.pairing import index_bag, Topics
    from refdiff_ros.evaluation.bags.reading import Bag
    from refdiff_ros.evaluation.bags.samples import bag_samples, image_topics, match
    from refdiff_ros.evaluation.gate import judge, parse_requirements
    requirements = parse_requirements(args.require)
    checked_overrides(args)
    labels = read_labels(args.labels)
    unverified = _check_verified(labels, args.unverified)
    read_from = image_topics(labels, args.image_topic)
    with Bag(args.bag) as bag:
        index = index_bag(bag, Topics(tuple(read_from.values()), args.depth_topic,
                                      args.info_topic, args.sync_tolerance))
        matched = match(labels, index, read_from)
        _tell(index, matched)
        engine = _engine(args)
        samples = islice(bag_samples(bag, index, matched), args.limit)
        count = min(matched.count, args.limit or matched.count)
        gallery = open_gallery(args.html, engine)
        began = time.perf_counter()
        answers, stopped, status = _ask(engine, samples, count, gallery)
        wall_s = time.perf_counter() - began - (0.0 if gallery is None else gallery.seconds)
    found = {
        **_asked(args, engine), **_figures(answers, wall_s), 'unverified': unverified,
        'labels_without_frames': len(matched.labels_without_frames),
        'frames_without_labels': len(matched.frames_without_labels),
        'without_depth': index.without_depth, 'stopped': stopped}
    # Half a run meets or misses nothing.
    verdicts = [] if stopped else judge(requirements, found)
    found['requirements'] = [verdict.as_json() for verdict in verdicts]
    _print(found, verdicts)
    written = write_figures(args.json, {
        **found, 'unmatched': _unmatched(matched),
        'results': [asdict(answer) for answer in answers]})
    print(json.dumps(found), flush=True)
    finish_report(args.html, {**found, 'results': [asdict(each) for each in answers]}, gallery)
    good = found['errors'] < found['cases'] and all(verdict.met for verdict in verdicts)
    return status or written or (0 if good else 1)


def _engine(args: argparse.Namespace) -> 'Engine':
    """The engine, warm: the first answer is timed like any other."""
    engine = prepare_engine(args)
    from refdiff_ros.models.manager import warm_up
    warm_up(engine.models, engine.preset)
    return engine


def _asked(args: argparse.Namespace, engine: 'Engine') -> dict[str, Any]:
    return {
        'what': 'bag', 'bag': args.bag.name, 'labels': args.labels.name,
        'bundle': engine.models.name, 'trained': engine.models.trained, 'preset': args.preset,
        'overrides': checked_overrides(args), 'mode': args.mode, 'seed': args.seed}


def _figures(answers: Sequence['Answer'], wall_s: float) -> dict[str, Any]:
    from refdiff_ros.evaluation.latency import latency_ms
    from refdiff_ros.evaluation.report import tagged_report
    images = {answer.image_id for answer in answers}
    # With reading and decoding, without loading and warming the models.
    rate = round(len(images) / wall_s, 3) if images else None
    return {**tagged_report(answers), 'frames_per_second': rate,
            **latency_ms([answer.seconds for answer in answers if answer.scored])}


def _check_verified(labels: Sequence['Label'], allowed: bool) -> int:
    """How many labels are the model's own; refuses them unless `allowed`."""
    from refdiff_ros.evaluation.bags.labels import UNVERIFIED
    own = [label for label in labels if label.source == UNVERIFIED]
    if own and not allowed:
        lines = some([str(label.line) for label in own], _NAMED)
        raise BadRequestError(
            f'expected labels that somebody has looked at, got {len(own)} of {len(labels)} that '
            f'are the model\'s own answers (lines {lines}): correct each mask and set its "source"'
            ' to who did, or pass --unverified to measure agreement with that model')
    if own:
        print(f"NOTE: {len(own)} of {len(labels)} labels are a model's own answers: the figures "
              'say how far answers agree with it, not how good they are', flush=True)
    return len(own)


def _tell(index: 'Index', matched: 'Matched') -> None:
    """What has no counterpart, counted and named."""
    from refdiff_ros.evaluation.bags.frames import seconds_text
    lost, bare = matched.labels_without_frames, matched.frames_without_labels
    if lost:
        names = some([f'line {label.line} at {seconds_text(label.stamp_ns)}' for label in lost],
                     _NAMED)
        print(f'{len(lost)} labels without a frame within 0.5 ms: {names}', file=sys.stderr)
    if bare:
        names = some([seconds_text(picture.stamp_ns) for picture in bare], _NAMED)
        print(f'{len(bare)} frames without a label: {names}', file=sys.stderr)
    if index.repeated:
        print(f'{index.repeated} images left out: an earlier one of their topic has the same '
              'stamp', file=sys.stderr)
    if index.without_depth:
        away = '' if index.nearest_depth_s is None else \
            f'; the nearest misses it by {index.nearest_depth_s * 1e3:.1f} ms'
        print(f'{index.without_depth} of {len(index.pictures)} images have no depth within '
              f'{index.topics.tolerance_s * 1e3:g} ms{away}: see --sync-tolerance',
              file=sys.stderr)


def _ask(
    engine: 'Engine', samples: Iterable['Sample'], count: int, gallery: 'Gallery | None',
) -> tuple[list['Answer'], str, int]:
    """The answers, why they end early ('' if they do not), and the exit status that this has."""
    from refdiff_ros.evaluation.bags.reading import BagError
    from refdiff_ros.evaluation.run import answer_samples
    answers: list[Answer] = []
    progress = Progress('label')

    def on_case(answer: 'Answer', *shown: Any) -> None:
        answers.append(answer)
        if gallery is not None:
            gallery.add(answer, *shown)
        if answer.error:
            print(f'{answer.sample_id}: {answer.error}', file=sys.stderr)
        progress.step(count)

    try:
        answer_samples(engine, samples, on_case=on_case)
    except KeyboardInterrupt:
        print(f'stopped after {len(answers)} of {count} labels', file=sys.stderr)
        return answers, 'interrupted', 130
    except BagError as error:
        print(f'refdiff: {error}', file=sys.stderr)
        return answers, str(error), 2
    return answers, '', 0


def _print(found: dict[str, Any], verdicts: Sequence['Verdict']) -> None:
    from refdiff_ros.evaluation.report import LEGEND, table
    stopped = f' (stopped early: {found["stopped"]})' if found['stopped'] else ''
    print(f'{found["bag"]}, {found["bundle"]}, {found["preset"]}, {found["mode"]}{stopped}')
    print(f'{table(found)}\n{LEGEND}')
    print(f'{found["frames_per_second"] or "-"} frames/s with reading; an answer takes '
          f'{found["p50_ms"] or "-"} ms (median), {found["p95_ms"] or "-"} ms (95 %)')
    for name in ('errors', 'unreadable'):
        if found[name]:
            print(f'{name}: {found[name]}')
    for verdict in verdicts:
        print(verdict)


def _unmatched(matched: 'Matched') -> dict[str, Any]:
    """Each label and frame left alone, ready for JSON."""
    return {
        'labels': [{'line': label.line, 'stamp_ns': label.stamp_ns, 'topic': label.topic,
                    'expression': label.expression}
                   for label in matched.labels_without_frames],
        'frames': [{'stamp_ns': picture.stamp_ns, 'topic': picture.topic}
                   for picture in matched.frames_without_labels]}
