"""What only makes an order polite at its end: 'when you get a chance', 'thank you'."""

from collections.abc import Sequence
from itertools import product

_TIMES = ('when you', 'whenever you', 'once you', 'as soon as you', 'if you')
_ABLE = ('are free', 'are ready', 'are able to', 'can', 'could', 'like', 'want', 'please',
         'have time', 'have some time', 'find time', 'find the time', 'get the time',
         'get around to it', 'get round to it', 'feel like it', 'would', 'do not mind',
         'are not busy', 'are not too busy', 'are done', 'are finished', 'have finished')
_MOMENTS = tuple(f'{verb} {article} {noun}' for verb, article, noun in product(
    ('get', 'have', 'find', 'have got'), ('a', 'the', 'a spare', 'some'),
    ('chance', 'moment', 'minute', 'second', 'sec', 'time')))
_GRACES = (
    'if possible', 'if it is possible', 'if that is possible', 'if at all possible',
    'if it is not too much trouble', 'if that is not too much trouble', 'if it is no trouble',
    'if it is not too much to ask', 'if it is ok', 'if it is okay', 'if it is alright',
    'if that is ok', 'if that is okay', 'if that is alright', 'if it is all right',
    'if it is ok with you', 'if that is ok with you', 'if it is fine with you',
    'at your convenience', 'at your earliest convenience', 'when convenient',
    'thank you', 'thank you so much', 'thank you very much', 'thank you kindly', 'many thanks',
    'thanks', 'thanks a lot', 'thanks so much', 'thanks a bunch', 'thanks a million',
    'thanks in advance', 'thank you in advance', 'much appreciated', 'cheers', 'ta',
    'that would be great', 'that would be nice', 'that would be lovely', 'that would be kind')
_COURTESIES = frozenset(
    tuple(phrase.split()) for phrase in (
        *(f'{time} {rest}' for time, rest in product(_TIMES, (*_ABLE, *_MOMENTS))), *_GRACES))
_LONGEST = max(map(len, _COURTESIES))


def courtesy_at(lower: Sequence[str], row: int) -> int:
    """How many words of courtesy begin at `row`, the most; 0 for none."""
    for length in range(min(_LONGEST, len(lower) - row), 0, -1):
        if tuple(lower[row:row + length]) in _COURTESIES:
            return length
    return 0
