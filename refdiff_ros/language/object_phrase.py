"""From a command to the phrase that names its object: 'pick up | the red mug | and wait'.

The verbs are those of the instruction reader (`instruction.frames`). Many of them are nouns or
adjectives too ('hand', 'open', 'point'): those count as verbs only before a word that can follow
the verb alone ('hand me', 'open the').
"""

from refdiff_ros.language.instruction.frames import base_form, Frame, FRAMES, Goal
from refdiff_ros.language.instruction.results import Action
from refdiff_ros.language.words import DETERMINERS, PREPOSITIONS, Word

_FILLERS = frozenset(
    'please kindly now ok okay hey hi hello just so then well also robot'.split())
_POLITE_ENDS = frozenset('please thanks now robot ok okay'.split())
_PEOPLE = frozenset('me us him them'.split())

# Openings that say nothing of the object, longest first where one begins another.
_OPENERS = tuple(tuple(line.split()) for line in (
    'what appears to be', 'what seems to be', 'what looks like', 'i am looking for',
    "i'm looking for", 'would you mind', 'could you mind', 'do you mind', 'can you', 'could you',
    'would you', 'will you', 'do you', 'i would like', "i'd like", 'we would like', 'i want',
    'i need', 'we want', 'we need', 'you to', 'to see', 'to have', "let's", 'lets', 'let us',
    'there is', 'there are', "there's", 'here is', "here's", 'this is', 'that is', 'these are',
    'those are', 'it is', "it's", 'what is', "what's", 'where is', "where's", 'where are',
    'which one is', 'which is', 'which are', 'try to', 'go and', 'a picture of', 'a photo of',
    'an image of', 'picture of', 'pic of', 'photo of'))

# Verbs of the lexicon that are nouns too, and hardly ever the first noun of an expression.
_SELDOM_NOUNS = frozenset(
    'find select lift pull push throw pass release show bump'.split())
# What follows such a word where it is a noun after all.
_NO_OBJECT = frozenset('is are was were has have which and or'.split())
_PLACES = tuple(tuple(line.split()) for line in (
    'over to', 'up to', 'back to', 'close to', 'next to', 'in front of', 'to', 'toward',
    'towards', 'near', 'behind', 'beside', 'by', 'at'))
# Verbs with a last preposition that says whence or to whom the object goes.
_TAKING = frozenset('take remove bring get fetch pull unplug carry deliver'.split())
_TO_SOMEONE = frozenset('hand give pass bring show'.split())
_GRIPS = frozenset('handle handles edge rim neck stem base lid cap side sides corner'.split())


def object_phrase(words: tuple[Word, ...], text: str) -> tuple[Word, ...]:
    """The words that name and describe the object, without those that say what to do with it.

    Args:
        words: the words of `text`, at least one.
        text: the expression.

    Returns:
        Consecutive words of `words`, at least one; all of them when there is no command.
    """
    start, verb = _after_openings(words, text)
    end = _before_tail(words, start)
    if verb:
        end = _before_destination(words[start:end], verb) + start
    return words[start:end] if start < end else words


def _after_openings(words: tuple[Word, ...], text: str) -> tuple[int, str]:
    row, verb, opened = 0, '', False
    while row < len(words) - 1:
        after = _after_filler(words, row, text) or _after_opener(words, row)
        if after is None and not verb:
            after, verb = _after_verb(words, row, opened)
        if after is None or after >= len(words):
            break
        row, opened = after, True
    return row, verb


def _after_filler(words: tuple[Word, ...], row: int, text: str) -> int | None:
    word = words[row]
    if word.lower not in _FILLERS:
        return None
    comma = text[word.end:words[row + 1].start].lstrip().startswith((',', ':', '!', '.'))
    # 'robot arm on the left' names an object, 'robot, ...' and 'hey robot ...' a listener.
    if word.lower == 'robot' and not comma and row == 0:
        return None
    return row + 1


def _after_opener(words: tuple[Word, ...], row: int) -> int | None:
    for opener in _OPENERS:
        if _matches(words, row, opener):
            return row + len(opener)
    return None


def _matches(words: tuple[Word, ...], row: int, phrase: tuple[str, ...]) -> bool:
    # Most phrases differ in their first word.
    return row < len(words) and words[row].lower.replace('’', "'") == phrase[0] and tuple(
        word.lower.replace('’', "'") for word in words[row:row + len(phrase)]) == phrase


def _after_verb(words: tuple[Word, ...], row: int, opened: bool) -> tuple[int | None, str]:
    """The row after a verb with its particle and 'me', and the verb."""
    verb = _base_form(words[row].lower, opened)
    following = words[row + 1].lower
    if following in ('and', 'then') and row + 3 < len(words):  # 'pick and place the cube'
        after, second = _after_verb(words, row + 2, opened)
        if after is not None and verb in FRAMES:
            return after, verb if _places(second) else second
    frame = FRAMES.get(verb)
    if frame is None:
        return None, ''
    if _goes(frame):
        place = next((place for place in _PLACES if _matches(words, row + 1, place)), None)
        return (None, '') if place is None else (row + 1 + len(place), verb)
    particles = frame.particles
    after = row + 1
    if following in particles:
        after += 1
    elif _is_homograph(frame) and not (following in DETERMINERS or following in _PEOPLE):
        return None, ''
    elif following in PREPOSITIONS | _NO_OBJECT or (
            following == 'that' and words[row + 2:row + 3] and words[row + 2].lower in _NO_OBJECT):
        return None, ''  # 'the lift near the door', said without its article
    if after < len(words) and words[after].lower in _PEOPLE:
        after += 1
    elif _matches(words, after, ('to', 'me')):
        after += 2
    return after, verb


def _base_form(word: str, opened: bool) -> str:
    # 'would you mind handing me': a verb in -ing opens nothing by itself ('cutting board').
    return base_form(word) if opened and word.endswith('ing') else word


def _goes(frame: Frame) -> bool:
    """Whether a verb goes with a place, and without one is no command about an object."""
    if frame.verb == 'approach':
        return False
    return frame.action is Action.GO or frame.verb in ('stop', 'park', 'wait', 'return', 'stay')


def _places(verb: str) -> bool:
    """Whether a verb's last preposition says where the object goes."""
    frame = FRAMES.get(verb)
    return frame is not None and frame.goal in (Goal.NEEDED, Goal.OPTIONAL, Goal.PUSHED)


def _is_homograph(frame: Frame) -> bool:
    """Whether a verb may as well be the first noun or adjective of an expression."""
    return frame.noun and frame.verb not in _SELDOM_NOUNS


def _before_tail(words: tuple[Word, ...], start: int) -> int:
    """The end of the object's phrase before '... and put it there', '... please'."""
    end = len(words)
    for row in range(start + 1, end - 1):
        joins = words[row].lower in ('and', 'then', 'before', 'but')
        if joins and _starts_command(words, row + 1):
            end = row
            break
    while end > start + 1 and words[end - 1].lower in _POLITE_ENDS:
        end -= 1
    if end > start + 2 and words[end - 2].lower == 'for' and words[end - 1].lower in _PEOPLE:
        end -= 2
    return end


def _starts_command(words: tuple[Word, ...], row: int) -> bool:
    if words[row].lower == 'then':
        row += 1
    if row + 1 >= len(words):
        return False
    frame, following = FRAMES.get(words[row].lower), words[row + 1].lower
    if frame is None:
        return False
    return frame.action is Action.GO or following in ('it', 'them') or (
        following in DETERMINERS | _PEOPLE | frame.particles)


def _before_destination(words: tuple[Word, ...], verb: str) -> int:
    """The end of the object's phrase before where it goes or whence it comes."""
    lower = [word.lower for word in words]
    found = len(words)
    for row in range(1, len(words)):
        if verb in _TAKING and lower[row] in ('out', 'off', 'from', 'away'):
            found = min(found, row)
        to_side = row + 2 < len(words) and lower[row + 2] in ('left', 'right')
        if verb in _TAKING | _TO_SOMEONE and lower[row] == 'to' and not to_side and (
                lower[row - 1] not in ('next', 'close', 'closest', 'nearest')):
            found = min(found, row)
        if lower[row] == 'by' and lower[-1] in _GRIPS and len(words) - row <= 3:
            found = min(found, row)  # 'the mug by its handle' tells how to grip it
    if _places(verb):
        found = min(found, _last_place(lower))
    return found


def _last_place(lower: list[str]) -> int:
    rows = [row for row in range(1, len(lower))
            if lower[row] in PREPOSITIONS | {'into', 'onto', 'to', 'away', 'back'}
            and lower[row] not in ('of', 'with', 'without')
            and lower[row - 1] not in ('next', 'close', 'closest', 'nearest', 'on', 'to', 'in')]
    sure = [row for row in rows if lower[row] in ('into', 'onto', 'to')]
    return (sure or rows[-1:] or [len(lower)])[0]
