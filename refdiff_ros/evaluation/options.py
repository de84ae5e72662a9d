"""The options that evaluations share, and the request that they come to."""

import argparse
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.baselines import METHODS
from refdiff_ros.evaluation.request import RunRequest
from refdiff_ros.evaluation.requirements import parse_requirements
from refdiff_ros.presets import PRESETS

Request = TypeVar('Request', bound=RunRequest)


def add_split(parser: argparse.ArgumentParser) -> None:
    """The options of the tabletop set: which split, which half of the test set."""
    parser.add_argument('--split', default='val', metavar='SPLIT',
                        help='val or test, or with its world such as tabletop20_val')
    parser.add_argument('--half', default='all', choices=['all', 'seen', 'unseen'],
                        help='of a split that has two: pairs of shape and colour that training '
                        'had, or lacked')


def add_common(parser: argparse.ArgumentParser, counted: str) -> None:
    """The options of every evaluation: how much, with which models, and where to."""
    parser.add_argument('--limit', type=positive, metavar='N',
                        help=f'the first N {counted} only')
    add_models(parser)
    parser.add_argument('--json', type=Path, metavar='FILE',
                        help='write the figures, and each case, as JSON')


def add_method(parser: argparse.ArgumentParser) -> None:
    """The options of how a run's questions are answered."""
    parser.add_argument('--mode', default='full', choices=METHODS, metavar='MODE',
                        help=f'one of {", ".join(METHODS)} (default full)')
    parser.add_argument('--seed', type=int, default=0, help='of the diffusion noise')


def add_models(parser: argparse.ArgumentParser) -> None:
    """The options of everything that answers: which models, with what values, and where."""
    parser.add_argument('--bundle', default='', help='model bundle: name, folder or hub id')
    parser.add_argument('--preset', default='onboard', choices=sorted(PRESETS))
    parser.add_argument('--set', action='append', default=[], metavar='KEY=VALUE',
                        dest='override_texts', help="override a preset's value, e.g. "
                        'selection.alpha=0.2; repeatable')
    parser.add_argument('--device', default='auto', help="'auto', 'cpu' or 'cuda[:N]'")


def add_requirements(parser: argparse.ArgumentParser, example: str) -> None:
    """The option of a run that says met or missed."""
    parser.add_argument('--require', action='append', default=[], metavar='NAME=NUMBER',
                        dest='requirements',
                        help=f'exit with 1 unless it holds, e.g. {example}; repeatable')


def positive(text: str) -> int:
    """A whole number of 1 or more from an option's text; argparse says what is wrong."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'expected a whole number of 1 or more, got {text!r}')
    return int(text)


def read_request(kind: type[Request], args: argparse.Namespace) -> Request:
    """What is asked by a command's arguments; those that a request does not know are left out.

    Cheap, so that a mistyped value is told before the models are loaded.

    Raises:
        BadRequestError: a requirement or a value of `--set` that cannot be used.
    """
    names = {each.name for each in fields(kind)}
    values = {name: value for name, value in vars(args).items() if name in names}
    if 'requirements' in values:
        values['requirements'] = tuple(parse_requirements(args.requirements))
    if 'parameters' in values:
        values['parameters'] = _parameters(args.parameters)
    frozen: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value
                              for name, value in values.items()}
    return kind(**frozen)


def _parameters(texts: list[str]) -> Mapping[str, Any]:
    """Values by name from texts such as 'max_rate=30', read as YAML as ROS reads them."""
    import yaml
    values = {}
    for text in texts:
        name, equals, value = text.partition('=')
        if not equals:
            raise BadRequestError(f'expected NAME=VALUE such as max_rate=30, got {text!r}')
        try:
            values[name] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise BadRequestError(f'expected a value for {name}, got {value!r}') from error
    return values
