"""What a person's answer to a question means, by the question's own words.

The order: stop words; the options' words, ordinals and numbers; yes and no. What fits none of them
may still be grounded on the candidates by whoever asks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
import enum
from itertools import pairwise
import math
import re

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

# What is this much larger, as the logarithm of the size, and nearer than another, is called so.
_LARGER, _NEARER_M = math.log(1.2), 0.04


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


@dataclass(frozen=True)
class Seen:
    """What a candidate looks like in space.

    Attributes:
        middle_m: (3,) in the base.
        size_m: across.
        away_m: how far away from the camera its middle is along the table.
    """

    middle_m: tuple[float, float, float]
    size_m: float
    away_m: float


def options_of(candidates: Sequence[Candidate], seen: Sequence[Seen | None]) -> tuple[Option, ...]:
    """The options of a question about candidates, as it numbers them, else from left to right.

    Args:
        candidates: two or more.
        seen: each in space; None where too little depth comes from it.
    """
    boxes = [candidate.box_xyxy for candidate in candidates]
    beside = sorted(range(len(candidates)), key=lambda row: boxes[row][0] + boxes[row][2])
    order = sorted(beside, key=lambda row: candidates[row].number)
    described = [plain(candidate.description).split(' ') for candidate in candidates]
    common = set.intersection(*map(set, described))
    compared = _compared(candidates, beside, seen)
    found = []
    for place, row in enumerate(order):
        own = [word for word in described[row] if word and word not in common | _FILLERS]
        words = [*own, *(f'the {word} one' for word in own), *compared[row]]
        words += [str(place + 1), _NUMBERS[place]] if place < len(_NUMBERS) else []
        if place < len(_ORDINALS) and not any(word in _ORDINALS for word in own):
            words.append(_ORDINALS[place])
        found.append(Option(
            place + 1, candidates[row].description or f'candidate {place + 1}',
            (plain(candidates[row].description), *dict.fromkeys(words)), boxes[row],
            _xyz(seen[row]), candidates[row].probability))
    return tuple(found)


def _compared(candidates: Sequence[Candidate], beside: Sequence[int],
              seen: Sequence[Seen | None]) -> list[list[str]]:
    """For each candidate the words that compare it with the others: 'left', 'larger', 'back'."""
    words: list[list[str]] = [[] for _ in candidates]
    boxes = [candidate.box_xyxy for candidate in candidates]
    if _apart([(boxes[row][0] + boxes[row][2]) / 2 for row in beside],
              max(box[2] - box[0] for box in boxes)):
        words[beside[0]] += ['left', 'leftmost']
        words[beside[-1]] += ['right', 'rightmost']
        if len(beside) == 3:
            words[beside[1]].append('middle')
    known = [one for one in seen if one is not None]
    if len(known) < len(seen):
        return words
    for values, least, ends in (
            ([math.log(one.size_m) for one in known], _LARGER, ('smaller', 'larger')),
            ([one.away_m for one in known], _NEARER_M, ('front', 'back'))):
        row = sorted(range(len(values)), key=values.__getitem__)
        if values[row[1]] - values[row[0]] > least:
            words[row[0]].append(ends[0])
        if values[row[-1]] - values[row[-2]] > least:
            words[row[-1]].append(ends[1])
    return words


def _xyz(seen: Seen | None) -> tuple[float, float, float] | None:
    return None if seen is None else seen.middle_m


def _apart(columns: Sequence[float], width: float) -> bool:
    """Whether things stand beside each other rather than behind."""
    return all(b - a > 0.5 * width for a, b in pairwise(columns))
