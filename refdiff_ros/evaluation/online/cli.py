"""`refdiff evaluate bag --online`, and `--answers`: playing, recording, scoring, telling."""

import argparse
from collections.abc import Mapping, Sequence
import math
from pathlib import Path
import sys
from typing import Any, TYPE_CHECKING

from refdiff_ros.console import from_json
from refdiff_ros.errors import BadRequestError, require
from refdiff_ros.evaluation.baselines import BASELINES
from refdiff_ros.evaluation.request import BagRequest

if TYPE_CHECKING:
    from refdiff_ros.evaluation.bags.labelled_bag import Labelled, Outcome
    from refdiff_ros.evaluation.bags.labels import Label
    from refdiff_ros.evaluation.bags.pairing import Picture
    from refdiff_ros.evaluation.online.scoring import Heard

_BUNDLE = 'tabletop_mini'
_ONLY_ONLINE = ('out', 'rate', 'parameters', 'timeout')


def add_online_options(parser: argparse.ArgumentParser) -> None:
    """The options of playing a bag to the node."""
    online = parser.add_argument_group(
        'on a live graph', 'Needs ROS 2 and the built workspace. The bag is played with its own '
        'timing to the real node, in a process of its own on a private ROS domain; its answers '
        'are recorded, and what is scored is that recording (--html has no pictures then).')
    chosen = online.add_mutually_exclusive_group()
    chosen.add_argument('--online', action='store_true', help='play the bag to the node')
    chosen.add_argument('--answers', type=Path, metavar='FOLDER',
                        help='score an earlier recording of --online once more; without ROS')
    online.add_argument('--out', type=Path, metavar='FOLDER',
                        help='record the answers here, as a new bag (mcap)')
    online.add_argument('--rate', type=float, metavar='R',
                        help='play so many times as fast as the bag was recorded (default 1)')
    online.add_argument('--param', action='append', default=[], metavar='NAME=VALUE',
                        dest='parameters', help='a parameter of the node, e.g. max_rate=30; '
                        'repeatable')
    online.add_argument('--timeout', type=float, metavar='S',
                        help='seconds for the node to become active, and for its first answer '
                        '(default 180)')


def refuse_online_options(request: BagRequest) -> None:
    """Check that nothing is asked of a graph that is not there.

    Raises:
        BadRequestError: an option of `--online` without it.
    """
    for name in _ONLY_ONLINE:
        if getattr(request, name) not in (None, {}):
            option = '--param' if name == 'parameters' else f'--{name}'
            raise BadRequestError(f'expected {option} together with --online, got it without')


def run_online(request: BagRequest) -> int:
    """Play, record, score, print the table, the requirements and the JSON line.

    Returns:
        0; 1 when a requirement is missed or no case could be answered; 2 when node, bag or disk
        gave out in the midst, and 130 after Ctrl-C, both with the figures of what was recorded.

    Raises:
        RefDiffError: something that is asked for cannot be used, there is no ROS, the node did
            not become active, or nothing was recorded that could be scored.
    """
    from refdiff_ros.demo.cli import first_line
    from refdiff_ros.evaluation.bags.labelled_bag import checked_labels, labelled_bag
    from refdiff_ros.evaluation.online.answer_bag import require_new
    from refdiff_ros.evaluation.online.recording import check_parameters, record, Recording
    from refdiff_ros.evaluation.online.schedule import plan
    _check_options(request)
    out = require(request.out, '--out')
    require_new(out)
    labels = checked_labels(request)
    parameters = check_parameters(_parameters(request))
    with labelled_bag(request, labels) as labelled:
        _check_one_topic(labelled)
        rate = 1.0 if request.rate is None else request.rate
        recording = Recording(
            labelled.bag, labelled.index, plan(labelled.matched, request.limit), out, rate,
            parameters, request.timeout or 180.0)
        bundle = parameters['bundle']
        print(first_line(bundle), flush=True)
        settings = {'bag': request.bag.name, 'labels': request.labels.name, 'rate': rate,
                    'parameters': parameters, 'trained': _trained(bundle)}
        ending = record(recording, settings)
        return _score(request, labelled, out, settings, ending)


def run_answers(request: BagRequest) -> int:
    """Score an answer bag once more; as `run_online`, without playing."""
    from refdiff_ros.evaluation.bags.labelled_bag import checked_labels, labelled_bag
    from refdiff_ros.evaluation.bags.reading import Bag
    from refdiff_ros.evaluation.online.recording import Ending
    folder = require(request.answers, '--answers')
    with Bag(folder) as answers:
        settings = read_settings(answers.custom)
    with labelled_bag(request, checked_labels(request)) as labelled:
        return _score(request, labelled, folder, settings, Ending())


def _check_options(request: BagRequest) -> None:
    if request.out is None:
        raise BadRequestError('expected --out FOLDER with --online, for the answers, got none')
    if request.mode in BASELINES:
        raise BadRequestError(f"expected a mode of the node with --online, got '{request.mode}', "
                              'which is one of evaluation alone: ask the bag without --online')
    if request.override_texts:
        raise BadRequestError('expected no --set with --online: the node takes the values of its '
                              "preset from its bundle; --param sets the node's own parameters")
    for name in ('rate', 'timeout'):
        value = getattr(request, name)
        if value is not None and not 0 < value < math.inf:
            raise BadRequestError(f'expected --{name} above 0, got {value:g}')


def _parameters(request: BagRequest) -> dict[str, Any]:
    """Of the node; `--param` has the last word."""
    values = {'bundle': request.bundle or _BUNDLE, 'preset': request.preset,
              'mode': request.mode, 'seed': request.seed, 'device': request.device}
    if request.rectified:
        values['rectified'] = True
    return {**values, **request.parameters}


def _check_one_topic(labelled: 'Labelled') -> None:
    topics = labelled.index.topics.images
    if len(topics) > 1:
        raise BadRequestError(
            f'expected labels of one topic to play to the node, got {", ".join(topics)}: choose '
            'one with --image-topic')


def _trained(bundle: str) -> bool:
    from refdiff_ros.models.store import locate, UNTRAINED
    return bundle != UNTRAINED and locate(bundle).bundle.trained


def read_settings(custom: Mapping[str, str]) -> dict[str, Any]:
    """What was played to whom, as it stands in an answer bag.

    Raises:
        BadRequestError: the bag is none of an online run.
    """
    from refdiff_ros.evaluation.online.answer_bag import SETTINGS
    try:
        settings = from_json(custom[SETTINGS])
        parameters = settings.get('parameters', {})
        if not isinstance(parameters, dict):
            raise TypeError(f'parameters are no group of values: {parameters!r:.80}')
        return {**settings, 'rate': float(settings['rate'])}
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise BadRequestError(
            "expected a folder that 'refdiff evaluate bag --online --out FOLDER' wrote, got a bag "
            'that says nothing of what was played') from error


def _score(
    request: BagRequest, labelled: 'Labelled', folder: Path, settings: Mapping[str, Any],
    ending: Any,
) -> int:
    from refdiff_ros.evaluation.bags.labelled_bag import finish
    from refdiff_ros.evaluation.bags.reading import Bag
    from refdiff_ros.evaluation.online.scoring import score
    with Bag(folder) as answers:
        heard = score(answers, labelled.matched)
    made_of = settings.get('bag'), settings.get('labels')
    if made_of != (request.bag.name, request.labels.name):
        print(f'NOTE: {folder} is a recording of a bag {made_of[0]} with labels {made_of[1]}',
              file=sys.stderr)
    return finish(request, labelled, _outcome(labelled, settings, heard, ending))


def _outcome(
    labelled: 'Labelled', settings: Mapping[str, Any], heard: 'Heard', ending: Any,
) -> 'Outcome':
    from refdiff_ros.evaluation.bags.labelled_bag import Outcome
    from refdiff_ros.evaluation.online.figures import lines, online_figures
    answers = [answer for key in heard.asked for answer in heard.answers.get(key, [])]
    scored = {answer.sample_id for answer in answers if answer.scored}
    grasps = [case for key in heard.asked for case in heard.grasps.get(key, [])
              if case.sample_id in scored]
    every = [(picture, label) for picture, labels in labelled.matched.pairs for label in labels]
    unanswered = [(picture, label) for picture, label in every if _asked(heard, picture, label)
                  and (picture.stamp_ns, label.expression) not in heard.answers]
    not_asked = [(picture, label) for picture, label in every
                 if not _asked(heard, picture, label)]
    bundle, preset, mode = heard.settings
    parameters = settings.get('parameters', {})
    found = {
        'bundle': bundle, 'trained': settings.get('trained'), 'preset': preset, 'mode': mode,
        'seed': parameters.get('seed', 0), 'online': True, 'rate': settings.get('rate'),
        'parameters': dict(parameters),
        **online_figures(heard, len(every), len(unanswered), len(not_asked))}
    title = (f'{labelled.bag.path.name}, {bundle or "no answer"}, {preset}, {mode}, online: '
             f'played {found["plays"]} times, rate {settings.get("rate"):g}')
    return Outcome(
        title, answers, grasps, found, lines(found, heard, parameters.get('max_rate', 5.0)),
        {'unanswered': _named(unanswered), 'not_asked': _named(not_asked)},
        ending.stopped, ending.status)


def _asked(heard: 'Heard', picture: 'Picture', label: 'Label') -> bool:
    return (picture.stamp_ns, label.expression) in heard.asked


def _named(pairs: Sequence[tuple['Picture', 'Label']]) -> list[dict[str, Any]]:
    return [{'line': label.line, 'stamp_ns': picture.stamp_ns, 'expression': label.expression}
            for picture, label in pairs]
