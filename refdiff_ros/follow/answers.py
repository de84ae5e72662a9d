"""What a person's answer to a question means, by the question's own words.

The order: stop words; the options' words, ordinals and numbers; yes and no. What fits none of them
may still be grounded on the candidates by whoever asks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
import enum
from itertools import pairwise
import re

import numpy as np

from refdiff_ros.follow.results import Candidate, FollowQuestion, Option, QuestionKind

STOP_WORDS = frozenset(('stop', 'halt', 'freeze', 'stop it', 'stop that', 'stop now', 'hold on',
                        'wait', 'emergency stop', 'stop please', 'please stop', 'no stop'))
_CANCEL_WORDS = frozenset(('cancel', 'never mind', 'nevermind', 'forget it', 'forget that',
                           'neither', 'none', 'none of them', 'no one', 'cancel that'))
_YES = frozenset(('yes', 'yeah', 'yep', 'yup', 'ok', 'okay', 'sure', 'correct', 'right', 'do it',
                  'go ahead', 'go on', 'exactly', 'yes please', 'please do', 'that is right'))
_NO = frozenset(('no', 'nope', 'nah', 'wrong', 'do not', "don't", 'no thanks', 'not that'))
_ORDINALS = ('first', 'second', 'third', 'fourth', 'fifth', 'sixth', 'seventh', 'eighth')
_NUMBERS = ('one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight')
_FILLERS = frozenset(('the', 'a', 'an', 'one', 'please', 'i', 'mean', 'meant', 'it', 'is', "it's",
                      'its', 'that', 'this', 'take', 'on', 'at', 'of', 'to', 'uh', 'um', 'number',
                      'option', 'candidate', 'side', 'want', 'would', 'like', 'my', 'well', 'with',
                      'in', 'pick', 'there', 'use', 'ok', 'okay', 'yes', 'no', 'just', 'get'))
_SAME = {'leftmost': 'left', 'rightmost': 'right', 'bigger': 'larger', 'biggest': 'larger',
         'largest': 'larger', 'big': 'larger', 'large': 'larger', 'smallest': 'smaller',
         'small': 'smaller', 'little': 'smaller', 'tiny': 'smaller', 'top': 'upper',
         'bottom': 'lower', 'nearer': 'front', 'near': 'front', 'nearest': 'front',
         'closer': 'front', 'closest': 'front', 'farther': 'back', 'far': 'back',
         'farthest': 'back', 'further': 'back', 'furthest': 'back', 'behind': 'back',
         'rear': 'back', 'centre': 'middle', 'center': 'middle', 'gray': 'grey'}


class Meaning(enum.Enum):
    """What an answer says."""

    STOP = 'stop'
    CANCEL = 'cancel'
    OPTION = 'option'
    YES = 'yes'
    NO = 'no'
    NOTHING = 'nothing'


@dataclass(frozen=True)
class Answer:
    """What an answer says, the option that it names, and why it says nothing."""

    meaning: Meaning
    option: Option | None = None
    reason: str = ''


def plain(text: str) -> str:
    """Lower case, letters and digits alone, single spaces."""
    return ' '.join(re.findall(r"[a-z0-9']+", text.lower()))


def is_stop(text: str) -> bool:
    """Whether a text says to stop, in any state."""
    return plain(text) in STOP_WORDS


def match(text: str, question: FollowQuestion) -> Answer:
    """What a text says to a question."""
    said = plain(text)
    if said in STOP_WORDS:
        return Answer(Meaning.STOP)
    if said in _CANCEL_WORDS:
        return Answer(Meaning.CANCEL)
    option = _option(said, question.options)
    if option is not None:
        return Answer(Meaning.OPTION, option)
    if said in _YES or (question.kind is QuestionKind.YES_NO and said.split(' ')[0] in _YES):
        return Answer(Meaning.YES)
    if said in _NO or (question.kind is QuestionKind.YES_NO and said.split(' ')[0] in _NO):
        return Answer(Meaning.NO)
    labels = ' or '.join(f"'{option.label}'" for option in question.options)
    return Answer(Meaning.NOTHING, reason=(
        f'{text!r} names none of the choices' + (f': expected {labels}' if labels else '')))


def _option(said: str, options: Sequence[Option]) -> Option | None:
    """The only option that the words fit; words that fit none are no answer."""
    for option in options:
        if said in option.words:
            return option
    words = [_SAME.get(word, word) for word in said.split(' ') if word not in _FILLERS]
    if not words:
        return None
    fits = [option for option in options if _tells(words, option, options)]
    return fits[0] if len(fits) == 1 else None


def _tells(words: Sequence[str], option: Option, options: Sequence[Option]) -> bool:
    """Whether the words name this option: each is one of its words or of all options' labels."""
    own = {_SAME.get(word, word) for phrase in option.words for word in phrase.split(' ')}
    common = set.intersection(*(set(plain(other.label).split(' ')) for other in options))
    return any(word in own for word in words) and all(
        word in own or word in common for word in words)


def options_of(candidates: Sequence[Candidate], middles: Sequence) -> tuple[Option, ...]:
    """The options of a question about candidates, from left to right as the question names them.

    Args:
        candidates: two or more.
        middles: (3,) or None for each, in the base.
    """
    boxes = [candidate.box_xyxy for candidate in candidates]
    order = sorted(range(len(candidates)), key=lambda row: boxes[row][0] + boxes[row][2])
    described = [plain(candidate.description).split(' ') for candidate in candidates]
    common = set.intersection(*map(set, described))
    sides: dict[int, tuple[str, ...]] = {
        0: ('left', 'leftmost'), len(order) - 1: ('right', 'rightmost')}
    if len(order) == 3:
        sides[1] = ('middle',)
    apart = _apart([(boxes[row][0] + boxes[row][2]) / 2 for row in order],
                   max(box[2] - box[0] for box in boxes))
    found = []
    for place, row in enumerate(order):
        own = [word for word in described[row] if word and word not in common | _FILLERS]
        words = [*own, *(f'the {word} one' for word in own)]
        if apart:
            words += sides.get(place, ())
        words += [str(place + 1), _NUMBERS[place]] if place < len(_NUMBERS) else []
        if place < len(_ORDINALS) and not any(word in _ORDINALS for word in own):
            words.append(_ORDINALS[place])
        found.append(Option(
            place + 1, candidates[row].description or f'candidate {place + 1}',
            (plain(candidates[row].description), *dict.fromkeys(words)), boxes[row],
            _xyz(middles[row])))
    return tuple(found)


def _xyz(middle: np.ndarray | None) -> tuple[float, float, float] | None:
    if middle is None:
        return None
    x, y, z = map(float, middle)
    return x, y, z


def _apart(columns: Sequence[float], width: float) -> bool:
    """Whether things stand beside each other rather than behind."""
    return all(b - a > 0.5 * width for a, b in pairwise(columns))
