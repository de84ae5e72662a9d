"""A clause that begins with a verb: 'pick up ...', 'go to ...', 'use the cloth to ...'."""

from dataclasses import replace

from refdiff_ros.language.instruction.arguments import Arguments, Phrase, read_arguments
from refdiff_ros.language.instruction.frames import Frame, FRAMES
from refdiff_ros.language.instruction.naming import read_name
from refdiff_ros.language.instruction.openings import Mood, Opening
from refdiff_ros.language.instruction.prepositions import Kind
from refdiff_ros.language.instruction.results import Action, Role
from refdiff_ros.language.instruction.segments import cut
from refdiff_ros.language.instruction.sentence import Sentence
from refdiff_ros.language.instruction.step import as_reading, ClauseReading, no_object, reference
from refdiff_ros.language.instruction.verbs import Verb, verb_at

# Verbs that say nothing of an object, whatever stands after them: 'do it again'.
_LIGHT = frozenset('do try repeat say be think know understand make listen hear'.split())
_VISITED = frozenset('approach go head navigate proceed walk'.split())  # 'walk the line'
_TURNING = frozenset('turn slide roll'.split())
_LEFT_AS_IT_IS = (('where', 'it'), ('as', 'it'), ('where', 'they'), ('as', 'they'))


def read_command(
    sentence: Sentence, row: int, verb: Verb, negated: bool, end: int,
) -> ClauseReading:
    """Read the rows from the verb at `row` to `end`."""
    start, lower = verb.end, sentence.lower
    if verb.frame.verb == 'use':
        used = _used(sentence, start, negated, end)
        if used is not None:
            return used
    frame, negated, end = _without_complement(sentence, verb.frame, negated, end)
    frame = _going(sentence, frame, start, end)
    if frame.action is Action.GO:
        return _way(sentence, frame, start, end, negated)
    if frame.action is Action.POINT and lower[start:start + 1] in (('me',), ('us',)):
        start += 1
    if frame.action is Action.POINT and start < end and lower[start] in ('where', 'which', 'what'):
        return read_name(sentence, Opening(start + 1, Mood.WHERE, negated), end)
    if frame.verb in _LIGHT:
        return no_object()
    found = read_arguments(sentence, start, end, frame)
    if frame.action is Action.PLACE and start > row + 1:  # 'put down the egg'
        found = tuple(one if one.places or one.where else replace(one, where=(row + 1, start))
                      for one in found)
    return as_reading(sentence, found, frame, negated, verb.known)


def _without_complement(
    sentence: Sentence, frame: Frame, negated: bool, end: int,
) -> tuple[Frame, bool, int]:
    """The frame, whether it is forbidden, and the end, for 'let it go' and 'leave it alone'."""
    lower = sentence.lower
    if frame.verb == 'let' and lower[end - 1] == 'go':
        return FRAMES['release'], negated, end - 1
    if frame.verb == 'leave' and lower[end - 1] in ('alone', 'be'):
        return frame, True, end - 1
    if frame.verb == 'leave' and lower[end - 3:end - 1] in _LEFT_AS_IT_IS:
        return frame, True, end - 3
    return frame, negated, end


def _used(sentence: Sentence, start: int, negated: bool, end: int) -> ClauseReading | None:
    """'use the sponge to wipe the table' wipes the table, with the sponge."""
    for to in range(start + 1, end - 1):
        verb = verb_at(sentence, to + 1, end) if sentence.lower[to] == 'to' else None
        if verb is not None:
            reading = read_command(sentence, to + 1, verb, negated, end)
            tool = reference(sentence, Role.TOOL, (start, to))
            return replace(reading, steps=tuple(
                replace(step, references=(*step.references, tool)) for step in reading.steps))
    return None


def _going(sentence: Sentence, frame: Frame, start: int, end: int) -> Frame:
    """The frame of 'go' where a verb has no object: 'move to the window', 'turn left'."""
    if not frame.goes or frame.action is Action.GO:
        return frame
    if start >= end:
        return FRAMES['go'] if frame.verb in _TURNING else frame
    segments = cut(sentence, start, end)
    first = segments[0]
    way = first.kind == 'adverb' or sentence.lower[start] in (
        'left', 'right', 'straight', 'home', 'around')
    to = first.kind == 'preposition' and not first.direction and not any(
        segment.kind == 'noun' for segment in segments)
    return replace(FRAMES['go'], verb=frame.verb) if way or to else frame


def _way(sentence: Sentence, frame: Frame, start: int, end: int, negated: bool) -> ClauseReading:
    """'go to the chair': its place is where the robot goes."""
    segments = cut(sentence, start, end)
    first = next((segment for segment in segments if segment.kind != 'adverb'), None)
    if first is None:
        return no_object()
    if first.kind == 'preposition' and not first.direction and (
            first.preposition.kind > Kind.SOURCE):
        places = tuple(Phrase((nouns[0], nouns[1] if len(first.nouns) > 1 else end),
                              first.preposition.relation) for nouns in first.nouns)
    elif first.kind == 'noun' and frame.verb in _VISITED:
        places = (Phrase((first.start, end), 'to'),)
    else:
        return no_object()
    return as_reading(sentence, (Arguments(places=places),), frame, negated)
