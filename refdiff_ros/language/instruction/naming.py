"""A clause without a verb of its own: a noun phrase that is wanted, looked for or only named."""

from refdiff_ros.language.directions import DIRECTION_OF
from refdiff_ros.language.instruction.arguments import Arguments, Phrase, read_arguments
from refdiff_ros.language.instruction.closed_classes import PEOPLE, PRONOUNS
from refdiff_ros.language.instruction.frames import Frame, frame_of, Goal
from refdiff_ros.language.instruction.openings import Mood, Opening
from refdiff_ros.language.instruction.prepositions import Kind, preposition_at
from refdiff_ros.language.instruction.results import Action
from refdiff_ros.language.instruction.segments import cut, describes
from refdiff_ros.language.instruction.sentence import Sentence
from refdiff_ros.language.instruction.statements import moved
from refdiff_ros.language.instruction.step import (
    as_reading,
    ClauseReading,
    NAMED,
    no_object,
    PRONOUN_PHRASES,
)
from refdiff_ros.language.tokens import is_superlative
from refdiff_ros.language.words import COLOURS, DETERMINERS, ORDINALS, PREPOSITIONS, SIZES

_CHAT = frozenset(
    'try help thanks thank hello hi hey bye goodbye yes no ok okay robot abort cancel undo repeat '
    'quit exit reset pause resume continue continues done ready sorry again faster slower good '
    'great nice perfect hold on well careful job work never mind that this is all for today '
    'morning evening you be so very much emergency start begin stop enough welcome right wrong '
    'done finished afterwards afterward later firstly secondly thirdly finally lastly next '
    'then'.split())
_NO_NAMES = frozenset('be do i we you he she they'.split())
_STATES = frozenset('is are was were'.split())
_PLACED = _STATES | frozenset('at located kept be'.split())
_RELATIVES = frozenset('that which who'.split())
_ACTIONS = {Mood.WANT: Action.HAND, Mood.WHERE: Action.POINT}


def read_name(sentence: Sentence, opening: Opening, end: int) -> ClauseReading:
    """Read the rows from the opening's end to `end`."""
    row, negated = opening.end, opening.negated
    frame = Frame('', _ACTIONS.get(opening.mood, Action.REFER))
    if frame.action is Action.HAND:
        wanted = _wanted_moved(sentence, row, end)
        if wanted is not None:
            return wanted
    while frame.action is Action.POINT and end > row + 1 and sentence.lower[end - 1] in _PLACED:
        end -= 1
    if frame.action is Action.REFER:
        if not negated and not _names_something(sentence, row, end) or (
                sentence.lower[row] in _NO_NAMES):
            return no_object()
        end = _before_state(sentence, row, end)
        place = _bare_place(sentence, row, end)
        if place is not None:
            return as_reading(sentence, (place,), NAMED, negated)
    return as_reading(sentence, read_arguments(sentence, row, end, frame), frame, negated)


def _wanted_moved(sentence: Sentence, row: int, end: int) -> ClauseReading | None:
    """'I would like | the mug moved to the plate'; None where nothing is to be moved."""
    lower = sentence.lower
    for at in range(row + 1, end):
        frame = frame_of(lower[at])
        participle = lower[at].endswith(('ed', 't')) and lower[at - 1] not in DETERMINERS
        if participle and frame is not None and frame.goal is Goal.NEEDED \
                and preposition_at(lower, at + 1, end) is not None:
            found = moved(sentence, (row, at), (at + 1, end), frame)
            return as_reading(sentence, (found,), frame, negated=False)
    return None


def _bare_place(sentence: Sentence, row: int, end: int) -> Arguments | None:
    """'on the tray', said in answer to 'where?'; None for other phrases and for directions."""
    first = cut(sentence, row, end)[0]
    if first.kind != 'preposition' or first.direction or first.preposition.kind < Kind.SOURCE \
            or sentence.lower[first.nouns[0][0]] in PEOPLE:
        return None
    spans = first.nouns if len(first.nouns) > 1 else ((first.nouns[0][0], end),)
    phrases = tuple(Phrase(span, first.preposition.relation) for span in spans)
    if first.preposition.kind is Kind.SOURCE:
        return Arguments(sources=phrases)
    return Arguments(places=phrases)


def _before_state(sentence: Sentence, row: int, end: int) -> int:
    """The end of the subject of 'the light is too bright'; 'is on the table' tells which one."""
    lower = sentence.lower
    verb = next((at for at in range(row + 1, end)
                 if lower[at] in _STATES and lower[at - 1] not in _RELATIVES), None)
    if verb is None or preposition_at(lower, verb + 1, end) is not None:
        return end
    return verb


def _is_choice(sentence: Sentence, row: int, end: int) -> bool:
    """Whether words only tell one of several apart: 'left', 'the first', 'far right'."""
    words = sentence.words((row, end))
    content = [word for word in words if word not in DETERMINERS | {'far', 'very'}]
    alone = end == len(sentence.tokens) and row < 2  # 'first, take the cup' says when
    return bool(content) and (alone or len(words) > len(content)) and all(
        word in ORDINALS | DIRECTION_OF.keys() for word in content)


def _names_something(sentence: Sentence, row: int, end: int) -> bool:
    """Whether the words may name an object: not 'faster', not 'good job'."""
    words, tokens = sentence.words((row, end)), sentence.tokens[row:end]
    if _is_choice(sentence, row, end):
        return True
    if all(word in ORDINALS for word in words):  # 'first, take the cup' says when
        return False
    if all(word in _CHAT for word in words) or words[0] in _NO_NAMES or words[:2] == ('it', 'is'):
        return False
    if ' '.join(words) in PRONOUN_PHRASES:
        return True
    if words[0].endswith('ing') and tokens[0].pos == 'VERB' and len(words) > 1 and (
            words[1] in DETERMINERS | PREPOSITIONS):  # 'looking at the table, ...'
        return False
    telling = any(
        token.lower in COLOURS | SIZES | PRONOUNS | {'one', 'ones'}
        or is_superlative(token.lower) or token.pos in ('', 'NOUN', 'PROPN', 'X')
        for token in tokens)
    return telling or words[0] in DETERMINERS and any(
        not describes(token) and token.pos in ('ADJ', 'VERB') for token in tokens)
