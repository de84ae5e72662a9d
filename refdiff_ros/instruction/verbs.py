"""Whether a verb stands at a word, and which: 'hand me' has one, 'hand mixer' none."""

from dataclasses import dataclass

from refdiff_ros.instruction.frames import Frame, frame_of, FRAMES, Goal, unknown_frame
from refdiff_ros.instruction.prepositions import Kind, preposition_at
from refdiff_ros.phrase import is_modifier, Token
from refdiff_ros.words import CLAUSE_WORDS, DETERMINERS, PREPOSITIONS

_OBJECT_STARTS = DETERMINERS | frozenset(
    'it them me us him her both all two three four five something anything everything '
    'whichever one nothing none neither either'.split())
_SURE_OBJECTS = DETERMINERS | frozenset('it them me us him her both all everything'.split())
_SUBORDINATORS = frozenset('if when while because unless until once since though as only'.split())
_CLAUSAL = frozenset('ROOT conj parataxis ccomp xcomp advcl'.split())
_NO_OBJECT = frozenset('is are was were has have which of'.split())
_WAYS = frozenset('left right around back here there home away forward forwards straight up down '
                  'over backwards closer'.split())
# Verbs that may end a sentence: 'lift the box and wait'.
_ALONE = frozenset('wait stop stay return leave come go'.split())
_AUXILIARIES = frozenset('can could would will should may might must shall do does did had'.split())
_IDIOMS = {
    ('let', 'go', 'of'): 'release', ('let', 'go'): 'release', ('get', 'rid', 'of'): 'discard',
    ('dispose', 'of'): 'discard', ('get', 'hold', 'of'): 'grab', ('take', 'hold', 'of'): 'grab',
    ('grab', 'hold', 'of'): 'grab', ('catch', 'hold', 'of'): 'grab',
    ('hold', 'on', 'to'): 'hold', ('hang', 'on', 'to'): 'hold',
    ('take', 'a', 'look', 'at'): 'look', ('have', 'a', 'look', 'at'): 'look',
    ('go', 'get'): 'get', ('go', 'grab'): 'grab', ('go', 'fetch'): 'fetch', ('go', 'find'): 'find',
    ('go', 'pick', 'up'): 'pick', ('come', 'get'): 'get', ('be', 'careful'): '',
}


@dataclass(frozen=True)
class Verb:
    """A verb: its frame, the row after it and its particles, and whether it is a known one."""

    frame: Frame
    end: int
    known: bool = True


def verb_at(tokens: list[Token], row: int, end: int, gerund: bool = False,
            joined: bool = False) -> Verb | None:
    """The verb of a command that stands at `row`; None where a noun phrase begins there.

    Args:
        tokens: the words of the sentence.
        row: where the verb may stand.
        end: the row after the clause.
        gerund: whether it ends in '-ing' ('would you mind passing').
        joined: whether a noun phrase may go on here instead ('the mug and ...').
    """
    if row >= end:
        return None
    idiom = _idiom_at(tokens, row, end)
    if idiom is not None:
        return idiom
    if tokens[row].lower in ('go', 'come') and row + 2 < end:
        after = verb_at(tokens, row + 1, end)  # 'go open the door'
        if after is not None and after.known:
            return after
    pair = _pair_at(tokens, row, end)
    if pair is not None:
        return pair
    lower = tokens[row].lower
    frame = frame_of(lower)
    inflected = frame is not None and frame.verb != lower
    if frame is None or inflected and not (gerund or lower == frame.verb + 's'):
        if gerund and lower.endswith('ing'):
            return Verb(unknown_frame(lower), row + 1, known=False)
        return _unknown(tokens, row, end, joined)
    if not gerund and not _is_verb(tokens, row, end, frame, joined):
        return None
    return Verb(frame, _after_particles(tokens, row + 1, end, frame))


def _idiom_at(tokens: list[Token], row: int, end: int) -> Verb | None:
    for words, verb in _IDIOMS.items():
        if verb and row + len(words) <= end and all(
                tokens[row + at].lower == word for at, word in enumerate(words)):
            return Verb(FRAMES[verb], row + len(words))
    return None


def _pair_at(tokens: list[Token], row: int, end: int) -> Verb | None:
    """'pick and place the cube': one thing to do, which the second verb says."""
    if row + 3 >= end or tokens[row + 1].lower not in ('and', 'then'):
        return None
    first, second = frame_of(tokens[row].lower), frame_of(tokens[row + 2].lower)
    if first is None or second is None or first.goes:
        return None
    if tokens[row + 3].lower not in _OBJECT_STARTS | second.particles:
        return None
    return Verb(second, _after_particles(tokens, row + 3, end, second))


def _after_particles(tokens: list[Token], row: int, end: int, frame: Frame) -> int:
    # 'move over to', but 'put the cup over the sink': a particle stands right after its verb; so
    # does the way in 'push left the box'.
    while row < end and (tokens[row].lower in frame.particles or _way_first(tokens, row, end)):
        row += 1
    return row


def _way_first(tokens: list[Token], row: int, end: int) -> bool:
    return tokens[row].lower in ('left', 'right', 'up', 'down', 'forward', 'backward') and (
        row + 1 < end and tokens[row + 1].lower in DETERMINERS)


def _is_verb(tokens: list[Token], row: int, end: int, frame: Frame, joined: bool) -> bool:
    token = tokens[row]
    if row + 1 >= end:
        return not joined or token.pos == 'VERB' or frame.verb in _ALONE
    after = tokens[row + 1]
    lower = after.lower
    if after.comma:
        return not joined and not frame.noun or frame.verb in _ALONE
    if lower in _NO_OBJECT:
        return False
    if _way_first(tokens, row + 1, end):
        return True
    if frame.verb == 'place' and lower in ('in', 'on', 'into', 'onto'):
        return True
    if lower in _OBJECT_STARTS:
        return not (lower == 'that' and joined and token.pos not in ('VERB', ''))
    if lower in frame.particles:
        return not frame.noun or lower not in PREPOSITIONS or _particle_holds(tokens, row)
    if frame.goes and (lower in _WAYS or lower == 'and' or _goes_somewhere(tokens, row + 1, end)):
        return True
    if not frame.noun:
        return not joined or token.pos in ('VERB', '')
    if preposition_at([t.lower for t in tokens], row + 1, end) is not None:
        return False
    if not joined and _is_telegram(tokens, row, end, frame):
        return True
    return token.pos == 'VERB' and token.dep in _CLAUSAL and (
        frame.goal is Goal.NEEDED or not joined)


def _particle_holds(tokens: list[Token], row: int) -> bool:
    """Whether 'on' in 'turn on the lamp' is a particle: 'light on the table' is a noun phrase."""
    verb, particle = tokens[row], tokens[row + 1].lower
    return verb.pos in ('VERB', '') or particle not in ('on', 'in') or verb.lower in (
        'turn', 'switch')


def _is_telegram(tokens: list[Token], row: int, end: int, frame: Frame) -> bool:
    """'place cup left of bowl', without articles, against 'place mat on the table'."""
    lower = [token.lower for token in tokens]
    return frame.goal in (Goal.NEEDED, Goal.OPTIONAL) and not any(
        word in DETERMINERS - {'each'} for word in lower[row:end]) and any(
        found is not None and found.kind >= Kind.BESIDE
        for found in (preposition_at(lower, at, end) for at in range(row + 2, end - 1)))


def _goes_somewhere(tokens: list[Token], row: int, end: int) -> bool:
    return preposition_at([token.lower for token in tokens], row, end) is not None


def _unknown(tokens: list[Token], row: int, end: int, joined: bool) -> Verb | None:
    """A verb that is not listed, seen by what follows it or by the parser."""
    token = tokens[row]
    lower = token.lower
    closed = lower in _AUXILIARIES | _SUBORDINATORS or lower in DETERMINERS | PREPOSITIONS | CLAUSE_WORDS | _OBJECT_STARTS
    if closed or is_modifier(token) or lower.endswith("'s"):
        return None
    following = tokens[row + 1] if row + 1 < end else None
    object_follows = following is not None and not following.comma and (
        following.lower in _SURE_OBJECTS)
    verbal = token.pos == 'VERB' and token.dep in _CLAUSAL and not lower.endswith(('ing', 'ed'))
    if joined:
        found = verbal and object_follows
    else:
        found = object_follows or verbal
    if not found:
        return None
    after = row + 1
    if following is not None and following.lower in ('up', 'down', 'off', 'out', 'away', 'over'):
        after += 1
    return Verb(unknown_frame(lower), after, known=False)
