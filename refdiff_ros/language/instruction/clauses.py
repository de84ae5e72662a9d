"""A sentence cut into its clauses: one for each thing to do, or to leave alone."""

from collections.abc import Sequence
import re

from refdiff_ros.language.instruction.frames import frame_of
from refdiff_ros.language.instruction.openings import Mood, read_opening
from refdiff_ros.language.instruction.ordering import connective_at
from refdiff_ros.language.instruction.prepositions import Kind, preposition_at
from refdiff_ros.language.instruction.sentence import Sentence, Span
from refdiff_ros.language.instruction.verbs import verb_at
from refdiff_ros.language.tokens import is_can, is_superlative
from refdiff_ros.language.words import COLOURS, DETERMINERS, SIZES

JOINERS = frozenset('and then but so before'.split())
# What opens a condition or a reason, which is not read.
CONDITIONS = frozenset('if unless until while because'.split())
_ABBREVIATIONS = frozenset('mr mrs ms dr st vs e g i'.split())
_STOP = re.compile(r'[.;!?\n]|\s[-–—]\s')
# After these a verb begins no clause of its own.
_BINDING = DETERMINERS | frozenset(
    'go come to you we i they that which who can could will would not and then or but please '
    'also now just is are was were must should never do does'.split())
_AUXILIARIES = frozenset(
    'is are was were be do does did can could will would should must has have may but'.split())
_SUBJECTS = frozenset('i you it we they he she there'.split())
_STATES_WHEN = frozenset('when once whenever after till until'.split())
_HOLDS = frozenset('is are has have stands stand lies lie sits sit gets looks becomes'.split())
_ORDERING = frozenset('put take give hand bring grab pick move place'.split())
_SEQUENCE = frozenset('next afterwards afterward finally lastly later thereafter'.split())
_SEEN = (('you', 'will', 'see'), ('you', 'will', 'find'))
_EXCEPT = (('instead', 'of'), ('rather', 'than'), ('except',), ('but', 'not'), ('apart', 'from'),
           ('other', 'than'))
_TAILS = tuple(tuple(phrase.split()) for phrase in (
    'please', 'thanks', 'thank you', 'thank you very much', 'now', 'right now', 'right away',
    'robot', 'ok', 'okay', 'for me', 'for us', 'if you can', 'if you could', 'if possible',
    'when you can', 'again', 'too', 'as well', 'will you', 'would you', 'could you', 'can you',
    'asap', 'carefully', 'slowly', 'gently', 'quickly', 'immediately', 'instead', 'then', 'first',
    'and',
    'but', 'if you do not mind', 'as soon as possible', 'for a second', 'for a moment'))


def clauses(sentence: Sentence) -> list[Span]:
    """The rows of each clause, in the order said; joining words stay with the clause after."""
    lower = sentence.lower
    starts, opened = [0], _opened(lower, 0)
    for row in range(1, len(sentence.tokens)):
        if row >= opened and _starts(sentence, row):
            starts.append(row)
            opened = _opened(lower, row)
    spans = zip(starts, [*starts[1:], len(sentence.tokens)])
    return [span for span in ((start, _without_tail(sentence, start, end))
                              for start, end in spans) if span[0] < span[1]]


def _opened(lower: Sequence[str], row: int) -> int:
    """The first row after the opening of a clause, and after the verb that a word of order has."""
    ordered = connective_at(lower, row, len(lower))
    opened = read_opening(lower, row, len(lower)).end
    return opened if ordered is None else max(opened, ordered.end + 1)


def _without_tail(sentence: Sentence, start: int, end: int) -> int:
    """The end of a clause without 'please', 'for me' and the like."""
    while True:
        lower = sentence.lower[start:end]
        tail = max((len(tail) for tail in _TAILS
                    if len(tail) < len(lower) and lower[-len(tail):] == tail
                    and lower[-len(tail) - 1] not in ('the', 'a', 'your')), default=0)
        if not tail:
            return end
        end -= tail


def first_mark(sentence: Sentence) -> int:
    """How many words stand before the first comma or full stop."""
    return next((row for row in range(1, len(sentence.tokens))
                 if sentence.tokens[row].comma or opens_sentence(sentence, row)),
                len(sentence.tokens))


def opens_sentence(sentence: Sentence, row: int) -> bool:
    """Whether a full stop or the like stands before a row, or nothing."""
    if row == 0:
        return True
    token, before = sentence.tokens[row], sentence.tokens[row - 1]
    between = sentence.marked[before.word.end:token.word.start]
    return _STOP.search(between) is not None and not (
        between.startswith('.') and before.lower in _ABBREVIATIONS)


def _starts(sentence: Sentence, row: int) -> bool:
    token, before = sentence.tokens[row], sentence.tokens[row - 1]
    if opens_sentence(sentence, row):
        return True
    if _excludes(sentence, row) or _condition(sentence, row) or _remark(sentence, row):
        return True
    ordered = connective_at(sentence.lower, row, len(sentence.tokens))
    if ordered is not None and (ordered.inflected or verb_at(
            sentence, ordered.end, len(sentence.tokens)) is not None):
        return before.lower not in JOINERS or row == 1
    if token.lower == 'but' and _object_follows(sentence, row):
        return True
    if token.comma and sentence.lower[0] == 'not' and token.lower in DETERMINERS:
        return True  # 'not the left one, | the right one'
    if token.lower in JOINERS or token.comma:
        return _command_follows(sentence, row)
    return _unjoined(sentence, row)


def _remark(sentence: Sentence, row: int) -> bool:
    """'pick up the cup, | it is on the left', '..., | the mug stays there'."""
    stays = any(word in ('stays', 'remains') for word in sentence.lower[row:row + 5])
    if stays and sentence.tokens[row].comma and sentence.lower[row] in DETERMINERS:
        return True
    if not sentence.tokens[row].comma or sentence.lower[row] not in _SUBJECTS:
        return False
    following = sentence.tokens[row + 1:row + 2]
    return bool(following) and (
        following[0].pos in ('AUX', 'VERB') or following[0].lower in _AUXILIARIES)


def _excludes(sentence: Sentence, row: int) -> bool:
    """'..., not the plate', '... without touching it', '... instead of the fork'."""
    lower = sentence.lower
    after = lower[row + 1] if row + 1 < len(lower) else ''
    if lower[row] == 'not':
        place = sentence.tokens[row].comma and preposition_at(
            lower, row + 1, len(lower)) is not None  # '..., not in front of it'
        return place or lower[row - 1] not in _AUXILIARIES and after in DETERMINERS | COLOURS
    if lower[row] == 'without':
        return after.endswith('ing') and frame_of(after) is not None
    return any(lower[row:row + len(words)] == words for words in _EXCEPT)


def _object_follows(sentence: Sentence, row: int) -> bool:
    """'not the red one | but the blue one', 'not on the tray | but in the box'."""
    lower = sentence.lower
    named = row + 1 < len(lower) and (
        lower[row + 1] in DETERMINERS or _place_follows(sentence, row + 1))
    return named and any(word in ('not', 'never') for word in lower[:row])


def _place_follows(sentence: Sentence, row: int) -> bool:
    found = preposition_at(sentence.lower, row, len(sentence.tokens))
    return found is not None and found.kind >= Kind.BESIDE


def _condition(sentence: Sentence, row: int) -> bool:
    """'... if it is clean', '... until I say stop'; not the polite '... if you can'."""
    lower = sentence.lower
    if is_time(lower, row):
        return True
    if lower[row] == 'only' and lower[row + 1:row + 2] and lower[row + 1] in CONDITIONS:
        return True
    if lower[row] == 'so' and lower[row + 1:row + 2] and lower[row + 1] in ('that', 'it', 'its'):
        return True
    if lower[row] not in CONDITIONS or lower[row - 1] == 'only' or row + 1 >= len(sentence.tokens):
        return False
    return lower[row + 1] not in ('you', 'possible', 'necessary')


def is_time(lower: Sequence[str], row: int) -> bool:
    """Whether a clause about the time begins: 'when I am done', 'once it is dry'."""
    if row + 2 >= len(lower):
        return False
    if lower[row] in _STATES_WHEN and lower[row + 1] in DETERMINERS:
        # 'when the can is on the tray'
        verb = next((at for at in range(row + 2, len(lower)) if lower[at] in _HOLDS), None)
        return verb is not None and not any(
            frame_of(word) is not None and word in _ORDERING for word in lower[row + 2:verb])
    if lower[row] not in ('when', 'once', 'after', 'before'):
        return False
    subject = lower[row + 1] in _SUBJECTS - {'you', 'we', 'there'}
    return subject and lower[row + 2] in _AUXILIARIES | {'am', 'say', 'tell', 'finish', 'finished'}


def _command_follows(sentence: Sentence, row: int) -> bool:
    """Whether a command, or what forbids or asks for something, begins after a joining word."""
    end = len(sentence.tokens)
    opening = read_opening(sentence.lower, row, end)
    if opening.end >= end:
        return False
    if sentence.lower[opening.end] in _SEQUENCE and opening.end + 1 < end and verb_at(
            sentence, opening.end + 1, end, joined=True) is not None:
        return True  # '..., next put the spoon in it'
    asks = opening.mood not in (Mood.COMMAND, Mood.NAME) or opening.negated
    if opening.said and asks:
        return True
    return verb_at(sentence, opening.end, end, opening.gerund, joined=True) is not None


def _wish(sentence: Sentence, row: int) -> bool:
    """'... | I want the cup', '... | you will see a cup', '... | I would pick it up'."""
    lower, end = sentence.lower, len(sentence.tokens)
    opening = read_opening(lower, row, end)
    if not opening.said:
        return False
    if lower[row + 1:row + 2] == ('would',) and opening.mood is Mood.COMMAND:
        return verb_at(sentence, opening.end, end) is not None
    if lower[row] == 'you':
        return lower[row:row + 3] in _SEEN
    return opening.mood is Mood.WANT and lower[opening.end:opening.end + 1] != () and (
        lower[opening.end] in DETERMINERS)


def _awaits_noun(sentence: Sentence, row: int) -> bool:
    """'the smallest | screw in the tray': what follows an adjective is no verb."""
    lower = sentence.lower[row]
    return lower in COLOURS | SIZES or is_superlative(lower) or sentence.tokens[row].dep == 'amod'


def _unjoined(sentence: Sentence, row: int) -> bool:
    """'grab the mug | put it there', '... | I want the green one', without any mark between."""
    lower = sentence.lower
    seen = lower[row - 1] == 'you' and row > 1 and (  # 'closest to you | pick up the red one'
        preposition_at(lower, row - 2, row - 1) is not None)
    if lower[row] == 'please' and row + 1 < len(lower):
        return verb_at(sentence, row + 1, len(lower)) is not None
    tin = lower[row - 1] == 'can' and is_can([token.word for token in sentence.tokens], row - 1)
    if lower[row - 1] in _BINDING and not (seen or tin) or preposition_at(
            lower, row - 1, row) is not None:
        return False
    if lower[row] in ('i', 'we', 'you') and row > 1:
        return _wish(sentence, row)
    frame = frame_of(lower[row])
    if frame is None or frame.verb != lower[row] or row + 1 >= len(lower) \
            or _awaits_noun(sentence, row - 1):
        return False
    sure = not frame.noun or sentence.tokens[row].pos == 'VERB'
    particle = row + 2 < len(lower) and lower[row + 1] in frame.particles - {'in', 'on'} and (
        lower[row + 2] in ('it', 'them', 'the'))  # 'pick up the', but 'the screw in the tray'
    return particle or sure and lower[row + 1] in ('it', 'them', 'me', 'the', 'a', 'an')
