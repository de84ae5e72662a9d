"""Which pieces after a verb name the source, the tool, the receiver, the way, or the grip.

Each function gives the places of such segments in a group: the segments of one object.
"""

from collections.abc import Sequence

from refdiff_ros.language.instruction.closed_classes import is_body, PEOPLE
from refdiff_ros.language.instruction.frames import Frame, Goal
from refdiff_ros.language.instruction.prepositions import Kind
from refdiff_ros.language.instruction.results import Action
from refdiff_ros.language.instruction.segments import Segment
from refdiff_ros.language.instruction.sentence import Sentence, Span
from refdiff_ros.language.words import COLOURS

Group = Sequence[Segment]

MOVED = (Goal.NEEDED, Goal.OPTIONAL, Goal.PUSHED)
NEAR = frozenset(
    'closest closet nearest closer nearer near close farthest furthest farther further far first '
    'second third last'.split())
_TURNS = frozenset('turn rotate tilt twist spin flip'.split())
_WHERE = frozenset(
    'down back away aside here there together apart forward forwards backward backwards sideways '
    'left right home over way inside outside underneath clockwise counterclockwise '
    'anticlockwise upright'.split())
# Of whom 'for' says that they get something: 'fetch a fork for my friend'.
_PERSONS = frozenset(
    'man woman boy girl lady guy gentleman person friend child kid baby patient doctor nurse '
    'mother father mom mum dad sister brother wife husband son daughter grandmother grandfather '
    'grandma grandpa boss colleague guest customer visitor neighbour neighbor surgeon teacher '
    'student everyone everybody someone somebody operator worker cook chef'.split())
_FETCHED = frozenset('get fetch bring retrieve grab take carry'.split())
_GRIPS = frozenset('handle handles edge rim neck stem base lid cap side sides corner'.split())
# What has these has them as parts: 'the box with the red lid'.
_PARTS = frozenset(
    'lid lids handle handles cap top label labels stripe stripes dot dots spot spots button '
    'buttons screen hat hole holes wheel wheels leg legs logo sticker tip edge edges pattern '
    'flowers letters letter writing picture'.split())


def sources(group: Group, frame: Frame) -> list[int]:
    """'from the shelf', 'off the table', 'out of the box'; the first such, or none."""
    if frame.action in (Action.POINT, Action.REFER, Action.GO):
        return []
    return [at for at, segment in enumerate(group) if at and segment.kind == 'preposition'
            and not segment.direction and (
                segment.preposition.kind is Kind.SOURCE
                or segment.preposition.relation == 'away from' and frame.goal is Goal.TO
                and segment.preposition.kind is not Kind.MODIFIER)][:1]


def tools(sentence: Sentence, group: Group, frame: Frame) -> list[int]:
    """'with the cloth' after 'wipe', 'using the tongs' and 'with your hand' after any verb."""
    found = []
    for at, segment in enumerate(group):
        if not at or segment.kind != 'preposition' or segment.preposition.relation != 'with':
            continue
        preposition = sentence.lower[segment.start]
        words = sentence.words((segment.nouns[0][0], segment.end))
        part = preposition != 'with' or words[-1] in _PARTS and (
            words[0] == 'a' or any(word in COLOURS for word in words))
        if preposition == 'using' or is_body(words) or frame.tool and not part:
            found.append(at)
    return found[:1]


def is_grip(sentence: Sentence, segment: Segment, frame: Frame) -> bool:
    """'by its handle', after a verb that takes hold."""
    return frame.action is Action.PICK and segment.kind == 'preposition' \
        and sentence.lower[segment.start] == 'by' and sentence.lower[segment.end - 1] in _GRIPS


def grips(sentence: Sentence, group: Group, frame: Frame) -> list[int]:
    """Those of a group."""
    return [at for at, segment in enumerate(group) if at and is_grip(sentence, segment, frame)]


def recipients(sentence: Sentence, group: Group, frame: Frame) -> list[int]:
    """'to the man' after a verb that gives, 'for the man' after one that fetches; the last one."""
    beneficiaries = [
        at for at, segment in enumerate(group) if at and segment.kind == 'preposition'
        and segment.preposition.relation == 'for' and sentence.lower[segment.end - 1] in _PERSONS
        and (frame.action is Action.HAND or frame.verb in _FETCHED)]
    if frame.action is not Action.HAND or beneficiaries:
        return beneficiaries[-1:]
    return [at for at, segment in enumerate(group) if at and segment.kind == 'preposition'
            and segment.preposition.kind is Kind.TOWARDS and not segment.direction][-1:]


def ways(sentence: Sentence, group: Group, frame: Frame) -> list[int]:
    """The last segment, where it says a way and no object: 'move the mug | to the left'."""
    if not (frame.verb in _TURNS or frame.goal in MOVED) or not group:
        return []
    last = group[-1]
    if last.kind == 'clause' and sentence.lower[last.start] == 'where':
        return [len(group) - 1]
    if last.kind != 'preposition' or not last.direction or len(group) < 2:
        return []
    kind = last.preposition.kind
    person = sentence.lower[last.nouns[0][0]] in PEOPLE and kind > Kind.SOURCE
    way = kind is Kind.TOWARDS or frame.goal is Goal.NEEDED and (kind is Kind.INSIDE or person)
    return [len(group) - 1] if way else []


def passing(sentence: Sentence, group: Group, frame: Frame) -> list[int]:
    """'to the right' and 'from the left side' on the way of what is moved, and no description.

    After 'second' or 'nearest' they tell which one is meant.
    """
    if not frame.travels or frame.goal not in MOVED:
        return []
    return [at for at, segment in enumerate(group) if at and segment.kind == 'preposition'
            and segment.direction and segment.preposition.kind in (Kind.TOWARDS, Kind.SOURCE)
            and not any(word in NEAR for word in sentence.words((group[0].start, segment.start)))]


def adverb(sentence: Sentence, group: Group, frame: Frame) -> Span | None:
    """The rows of 'down', 'there' or 'back', where they say where something goes."""
    turns = frame.verb in _TURNS
    if frame.action not in (Action.PLACE, Action.HAND, Action.PICK) and (
            frame.goal is Goal.NONE and not turns):
        return None
    for segment in group:
        word = sentence.lower[segment.end - 1]
        if segment.kind == 'adverb' and word in _WHERE and (
                frame.action is not Action.PICK or word == 'away'
                or word in ('here', 'over') and frame.verb in _FETCHED):
            return segment.start, segment.end
    return None


def trimmed(sentence: Sentence, group: Group, frame: Frame) -> list[Segment]:
    """The segments without adverbs at the end; 'there' stays where it tells which one is meant."""
    kept = list(group)
    if frame.action in (Action.OTHER, Action.PLACE) and kept and kept[-1].kind == 'clause' \
            and sentence.lower[kept[-1].start] == 'to':  # 'press the button | to ring the bell'
        kept.pop()
    tells = frame.goal not in MOVED and frame.action in (
        Action.PICK, Action.POINT, Action.REFER, Action.OTHER)
    while len(kept) > 1 and kept[-1].kind == 'adverb':
        word = sentence.lower[kept[-1].end - 1]
        described = kept[-2].kind != 'noun' or kept[-2].end - kept[-2].start > 1
        deictic = tells and described and (
            word == 'there' or word == 'here' and frame.goal is Goal.NONE)
        if deictic or frame.action is Action.REFER and word in _WHERE:
            break
        kept.pop()
    return kept
