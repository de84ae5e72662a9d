"""Distances and angles: '10 cm', 'half a metre', '90 degrees', 'a quarter turn'.

Only what says how far something goes is an amount; 'the 5 cm cube' tells which cube.
"""

from collections.abc import Iterable
from dataclasses import dataclass
import math
import re

from refdiff_ros.language.words import PREPOSITIONS

_NAN = math.nan
_METRES = {
    'mm': 0.001, 'millimeter': 0.001, 'millimetre': 0.001, 'cm': 0.01, 'centimeter': 0.01,
    'centimetre': 0.01, 'dm': 0.1, 'decimeter': 0.1, 'decimetre': 0.1, 'm': 1.0, 'meter': 1.0,
    'metre': 1.0, 'inch': 0.0254, 'inches': 0.0254, 'ft': 0.3048, 'foot': 0.3048, 'feet': 0.3048}
_RADIANS = {
    'degree': math.pi / 180, 'deg': math.pi / 180, '°': math.pi / 180, 'radian': 1.0, 'rad': 1.0,
    'turn': 2 * math.pi, 'rotation': 2 * math.pi, 'revolution': 2 * math.pi}
_NUMBERS = {word: float(number) for number, word in enumerate(
    'one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen '
    'sixteen seventeen eighteen nineteen'.split(), 1)}
_TENS = {word: 10.0 * number for number, word in enumerate(
    'twenty thirty forty fifty sixty seventy eighty ninety'.split(), 2)}
_SINGLE = {'a': 1.0, 'an': 1.0, 'full': 1.0, 'a full': 1.0, 'half': 0.5, 'half a': 0.5,
           'half an': 0.5, 'a half': 0.5, 'quarter': 0.25, 'a quarter': 0.25,
           'a quarter of a': 0.25, 'three quarter': 0.75, 'a hundred': 100.0, 'hundred': 100.0,
           'one hundred': 100.0}
_VAGUE = ('a few', 'a couple of', 'a couple', 'some', 'several', 'few')


def _alternatives(*groups: Iterable[str]) -> str:
    words = sorted({word for group in groups for word in group}, key=len, reverse=True)
    return '|'.join(map(re.escape, words))


_WORDS = _alternatives(_NUMBERS, _TENS, _SINGLE, _VAGUE)
_UNITS = _alternatives(_METRES, _RADIANS)
_AMOUNT = re.compile(
    r'(?<![\w.])(?:by\s+)?(?:(?:about|around|roughly|approximately|exactly|another)\s+)?'
    rf'(?P<number>\d+(?:[.,]\d+)?|(?:{_alternatives(_TENS)})[\s-](?:{_alternatives(_NUMBERS)})|'
    rf'(?:a |one )?hundred and (?:{_alternatives(_TENS)})|{_WORDS})'
    rf'(?P<half>\s+and\s+a\s+half)?[\s-]*(?P<unit>{_UNITS})s?(?!\w)', re.IGNORECASE)
# After these a number describes an object and says no way.
_DESCRIBES = frozenset('the this that these those my your its of than is are with within'.split())
# What may follow how far something goes.
_WAYS = PREPOSITIONS - {'of'} | frozenset(
    'left right forward forwards backward backwards back up down upward upwards downward '
    'downwards away aside sideways apart clockwise counterclockwise anticlockwise higher lower '
    'closer nearer further farther more and then but please counter anti over out before after '
    'straight ahead if so'.split())


@dataclass(frozen=True)
class Amount:
    """How far something goes or turns.

    Attributes:
        start, end: its characters in the text.
        distance_m, angle_rad: one of them; both NaN for what is no exact number ('a few cm').
    """

    start: int
    end: int
    distance_m: float = _NAN
    angle_rad: float = _NAN

    @property
    def vague(self) -> bool:
        """Whether it says no number."""
        return math.isnan(self.distance_m) and math.isnan(self.angle_rad)


def amounts(text: str) -> tuple[Amount, ...]:
    """The amounts of a text, in the order said."""
    return tuple(_amount(found) for found in _AMOUNT.finditer(text) if _says_way(text, found))


def _says_way(text: str, found: re.Match[str]) -> bool:
    number, unit = found['number'].lower(), _unit(found)
    if unit in ('turn', 'rotation', 'revolution') and number in ('a', 'an', *_VAGUE):
        return False  # 'take a turn'
    before = re.search(r"([\w'’]+)\s*$", text[:found.start()])
    if before is not None and before[1].lower() in _DESCRIBES:
        return False
    after = re.match(r"\s*([,.;:!?)]|[\w'’]+)", text[found.end():])
    return after is None or not after[1][0].isalnum() or after[1].lower() in _WAYS


def _amount(found: re.Match[str]) -> Amount:
    number, unit = _number(found), _unit(found)
    if unit in _METRES:
        return Amount(*found.span(), distance_m=number * _METRES[unit])
    return Amount(*found.span(), angle_rad=number * _RADIANS[unit])


def _unit(found: re.Match[str]) -> str:
    return found['unit'].lower()


def _number(found: re.Match[str]) -> float:
    said = ' '.join(found['number'].lower().split())
    half = 0.5 if found['half'] else 0.0
    if said[0].isdigit():
        return float(said.replace(',', '.')) + half
    if said in _VAGUE:
        return _NAN
    known = {**_NUMBERS, **_TENS, **_SINGLE}
    if said in known:
        return known[said] + half
    if 'hundred and' in said:
        return 100.0 + _TENS[said.split()[-1]]
    tens, ones = re.split(r'[\s-]', said)
    return _TENS[tens] + _NUMBERS[ones]
