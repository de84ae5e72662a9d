"""The closed classes of words by which the phrases of an instruction are told apart."""

from collections.abc import Sequence

BODY = frozenset(
    'gripper grippers arm arms hand hands wrist finger fingers elbow claw claws joint joints '
    'shoulder effector yourself'.split())
_OF_BODY = frozenset('the your both left right robot its a all'.split())
PEOPLE = frozenset('me us him her you myself yourself himself herself'.split())
POINTING = frozenset('this that these those'.split())
PRONOUNS = frozenset('it them they'.split()) | POINTING
PICTURE = frozenset('picture image photo photograph screen frame view'.split())
RELATIVES = frozenset('that which who whose whom where what'.split())
SUBJECTS = frozenset('i you we they he she'.split())
BE = frozenset('is are was were be been being'.split())
# Verbs with which a clause goes on after 'and': 'that is red and | has a handle'.
GOING_ON = BE | frozenset('has have had touches looks lies sits stands which who'.split())
# Participles that go with a place: 'standing behind the box'.
POSTURES = frozenset(
    'standing sitting lying laying resting hanging leaning floating placed located positioned '
    'situated parked kept stored stuck balanced stacked tucked hidden found mounted set'.split())
# What may stand before a preposition: 'right next to', 'a little to the left'.
INTENSIFIERS = frozenset(
    'right just directly immediately midway halfway somewhere straight all slightly further '
    'farther currently bit little more'.split())
UNITS = frozenset(
    'cm mm m inch inches centimeter centimeters centimetre centimetres meter meters metre metres '
    'foot feet degree degrees percent times'.split())
_ADVERBS = frozenset(tuple(phrase.split()) for phrase in (
    'over here', 'over there', 'up there', 'down there', 'in there', 'back there', 'out here',
    'in here', 'right here', 'right there', 'upside down', 'out of the way', 'of the way',
    'all the way', 'the other way', 'in half', 'a little', 'a bit', 'a little bit', 'for me',
    'for us', 'for him', 'for her', 'away from there', 'away from here', 'out of there',
    'out of here', 'from there', 'from here', 'off of there', 'off there', 'down', 'back',
    'away', 'aside', 'up', 'here', 'there',
    'together',
    'apart', 'forward', 'forwards', 'backward', 'backwards', 'sideways', 'upward', 'upwards',
    'downward', 'downwards', 'upright', 'vertically', 'clockwise', 'counterclockwise',
    'anticlockwise', 'now', 'please', 'again', 'instead', 'too', 'out', 'off', 'on', 'over', 'in',
    'home', 'around', 'through', 'along', 'by', 'past'))
_AFTER_A_LITTLE = frozenset(
    'to more left right closer nearer further farther up down back forward forwards backward '
    'backwards away higher lower towards toward and please aside in on behind over above below '
    'under beside next from off into onto out'.split())
# Adverbs at the end alone: 'push it left', 'pull the drawer open'.
SIDEWAYS = frozenset('left right'.split())
RESULTS = frozenset('open closed shut inside outside underneath'.split())
COORDINATORS = frozenset('and or nor plus'.split())
AS_AND = (('as', 'well', 'as'), ('along', 'with'), ('together', 'with'), ('and', 'then'),
          ('and', 'also'), ('and', 'finally'), ('and', 'afterwards'), ('and', 'afterward'),
          ('and', 'after', 'that'), ('and', 'later'), ('and', 'thereafter'),
          ('and', 'subsequently'), ('and', 'next'), ('and', 'lastly'))


_LONGEST_ADVERB = max(map(len, _ADVERBS))


def adverb_length(lower: Sequence[str], row: int, end: int) -> int:
    """How many words the longest adverb has that begins at `row`; 0 for none."""
    return next((length for length in range(min(_LONGEST_ADVERB, end - row), 0, -1)
                 if tuple(lower[row:row + length]) in _ADVERBS
                 and not _names_size(lower, row, row + length, end)), 0)


def _names_size(lower: Sequence[str], row: int, after: int, end: int) -> bool:
    """Whether 'a little' describes a noun: 'a little girl', not 'a little to the left'."""
    return lower[row] == 'a' and after < end and lower[after] not in _AFTER_A_LITTLE


def is_body(words: Sequence[str]) -> bool:
    """Whether words in lower case name a part of the robot: 'your left hand'."""
    return words[-1] in BODY and all(word in _OF_BODY for word in words[:-1])
