"""Which words after a verb name its object, and which the place, the source, the tool."""

from dataclasses import dataclass, replace

from refdiff_ros.language.instruction import roles
from refdiff_ros.language.instruction.attachment import best, candidates
from refdiff_ros.language.instruction.closed_classes import PEOPLE
from refdiff_ros.language.instruction.frames import Frame, Goal
from refdiff_ros.language.instruction.groups import groups
from refdiff_ros.language.instruction.results import Action
from refdiff_ros.language.instruction.roles import Group, trimmed
from refdiff_ros.language.instruction.segments import cut, is_pronoun, Segment
from refdiff_ros.language.instruction.sentence import Sentence, Span

_PAIRED = frozenset('both neither either'.split())
_TO = frozenset('to toward towards closer nearer'.split())


@dataclass(frozen=True)
class Phrase:
    """A noun phrase by its rows, and the relation of the preposition before it."""

    span: Span
    relation: str = ''


Split = tuple[tuple[Span, ...], tuple[Phrase, ...]]  # objects and places


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
    other_splits: tuple[Split, ...] = ()


def read_arguments(
    sentence: Sentence, start: int, end: int, frame: Frame,
) -> tuple[Arguments, ...]:
    """The arguments of a verb in the rows `start` to `end`, one entry for each thing to do.

    More than one only where the verb is said once for several places: 'put the apple in the bowl
    and the pear in the basket'.
    """
    if start >= end:
        return ()
    if sentence.lower[start] in _PAIRED and sentence.lower[start + 1:start + 2] != ('of',) \
            and start + 1 < end:
        start += 1
    person, segments = _person(sentence, cut(sentence, start, end), frame)
    found: list[Arguments] = []
    waiting: list[Group] = []
    for group in groups(sentence, segments):
        if candidates(sentence, group, frame):
            found.append(_with_place(sentence, waiting, group, frame))
            waiting = []
        else:
            waiting.append(group)
    if waiting and found:  # 'put it between the fork and ...', 'on the tray and the plate'
        relation = found[-1].places[-1].relation
        more = tuple(Phrase(_span(sentence, group, frame), relation) for group in waiting)
        found[-1] = replace(found[-1], places=found[-1].places + more)
    elif waiting:
        found.append(_without_place(sentence, waiting, frame))
    if person is not None:
        found = [replace(one, where=one.where or person) for one in found]
    return tuple(found)


def _person(
    sentence: Sentence, segments: list[Segment], frame: Frame,
) -> tuple[Span | None, list[Segment]]:
    """'me' in 'hand me the cup' or 'bring it to me', and the other segments."""
    given = frame.action is Action.HAND or frame.verb == 'show' or (
        frame.goal in (Goal.TO, Goal.OPTIONAL, Goal.NEEDED))
    for at, segment in enumerate(segments):
        first = segment.nouns[0][0] if segment.nouns else segment.start
        to = segment.kind == 'preposition' and sentence.lower[segment.start] in _TO and (
            given and not _says_near(sentence, segments[:at]))  # 'the closest cup to me'
        indirect = at == 0 and [one.kind for one in segments[:2]] == ['noun', 'noun']
        someone = sentence.lower[first] in PEOPLE | ({'them'} if indirect else set())
        if someone and segment.end == first + 1 and (indirect or to):
            return (segment.start, segment.end), segments[:at] + segments[at + 1:]
    return None, segments


def _says_near(sentence: Sentence, segments: list[Segment]) -> bool:
    return any(word in roles.NEAR for segment in segments
               for word in sentence.words((segment.start, segment.end)))


def _with_place(
    sentence: Sentence, waiting: list[Group], group: Group, frame: Frame,
) -> Arguments:
    among = candidates(sentence, group, frame)
    chosen = best(sentence, group, among, frame)
    before = tuple(_span(sentence, other, frame) for other in waiting)
    split = _split(sentence, group, chosen, frame)
    others: list[Split] = []
    if _begins_with_noun(group, frame) and not is_pronoun(sentence, group[0]):
        others = [other for other in (_split(sentence, group, at, frame) for at in among)
                  if other != split]
    objects, places = split
    return replace(
        _others(sentence, group, chosen, frame), objects=before + objects, places=places,
        other_splits=tuple((before + first, second) for first, second in others))


def _split(sentence: Sentence, group: Group, at: int, frame: Frame) -> Split:
    """Objects and places when the segment `at` says the place."""
    end = len(group)
    objects: tuple[Span, ...] = ()
    marks = [*roles.sources(group, frame), *roles.tools(sentence, group, frame)]
    noun_after = next((row for row in range(at + 1, end) if group[row].kind == 'noun'), end)
    if not _begins_with_noun(group[:at], frame) and noun_after < end:  # 'put on the tray the mug'
        objects = (_span(sentence, group[noun_after:], frame),)
        end = noun_after
    else:
        before = group[:min([at, *marks, *roles.passing(sentence, group, frame)])]
        before = before[:1] if before and is_pronoun(sentence, before[0]) else before
        if _begins_with_noun(before, frame):
            objects = (_span(sentence, before, frame),)
    end = min([end, *(row for row in marks if row > at)])
    return objects, _places(sentence, group[at:end], frame)


def _places(sentence: Sentence, group: Group, frame: Frame) -> tuple[Phrase, ...]:
    """The place that a group begins with, and those joined to it: 'behind it and against ...'."""
    first = group[0]
    relation = first.preposition.relation
    if len(first.nouns) > 1:
        return tuple(Phrase(span, relation) for span in first.nouns)
    joined = next((at for at in range(1, len(group)) if group[at].kind == 'preposition' and (
        group[at - 1].kind == 'and' or sentence.tokens[group[at].start].comma)), len(group))
    end = joined - (group[joined - 1].kind == 'and')
    found = (Phrase((first.nouns[0][0], trimmed(sentence, group[:end], frame)[-1].end), relation),)
    return found if joined == len(group) else (
        *found, *_places(sentence, group[joined:], frame))


def _without_place(sentence: Sentence, found: list[Group], frame: Frame) -> Arguments:
    last = found[-1]
    rest = _others(sentence, last, None, frame)
    end = min([*_marks(sentence, last, frame), len(last)])
    nouns = [at for at, segment in enumerate(last) if segment.kind == 'noun']
    if frame.action is Action.HAND and not rest.recipients and len(nouns) > 1:
        start = nouns[1]  # 'give the man at the door | the hammer'
        return replace(rest, objects=(_span(sentence, last[start:max(end, start + 1)], frame),),
                       recipients=((last[0].start, last[start].start),))
    if frame.action is Action.HAND and len(found) > 1 and [
            segment.kind for segment in found[0][:2]] == ['noun', 'noun']:
        first = found[0]  # 'give the man | the hammer and the nail'
        rest = replace(rest, recipients=((first[0].start, first[0].end),))
        found = [first[1:], *found[1:]]
    objects = [_span(sentence, group, frame) for group in found[:-1]]
    if _begins_with_noun(last[:end], frame):
        objects.append(_span(sentence, last[:end], frame))
    return replace(rest, objects=tuple(objects))


def _marks(sentence: Sentence, group: Group, frame: Frame) -> list[int]:
    """The segments that are no part of the object, besides the place."""
    return [*roles.sources(group, frame), *roles.tools(sentence, group, frame),
            *roles.grips(sentence, group, frame), *roles.recipients(sentence, group, frame),
            *roles.ways(sentence, group, frame), *roles.passing(sentence, group, frame)]


def _others(sentence: Sentence, group: Group, place: int | None, frame: Frame) -> Arguments:
    """All but objects and places."""
    starts = [*_marks(sentence, group, frame), *([] if place is None else [place]), len(group)]

    def phrase(at: int) -> Span:
        end = min(start for start in starts if start > at)
        return group[at].nouns[0][0], trimmed(sentence, group[at:end], frame)[-1].end

    where = None
    if place is None:
        ways = roles.ways(sentence, group, frame)
        where = (group[ways[0]].start, group[ways[0]].end) if ways else roles.adverb(
            sentence, group, frame)
    return Arguments(
        sources=tuple(Phrase(phrase(at), group[at].preposition.relation)
                      for at in roles.sources(group, frame)),
        recipients=tuple(phrase(at) for at in roles.recipients(sentence, group, frame)),
        tools=tuple(phrase(at) for at in roles.tools(sentence, group, frame)),
        grips=tuple(phrase(at) for at in roles.grips(sentence, group, frame)), where=where)


def _begins_with_noun(group: Group, frame: Frame) -> bool:
    """Whether the group begins with its object; a name may also begin otherwise ('of the two')."""
    named = frame.action in (Action.REFER, Action.POINT, Action.HAND)
    return bool(group) and (
        group[0].kind == 'noun' or named and group[0].kind != 'adverb')


def _span(sentence: Sentence, group: Group, frame: Frame) -> Span:
    kept = trimmed(sentence, group, frame) or group[:1]
    return kept[0].start, kept[-1].end
