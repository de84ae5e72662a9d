"""A sentence cut into its clauses: one for each thing to do, or to leave alone."""

import re

from refdiff_ros.instruction.frames import frame_of
from refdiff_ros.instruction.openings import Mood, read_opening
from refdiff_ros.instruction.prepositions import preposition_at
from refdiff_ros.instruction.segments import Span
from refdiff_ros.instruction.verbs import verb_at
from refdiff_ros.phrase import Token
from refdiff_ros.words import COLOURS, DETERMINERS

JOINERS = frozenset('and then but so before'.split())
# What opens a condition or a reason, which is not read.
CONDITIONS = frozenset('if unless until while because'.split())
_ABBREVIATIONS = frozenset('mr mrs ms dr st vs e g i'.split())
_STOP = re.compile(r'[.;!?\n]|\s[-–—]\s')
# After these a verb begins no clause of its own.
_BINDING = DETERMINERS | frozenset(
    'to you we i they that which who can could will would not and then or but please also now just '
    'is are was were must should never do does'.split())
_AUXILIARIES = frozenset(
    'is are was were be do does did can could will would should must has have may but'.split())
_SUBJECTS = frozenset('i you it we they he she there'.split())
_SEEN = (('you', 'will', 'see'), ('you', 'will', 'find'))
_EXCEPT = (('instead', 'of'), ('rather', 'than'), ('except',), ('but', 'not'), ('apart', 'from'),
           ('other', 'than'))
_TAILS = tuple(tuple(phrase.split()) for phrase in (
    'please', 'thanks', 'thank you', 'thank you very much', 'now', 'right now', 'right away',
    'robot', 'ok', 'okay', 'for me', 'for us', 'if you can', 'if you could', 'if possible',
    'when you can', 'again', 'too', 'as well', 'will you', 'would you', 'could you', 'can you',
    'carefully', 'slowly', 'gently', 'quickly', 'immediately', 'instead', 'then', 'first', 'and',
    'but', 'if you do not mind', 'as soon as possible', 'for a second', 'for a moment'))


def clauses(tokens: list[Token], text: str) -> list[Span]:
    """The rows of each clause, in the order said; joining words stay with the clause after."""
    lower = [token.lower for token in tokens]
    starts, opened = [0], read_opening(lower, 0, len(tokens)).end
    for row in range(1, len(tokens)):
        if row >= opened and _starts(tokens, text, row):
            starts.append(row)
            opened = read_opening(lower, row, len(tokens)).end
    spans = zip(starts, [*starts[1:], len(tokens)])
    return [span for span in ((start, _without_tail(tokens, start, end))
                              for start, end in spans) if span[0] < span[1]]


def _without_tail(tokens: list[Token], start: int, end: int) -> int:
    """The end of a clause without 'please', 'for me' and the like."""
    while True:
        lower = tuple(token.lower for token in tokens[start:end])
        tail = max((len(tail) for tail in _TAILS
                    if len(tail) < len(lower) and lower[-len(tail):] == tail), default=0)
        if not tail:
            return end
        end -= tail


def _starts(tokens: list[Token], text: str, row: int) -> bool:
    between = text[tokens[row - 1].word.end:tokens[row].word.start]
    if _STOP.search(between) and not (between.startswith('.') and (
            tokens[row - 1].lower in _ABBREVIATIONS)):
        return True
    lower = tokens[row].lower
    if _excludes(tokens, row) or _condition(tokens, row):
        return True
    if tokens[row].comma and lower in _SUBJECTS and row + 1 < len(tokens) and (
            tokens[row + 1].pos in ('AUX', 'VERB') or tokens[row + 1].lower in _AUXILIARIES):
        return True
    if lower in JOINERS or tokens[row].comma:
        return _command_follows(tokens, row) or lower == 'but' and _object_follows(tokens, row)
    return _unjoined(tokens, row)


def _excludes(tokens: list[Token], row: int) -> bool:
    """'..., not the plate', '... without touching it', '... instead of the fork'."""
    lower = [token.lower for token in tokens]
    after = lower[row + 1] if row + 1 < len(lower) else ''
    if lower[row] == 'not':
        return lower[row - 1] not in _AUXILIARIES and after in DETERMINERS | COLOURS
    if lower[row] == 'without':
        return after.endswith('ing') and frame_of(after) is not None
    return any(tuple(lower[row:row + len(words)]) == words for words in _EXCEPT)


def _object_follows(tokens: list[Token], row: int) -> bool:
    """'not the red one | but the blue one'."""
    lower = [token.lower for token in tokens]
    return row + 1 < len(lower) and lower[row + 1] in DETERMINERS and any(
        word in ('not', 'never') for word in lower[:row])


def _condition(tokens: list[Token], row: int) -> bool:
    """'... if it is clean', '... until I say stop'; not the polite '... if you can'."""
    lower = [token.lower for token in tokens]
    if lower[row] == 'only' and lower[row + 1:row + 2] and lower[row + 1] in CONDITIONS:
        return True
    if lower[row] not in CONDITIONS or lower[row - 1] == 'only' or row + 1 >= len(tokens):
        return False
    return lower[row + 1] not in ('you', 'possible', 'necessary')


def _command_follows(tokens: list[Token], row: int) -> bool:
    """Whether a command, or what forbids or asks for something, begins after a joining word."""
    lower = [token.lower for token in tokens]
    opening = read_opening(lower, row, len(tokens))
    at = opening.end
    if at >= len(tokens):
        return False
    asks = opening.said and (opening.mood is not Mood.COMMAND or opening.negated)
    if asks and opening.mood is not Mood.NAME:
        return True
    if asks and opening.negated:
        return True
    verb = verb_at(tokens, at, len(tokens), opening.gerund, joined=True)
    return verb is not None


def _unjoined(tokens: list[Token], row: int) -> bool:
    """'grab the mug | put it there', '... | I want the green one', without any mark between."""
    lower = [token.lower for token in tokens]
    if lower[row - 1] in _BINDING or preposition_at(lower, row - 1, row) is not None:
        return False
    if lower[row] in ('i', 'we', 'you') and row > 1:
        opening = read_opening(lower, row, len(tokens))
        after = lower[opening.end] if opening.end < len(lower) else ''
        named = opening.mood is Mood.WANT or tuple(lower[row:row + 3]) in _SEEN
        command = opening.mood is Mood.COMMAND and lower[row + 1:row + 2] == ['would'] and verb_at(
            tokens, opening.end, len(tokens)) is not None
        return opening.said and (command or named and (
            after in DETERMINERS or lower[row] == 'you'))
    frame = frame_of(lower[row])
    if frame is None or frame.verb != lower[row] or row + 1 >= len(tokens):
        return False
    sure = not frame.noun or tokens[row].pos == 'VERB'
    particle = row + 2 < len(tokens) and lower[row + 1] in frame.particles and (
        lower[row + 2] in ('it', 'them', 'the'))
    return particle or sure and lower[row + 1] in ('it', 'them', 'me', 'the', 'a', 'an')
