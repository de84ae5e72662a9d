"""Whether a verb stands at a word, and which: 'hand me' has one, 'hand mixer' none."""

from collections.abc import Sequence
from dataclasses import dataclass

from refdiff_ros.language.instruction.frames import Frame, frame_of, FRAMES, Goal, unknown_frame
from refdiff_ros.language.instruction.prepositions import Kind, preposition_at
from refdiff_ros.language.instruction.sentence import Sentence
from refdiff_ros.language.tokens import is_modifier
from refdiff_ros.language.words import CLAUSE_WORDS, DETERMINERS, PREPOSITIONS

_OBJECT_STARTS = DETERMINERS | frozenset(
    'it them me us him her both all two three four five something anything everything '
    'whichever one nothing none neither either'.split())
_SURE_OBJECTS = DETERMINERS | frozenset('it them me us him her both all everything'.split())
_NEVER_VERBS = DETERMINERS | PREPOSITIONS | CLAUSE_WORDS | _OBJECT_STARTS | frozenset(
    'can could would will should may might must shall do does did had '
    'if when while because unless until once since though as only'.split())
_CLAUSAL = frozenset('ROOT conj parataxis ccomp xcomp advcl'.split())
_NO_OBJECT = frozenset('is are was were has have which of'.split())
_WAYS = frozenset('left right around back here there home away forward forwards straight up down '
                  'over backwards closer'.split())
# Verbs that may end a sentence: 'lift the box and wait'.
_ALONE = frozenset('wait stop stay return leave come go'.split())
# Verbs that are one before a bare noun too: 'open oven', but 'light switch', 'stop sign'.
_TELEGRAMS = frozenset('open close press hang stack knock flip lift push pull'.split())
_AFTER_NOUN = frozenset('mat mats card cards setting settings holder'.split())
_IDIOMS = {
    ('let', 'go', 'of'): 'release', ('let', 'go'): 'release', ('get', 'rid', 'of'): 'discard',
    ('dispose', 'of'): 'discard', ('get', 'hold', 'of'): 'grab', ('take', 'hold', 'of'): 'grab',
    ('grab', 'hold', 'of'): 'grab', ('catch', 'hold', 'of'): 'grab',
    ('hold', 'on', 'to'): 'hold', ('hang', 'on', 'to'): 'hold',
    ('take', 'a', 'look', 'at'): 'look', ('have', 'a', 'look', 'at'): 'look',
}


@dataclass(frozen=True)
class Verb:
    """A verb: its frame, the row after it and its particles, and whether it is a known one."""

    frame: Frame
    end: int
    known: bool = True


def verb_at(sentence: Sentence, row: int, end: int, gerund: bool = False,
            joined: bool = False) -> Verb | None:
    """The verb of a command that stands at `row`; None where a noun phrase begins there.

    Args:
        sentence: the whole sentence.
        row: where the verb may stand.
        end: the row after the clause.
        gerund: whether it ends in '-ing' ('would you mind passing').
        joined: whether a noun phrase may go on here instead ('the mug and ...').
    """
    if row >= end:
        return None
    idiom = _idiom_at(sentence, row, end)
    if idiom is not None:
        return idiom
    if sentence.lower[row] in ('go', 'come') and row + 2 < end:
        after = verb_at(sentence, row + 1, end)  # 'go open the door'
        if after is not None and after.known:
            return after
    pair = _pair_at(sentence, row, end)
    if pair is not None:
        return pair
    lower = sentence.lower[row]
    frame = frame_of(lower)
    inflected = frame is not None and frame.verb != lower
    if frame is None or inflected and not (gerund or lower == frame.verb + 's'):
        if gerund and lower.endswith('ing'):
            return Verb(unknown_frame(lower), row + 1, known=False)
        return _unknown(sentence, row, end, joined)
    if not gerund and not _is_verb(sentence, row, end, frame, joined):
        return None
    return Verb(frame, _after_particles(sentence, row + 1, end, frame))


def _idiom_at(sentence: Sentence, row: int, end: int) -> Verb | None:
    for words, verb in _IDIOMS.items():
        if row + len(words) <= end and sentence.lower[row:row + len(words)] == words:
            return Verb(FRAMES[verb], row + len(words))
    return None


def _pair_at(sentence: Sentence, row: int, end: int) -> Verb | None:
    """'pick and place the cube': one thing to do, which the second verb says."""
    if row + 3 >= end or sentence.lower[row + 1] not in ('and', 'then'):
        return None
    first, second = frame_of(sentence.lower[row]), frame_of(sentence.lower[row + 2])
    if first is None or second is None or first.goes:
        return None
    if sentence.lower[row + 3] not in _OBJECT_STARTS | second.particles:
        return None
    return Verb(second, _after_particles(sentence, row + 3, end, second))


def _after_particles(sentence: Sentence, row: int, end: int, frame: Frame) -> int:
    # 'move over to', but 'put the cup over the sink': a particle stands right after its verb; so
    # does the way in 'push left the box'.
    while row < end and (sentence.lower[row] in frame.particles or _way_first(sentence, row, end)):
        row += 1
    return row


def _way_first(sentence: Sentence, row: int, end: int) -> bool:
    return sentence.lower[row] in ('left', 'right', 'up', 'down', 'forward', 'backward') and (
        row + 1 < end and sentence.lower[row + 1] in DETERMINERS)


def _is_verb(sentence: Sentence, row: int, end: int, frame: Frame, joined: bool) -> bool:
    token = sentence.tokens[row]
    if row + 1 >= end:
        return not joined or token.pos == 'VERB' or frame.verb in _ALONE
    after = sentence.tokens[row + 1]
    if after.comma:
        return not joined and not frame.noun or frame.verb in _ALONE
    if after.lower in _NO_OBJECT:
        return False
    if _way_first(sentence, row + 1, end):
        return True
    if after.lower in _OBJECT_STARTS:
        return not (after.lower == 'that' and joined and token.pos not in ('VERB', ''))
    if after.lower in frame.particles:
        return not frame.noun or after.lower not in PREPOSITIONS or _particle_holds(sentence, row)
    return _takes(sentence, row, end, frame, joined)


def _takes(sentence: Sentence, row: int, end: int, frame: Frame, joined: bool) -> bool:
    """Whether a verb goes on with what follows, where that is no sure sign of an object."""
    token, lower = sentence.tokens[row], sentence.lower[row + 1]
    if lower in _AFTER_NOUN:
        return False
    if frame.verb == 'place' and lower in (
            'in', 'on', 'into', 'onto', 'near', 'next', 'under', 'behind', 'beside'):
        return True
    phrase = preposition_at(sentence.lower, row + 1, end)
    if frame.goes and (lower in _WAYS or lower == 'and' or phrase is not None):
        return True
    if not frame.noun:
        return not joined or token.pos in ('VERB', '')
    if phrase is not None:
        return False
    if not joined and _is_telegram(sentence, row, end, frame):
        return True
    return token.pos == 'VERB' and token.dep in _CLAUSAL and (
        frame.goal is Goal.NEEDED or not joined)


def _particle_holds(sentence: Sentence, row: int) -> bool:
    """Whether 'on' in 'turn on the lamp' is a particle: 'light on the table' is a noun phrase."""
    verb, particle = sentence.tokens[row], sentence.lower[row + 1]
    return verb.pos in ('VERB', '') or particle not in ('on', 'in') or verb.lower in (
        'turn', 'switch')


def _is_telegram(sentence: Sentence, row: int, end: int, frame: Frame) -> bool:
    """'place cup left of bowl', whose object has no article; 'place mat' is none."""
    lower = sentence.lower
    place = next((at for at in range(row + 2, end - 1) if _says_place(lower, at, end)), end)
    if any(word in DETERMINERS - {'each'} for word in lower[row:place]):
        return False
    if frame.goal in (Goal.NEEDED, Goal.OPTIONAL) and place < end:
        return True
    return frame.verb in _TELEGRAMS and not any(word in DETERMINERS for word in lower[place:end])


def _says_place(lower: Sequence[str], row: int, end: int) -> bool:
    found = preposition_at(lower, row, end)
    return found is not None and found.kind >= Kind.BESIDE


def _unknown(sentence: Sentence, row: int, end: int, joined: bool) -> Verb | None:
    """A verb that is not listed, seen by what follows it or by the parser."""
    token = sentence.tokens[row]
    lower = token.lower
    if lower in _NEVER_VERBS or is_modifier(token) or lower.endswith("'s"):
        return None
    following = sentence.tokens[row + 1] if row + 1 < end else None
    object_follows = following is not None and not following.comma and (
        following.lower in _SURE_OBJECTS)
    verbal = token.pos == 'VERB' and token.dep in _CLAUSAL and not lower.endswith(('ing', 'ed'))
    if not (verbal or object_follows) or joined and not (verbal and object_follows):
        return None
    after = row + 1
    if following is not None and following.lower in ('up', 'down', 'off', 'out', 'away', 'over'):
        after += 1
    return Verb(unknown_frame(lower), after, known=False)
