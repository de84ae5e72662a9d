"""Which words after a verb name its object, and which the place, the source, the tool.

The hard part is a prepositional phrase: in 'put the mug on the tray' it says where the mug goes,
in 'pick up the mug on the tray' which mug. The verb decides whether a place is looked for
(`frames.Goal`), the prepositions which phrase says it (`prepositions.Kind`): in 'the ball behind
the box in the bowl' the ball is behind the box and goes in the bowl.
"""

from dataclasses import dataclass, replace

from refdiff_ros.instruction.frames import Frame, Goal
from refdiff_ros.instruction.prepositions import Kind
from refdiff_ros.instruction.results import Action
from refdiff_ros.instruction.segments import (
    cut,
    describes,
    is_body,
    is_pronoun,
    PEOPLE,
    Segment,
    Span,
)
from refdiff_ros.phrase import Token
from refdiff_ros.words import COLOURS, SIZES

_TURNS = frozenset('turn rotate tilt twist'.split())
_PAIRED = frozenset('both neither either'.split())
_WHERE = frozenset(
    'down back away aside here there together apart forward forwards backward backwards sideways '
    'left right home over way'.split())
_DEFINITE = frozenset('the that this those these my your'.split())
_INDEFINITE = frozenset('a an another other two three four some'.split())
_TO = frozenset('to toward towards closer nearer'.split())
_NEAR = frozenset(
    'closest closet nearest closer nearer near close farthest furthest farther further far first '
    'second third last'.split())
_GRIPS = frozenset('handle handles edge rim neck stem base lid cap side sides corner'.split())
# What has these has them as parts: 'the box with the red lid'.
_PARTS = frozenset(
    'lid lids handle handles cap top label labels stripe stripes dot dots spot spots button buttons '
    'screen hat hole holes wheel wheels leg legs logo sticker tip edge edges pattern flowers '
    'letters letter writing picture'.split())
# Nearly everything is on one of these, so that they are seldom where a thing goes if another
# place is named; the second kind holds things that are places themselves.
_GROUNDS = frozenset('table desk counter countertop floor ground worktop bench workbench'.split())
_FURNITURE = frozenset(
    'shelf shelves cabinet cupboard fridge refrigerator kitchen room sink oven stove wall corner '
    'office garage bathroom bedroom wardrobe closet freezer'.split())
_RANK = {Kind.BESIDE: 1.0, Kind.SIDE: 1.5, Kind.INSIDE: 2.0, Kind.TOWARDS: 3.0}
_PLACES = {
    Goal.NEEDED: frozenset((Kind.BESIDE, Kind.SIDE, Kind.INSIDE, Kind.TOWARDS)),
    Goal.OPTIONAL: frozenset((Kind.BESIDE, Kind.SIDE, Kind.INSIDE, Kind.TOWARDS)),
    Goal.PUSHED: frozenset((Kind.BESIDE, Kind.SIDE, Kind.TOWARDS)),
    Goal.TO: frozenset((Kind.TOWARDS,)),
    Goal.NONE: frozenset(),
}


@dataclass(frozen=True)
class Phrase:
    """A noun phrase by its rows, and the relation of the preposition before it."""

    span: Span
    relation: str = ''


@dataclass(frozen=True)
class Arguments:
    """The phrases of one thing to do, by role.

    Attributes:
        objects: what it is done to.
        places, sources, recipients, tools, grips: as in `results.Role`.
        where: the rows of where it goes when that is no object.
        other_splits: other ways to part objects from places.
    """

    objects: tuple[Span, ...] = ()
    places: tuple[Phrase, ...] = ()
    sources: tuple[Phrase, ...] = ()
    recipients: tuple[Span, ...] = ()
    tools: tuple[Span, ...] = ()
    grips: tuple[Span, ...] = ()
    where: Span | None = None
    other_splits: tuple[tuple[tuple[Span, ...], tuple[Phrase, ...]], ...] = ()


def read_arguments(
    tokens: list[Token], start: int, end: int, frame: Frame,
) -> tuple[Arguments, ...]:
    """The arguments of a verb, one entry for each thing to do.

    More than one only where the verb is said once for several places: 'put the apple in the bowl
    and the pear in the basket'.
    """
    if tokens[start].lower in _PAIRED and start + 1 < end and tokens[start + 1].lower != 'of':
        start += 1
    segments = cut(tokens, start, end)
    person, segments = _person(tokens, segments, frame)
    found: list[Arguments] = []
    waiting: list[list[Segment]] = []
    for group in _groups(tokens, segments):
        if _candidates(tokens, group, frame):
            found.append(_with_place(tokens, waiting, group, frame))
            waiting = []
        else:
            waiting.append(group)
    if waiting and found:
        more = tuple(Phrase(_span(tokens, group, len(group), frame), found[-1].places[-1].relation)
                     for group in waiting)
        found[-1] = replace(found[-1], places=found[-1].places + more)
    elif waiting:
        found.append(_without_place(tokens, waiting, frame))
    if person is not None:
        found = [replace(one, where=one.where or person) for one in found]
    return tuple(found)


def _person(
    tokens: list[Token], segments: list[Segment], frame: Frame,
) -> tuple[Span | None, list[Segment]]:
    """'me' in 'hand me the cup' or 'bring it to me', and the other segments."""
    given = frame.action is Action.HAND or frame.goal in (Goal.TO, Goal.OPTIONAL, Goal.NEEDED)
    for at, segment in enumerate(segments):
        first = segment.nouns[0][0] if segment.nouns else segment.start
        to = segment.preposition is not None and tokens[segment.start].lower in _TO and (
            given and not _says_near(tokens, segments[:at]))  # 'the closest cup to me'
        indirect = at == 0 and segment.kind == 'noun' and len(segments) > 1 and (
            segments[1].kind == 'noun')
        someone = tokens[first].lower in PEOPLE | ({'them'} if indirect else set())
        if someone and segment.end == first + 1 and (indirect or to):
            return (segment.start, segment.end), segments[:at] + segments[at + 1:]
    return None, segments


def _says_near(tokens: list[Token], segments: list[Segment]) -> bool:
    return any(token.lower in _NEAR for segment in segments
               for token in tokens[segment.start:segment.end])


def _groups(tokens: list[Token], segments: list[Segment]) -> list[list[Segment]]:
    """The segments between 'and's; a comma alone parts a list that ends with 'and'."""
    groups: list[list[Segment]] = [[]]
    for at, segment in enumerate(segments):
        if segment.kind == 'and' and (not _names(tokens, segments[at + 1:])
                                      or _describes_on(tokens, groups[-1], segments[at + 1])):
            groups[-1].append(segment)
        elif segment.kind == 'and':
            groups.append([])
        elif segment.kind == 'noun' and groups[-1] and (
                groups[-1][-1].kind == 'noun' or tokens[segment.start].comma) \
                and _names_next(tokens, segment) \
                and any(later.kind == 'and' for later in segments[at:]):
            groups.append([segment])
        else:
            groups[-1].append(segment)
    return [group for group in groups if group]


def _describes_on(tokens: list[Token], group: list[Segment], noun: Segment) -> bool:
    """'the cup next to a plate | and a fork': two that are only named stand beside the one meant;
    'the cup next to the plate and the fork' are two that are meant."""
    if len(group) < 2 or tokens[noun.start].lower not in _INDEFINITE:
        return False
    first = tokens[group[0].start].lower
    last = [token.lower for token in tokens[group[-1].start:group[-1].end]]
    return first in _DEFINITE and any(word in _INDEFINITE for word in last)


def _names_next(tokens: list[Token], segment: Segment) -> bool:
    """Whether a noun phrase after a comma is the next of a list: not ', the one on the left'."""
    words = [token.lower for token in tokens[segment.start:segment.end]]
    return words != ['the', 'one'] and tokens[segment.end - 1].pos in ('NOUN', 'PROPN', 'X', '')


def _names(tokens: list[Token], segments: list[Segment]) -> bool:
    """Whether what comes after 'and' is another object, and no more of the same ('and below it',
    'and the furthest from you')."""
    if not segments or segments[0].kind != 'noun':
        return False
    words = tokens[segments[0].start:segments[0].end]
    return any(not describes(token) or token.lower in COLOURS | SIZES for token in words)


def _candidates(tokens: list[Token], group: list[Segment], frame: Frame) -> list[int]:
    """The segments that may say where something goes."""
    return [at for at, segment in enumerate(group)
            if segment.kind == 'preposition' and not segment.direction
            and segment.preposition.kind in _PLACES[frame.goal]
            and (frame.goal is not Goal.TO or segment.preposition.relation != 'away from')
            and not _is_grip(tokens, segment, frame)]


def _with_place(
    tokens: list[Token], waiting: list[list[Segment]], group: list[Segment], frame: Frame,
) -> Arguments:
    candidates = _candidates(tokens, group, frame)
    best = _best(tokens, group, candidates, frame)
    before = tuple(_span(tokens, other, len(other), frame) for other in waiting)
    splits = [_split(tokens, group, at, frame) for at in [best, *candidates] if at == best
              or _head(tokens, group, frame)]
    objects, places = splits[0]
    other = [split for split in dict.fromkeys(splits[1:]) if split != splits[0]
             and not (group[0].kind == 'noun' and is_pronoun(tokens, group[0]))]
    rest = _others(tokens, group, best, frame)
    return replace(
        rest, objects=before + objects, places=places,
        other_splits=tuple((before + first, second) for first, second in other))


def _split(
    tokens: list[Token], group: list[Segment], at: int, frame: Frame,
) -> tuple[tuple[Span, ...], tuple[Phrase, ...]]:
    """Objects and places when the segment `at` says the place."""
    place, end = group[at], len(group)
    noun_after = next((row for row in range(at + 1, len(group)) if group[row].kind == 'noun'), end)
    if not _head(tokens, group[:at], frame) and noun_after < end:  # 'put on the tray the mug'
        objects = (_span(tokens, group[noun_after:], len(group) - noun_after, frame),)
        end = noun_after
    else:
        cut_at = min([at, *_sources(group, frame), *_tools(tokens, group, frame)])
        objects = (_span(tokens, group, cut_at, frame),) if _head(
            tokens, group[:cut_at], frame) else ()
    last = [*(row for row in (*_sources(group, frame), *_tools(tokens, group, frame)) if row > at),
            end]
    whole = _trimmed(tokens, group[at:min(last)], frame)
    relation = place.preposition.relation
    if len(place.nouns) > 1:
        return objects, tuple(Phrase(span, relation) for span in place.nouns)
    return objects, (Phrase((place.nouns[0][0], whole[-1].end), relation),)


def _best(tokens: list[Token], group: list[Segment], candidates: list[int], frame: Frame) -> int:
    if group[0].kind == 'noun' and is_pronoun(tokens, group[0]):
        return candidates[0]  # nothing describes 'it'
    ranks = {at: _rank(tokens, group[at], frame) for at in candidates}
    top = max(ranks.values())
    tied = [at for at in candidates if ranks[at] == top]
    first, last = group[tied[0]].preposition, group[tied[-1]].preposition
    # 'the apple on the towel in the box' is on the towel, 'the vial in the rack on the tray' goes
    # into that rack; of two that say a way, the last says its end.
    later = first.kind is Kind.TOWARDS or (first.relation, last.relation) == ('on', 'in')
    return tied[-1] if later else tied[0]


def _rank(tokens: list[Token], segment: Segment, frame: Frame) -> float:
    kind = segment.preposition.kind
    rank = 2.5 if kind is Kind.SIDE and frame.travels else _RANK[kind]
    first, last = segment.nouns[0]
    words = [token.lower for token in tokens[first:last]]
    if kind is Kind.TOWARDS or 'of' in words:
        return rank
    return rank - (1.1 if words[-1] in _GROUNDS else 0.5 if words[-1] in _FURNITURE else 0.0)


def _without_place(
    tokens: list[Token], groups: list[list[Segment]], frame: Frame,
) -> Arguments:
    last = groups[-1]
    rest = _others(tokens, last, None, frame)
    nouns = [at for at, segment in enumerate(last) if segment.kind == 'noun']
    if frame.action is Action.HAND and not rest.recipients and len(nouns) > 1:
        # 'give the man at the door the hammer'
        start = nouns[1]
        recipients = ((last[0].start, last[start].start),)
        cut_at = _cut_at(tokens, last, frame)
        return replace(rest, objects=(_span(tokens, last[start:], cut_at - start, frame),),
                       recipients=recipients)
    if frame.action is Action.HAND and len(groups) > 1 and len(groups[0]) > 1 \
            and groups[0][0].kind == groups[0][1].kind == 'noun':
        first = groups[0]
        rest = replace(rest, recipients=((first[0].start, first[0].end),))
        groups = [first[1:], *groups[1:]]
    objects = [_span(tokens, group, len(group), frame) for group in groups[:-1]]
    cut_at = _cut_at(tokens, last, frame)
    if _head(tokens, last[:cut_at], frame):
        objects.append(_span(tokens, last, cut_at, frame))
    return replace(rest, objects=tuple(objects))


def _cut_at(tokens: list[Token], group: list[Segment], frame: Frame) -> int:
    """The first segment that is no part of the object, when there is no place."""
    ends = [*_sources(group, frame), *_tools(tokens, group, frame), *_grips(tokens, group, frame),
            *_recipients(group, frame), *_ways(tokens, group, frame), len(group)]
    return min(ends)


def _others(
    tokens: list[Token], group: list[Segment], place: int | None, frame: Frame,
) -> Arguments:
    """All but objects and places."""
    starts = sorted({*_sources(group, frame), *_tools(tokens, group, frame),
                     *_grips(tokens, group, frame), *_recipients(group, frame),
                     *_ways(tokens, group, frame), *([] if place is None else [place]), len(group)})

    def phrase(at: int) -> Span:
        end = next(start for start in starts if start > at)
        return group[at].nouns[0][0], _trimmed(tokens, group[at:end], frame)[-1].end

    ways = _ways(tokens, group, frame) if place is None else []
    where = (group[ways[0]].start, group[ways[0]].end) if ways else None
    if place is None and where is None:
        where = _adverb(tokens, group, frame)
    return Arguments(
        sources=tuple(Phrase(phrase(at), group[at].preposition.relation)
                      for at in _sources(group, frame)[:1]),
        recipients=tuple(phrase(at) for at in _recipients(group, frame)),
        tools=tuple(phrase(at) for at in _tools(tokens, group, frame)[:1]),
        grips=tuple(phrase(at) for at in _grips(tokens, group, frame)), where=where)


def _adverb(tokens: list[Token], group: list[Segment], frame: Frame) -> Span | None:
    if frame.action not in (Action.PLACE, Action.HAND, Action.PICK) and frame.goal is Goal.NONE:
        return None
    for segment in group:
        if segment.kind == 'adverb' and tokens[segment.end - 1].lower in _WHERE and (
                frame.action is not Action.PICK or tokens[segment.end - 1].lower == 'away'):
            return segment.start, segment.end
    return None


def _sources(group: list[Segment], frame: Frame) -> list[int]:
    if frame.action in (Action.POINT, Action.REFER, Action.GO):
        return []
    return [at for at, segment in enumerate(group) if at and segment.kind == 'preposition'
            and not segment.direction and (
                segment.preposition.kind is Kind.SOURCE
                or segment.preposition.relation == 'away from' and frame.goal is Goal.TO)][:1]


def _tools(tokens: list[Token], group: list[Segment], frame: Frame) -> list[int]:
    found = []
    for at, segment in enumerate(group):
        if not at or segment.kind != 'preposition' or segment.preposition.relation != 'with':
            continue
        using = tokens[segment.start].lower == 'using'
        words = [token.lower for token in tokens[segment.nouns[0][0]:segment.end]]
        part = tokens[segment.start].lower != 'with' or words[-1] in _PARTS and (
            words[0] == 'a' or any(word in COLOURS for word in words))
        if using or is_body(words) or frame.tool and not part:
            found.append(at)
    return found[:1]


def _is_grip(tokens: list[Token], segment: Segment, frame: Frame) -> bool:
    return frame.action is Action.PICK and segment.kind == 'preposition' \
        and tokens[segment.start].lower == 'by' and tokens[segment.end - 1].lower in _GRIPS


def _grips(tokens: list[Token], group: list[Segment], frame: Frame) -> list[int]:
    return [at for at, segment in enumerate(group) if at and _is_grip(tokens, segment, frame)]


def _recipients(group: list[Segment], frame: Frame) -> list[int]:
    if frame.action is not Action.HAND:
        return []
    return [at for at, segment in enumerate(group) if at and segment.kind == 'preposition'
            and segment.preposition.kind is Kind.TOWARDS and not segment.direction][-1:]


def _ways(tokens: list[Token], group: list[Segment], frame: Frame) -> list[int]:
    """The last segment, where it says a way and no object: 'move the mug | to the left'."""
    turns = frame.verb in _TURNS
    if not (turns or frame.goal in (Goal.NEEDED, Goal.OPTIONAL, Goal.PUSHED)) or not group:
        return []
    last = group[-1]
    if last.kind == 'clause' and tokens[last.start].lower == 'where':
        return [len(group) - 1]
    if last.kind != 'preposition' or not last.direction or len(group) < 2:
        return []
    kind = last.preposition.kind
    person = tokens[last.nouns[0][0]].lower in PEOPLE and kind > Kind.SOURCE
    way = kind is Kind.TOWARDS or frame.goal is Goal.NEEDED and (kind is Kind.INSIDE or person)
    return [len(group) - 1] if way else []


def _head(tokens: list[Token], group: list[Segment], frame: Frame) -> bool:
    """Whether a noun phrase begins the group."""
    return bool(group) and group[0].kind in ('noun',) or (
        frame.action in (Action.REFER, Action.POINT, Action.HAND) and bool(group)
        and group[0].kind != 'adverb')


def _span(tokens: list[Token], group: list[Segment], end: int, frame: Frame) -> Span:
    kept = _trimmed(tokens, group[:end], frame) or group[:1]
    start = kept[0].start
    return start, kept[-1].end


def _trimmed(tokens: list[Token], group: list[Segment], frame: Frame) -> list[Segment]:
    """Without adverbs at its end; 'there' stays where it tells which one is meant."""
    kept = list(group)
    if frame.action in (Action.OTHER, Action.PLACE) and kept and kept[-1].kind == 'clause' \
            and tokens[kept[-1].start].lower == 'to':  # 'press the button | to ring the bell'
        kept.pop()
    moved = frame.goal in (Goal.NEEDED, Goal.OPTIONAL, Goal.PUSHED)
    tells = frame.action in (Action.PICK, Action.POINT, Action.REFER, Action.OTHER) and not moved
    while len(kept) > 1 and kept[-1].kind == 'adverb':
        word = tokens[kept[-1].end - 1].lower
        described = kept[-2].kind != 'noun' or kept[-2].end - kept[-2].start > 1
        deictic = tells and described and (
            word == 'there' or word == 'here' and frame.goal is Goal.NONE)
        if deictic or frame.action is Action.REFER and word in _WHERE:
            break
        kept.pop()
    return kept
