"""What should be, said of the object: 'the mug goes on the tray', 'could the mug be moved'."""

from dataclasses import replace

from refdiff_ros.language.instruction.arguments import Arguments, read_arguments
from refdiff_ros.language.instruction.frames import Frame, frame_of, FRAMES
from refdiff_ros.language.instruction.prepositions import preposition_at
from refdiff_ros.language.instruction.sentence import Sentence, Span
from refdiff_ros.language.instruction.step import as_reading, ClauseReading, NAMED
from refdiff_ros.language.instruction.verbs import verb_at
from refdiff_ros.language.words import DETERMINERS

_MODALS = frozenset('goes go belongs belong should must needs need has have ought wants'.split())
_ASKING = frozenset('can could should may would will'.split())
_TO_BE = frozenset('to be go stay end up being sit stand not never'.split())
_RELATIVES = frozenset('that which who'.split())
# In the base form; the participles of other verbs are too like them.
_FIRST_OBJECTS = frozenset('put place bring drop'.split())
_NOT_OBJECTS = frozenset(
    'to that which who is are was were be been being has have had and or of with you i'.split())
_GOING = frozenset('goes go belongs belong comes'.split())
_STAYING = frozenset('stays stay remains remain'.split())
_AS_IT_IS = frozenset('there here where it is they are put as alone untouched'.split())


def read_statement(
    sentence: Sentence, row: int, end: int, negated: bool,
) -> ClauseReading | None:
    """'the mug goes on the tray', 'the door should be closed'; None where it is none."""
    lower = sentence.lower
    other = (_nobody(sentence, row, end) or _object_first(sentence, row, end, negated)
             or _inverted(sentence, row, end, negated) or _staying(sentence, row, end))
    if other is not None:
        return other
    if lower[row] in _ASKING and lower[row + 1:row + 2] and lower[row + 1] in DETERMINERS:
        row += 1  # 'can that cup go in the sink'
    modal = next((at for at in range(row + 1, end - 1) if lower[at] in _MODALS
                  and lower[at - 1] not in _RELATIVES), None)
    if modal is None:
        return None
    after = modal + 1
    while after < end and lower[after] in _TO_BE and not _says_place(sentence, after, end):
        negated = negated or lower[after] in ('not', 'never')
        after += 1
    frame = frame_of(lower[after]) if after < end else None
    if frame is None and after < end and preposition_at(lower, after, end) is None \
            and lower[after] not in ('back', 'here', 'there'):
        return None
    active = _active(sentence, row, modal, end, negated)
    if active is not None:
        return active
    rest = (after, end) if frame is None else (after + 1, end)
    passive = moved(sentence, (row, modal), rest, frame or FRAMES['put'])
    if not passive.objects or frame is None and not passive.places:
        return None  # 'it should be near the left' tells where it is
    return as_reading(sentence, (passive,), frame or FRAMES['put'], negated)


def _staying(sentence: Sentence, row: int, end: int) -> ClauseReading | None:
    """'the mug stays there'; None for other sentences."""
    lower = sentence.lower
    staying = next((at for at in range(row + 1, end) if lower[at] in _STAYING), None)
    if lower[row] not in DETERMINERS or staying is None or any(
            word not in _AS_IT_IS for word in lower[staying + 1:end]):
        return None
    found = read_arguments(sentence, row, staying, NAMED)
    return as_reading(sentence, found, NAMED, negated=True)


def _nobody(sentence: Sentence, row: int, end: int) -> ClauseReading | None:
    """'nobody touches the mug', 'no one moves it'; None for other sentences."""
    lower = sentence.lower
    verb = row + 1 + (lower[row] == 'no')
    if lower[row] not in ('nobody', 'noone') and lower[row:row + 2] != ('no', 'one') \
            or verb + 1 >= end:
        return None
    frame = frame_of(lower[verb])
    if frame is None:
        return None
    found = read_arguments(sentence, verb + 1, end, frame)
    return as_reading(sentence, found, frame, negated=True)


def _object_first(
    sentence: Sentence, row: int, end: int, negated: bool,
) -> ClauseReading | None:
    """'the spoon put in the cup', as those say whose language has the verb last."""
    lower = sentence.lower
    verb = next((at for at in range(row + 2, end - 1) if lower[at] in _FIRST_OBJECTS), None)
    if verb is None or lower[row] not in DETERMINERS or lower[verb - 1] in _NOT_OBJECTS \
            or preposition_at(lower, verb + 1, end) is None:
        return None
    found = moved(sentence, (row, verb), (verb + 1, end), FRAMES[lower[verb]])
    if not found.objects or not found.places:
        return None
    note = f'{sentence.said((row, end))!r} was read as an order to {lower[verb]} it there'
    return replace(as_reading(sentence, (found,), FRAMES[lower[verb]], negated), note=note)


def _inverted(
    sentence: Sentence, row: int, end: int, negated: bool,
) -> ClauseReading | None:
    """'on the tray goes the mug'; None for other sentences."""
    lower = sentence.lower
    goes = next((at for at in range(row + 2, end - 1) if lower[at] in _GOING), None)
    if goes is None or lower[goes - 1] in _RELATIVES or lower[goes + 1] not in DETERMINERS \
            or preposition_at(lower, row, goes) is None:
        return None
    found = moved(sentence, (goes + 1, end), (row, goes), FRAMES['put'])
    return as_reading(sentence, (found,), FRAMES['put'], negated) if found.places else None


def _says_place(sentence: Sentence, row: int, end: int) -> bool:
    """Whether 'to' begins a place ('to the left of') and no verb ('to be moved', 'to go')."""
    following = sentence.lower[row + 1] if row + 1 < end else ''
    return preposition_at(sentence.lower, row, end) is not None and (
        following != 'be' and frame_of(following) is None)


def _active(
    sentence: Sentence, row: int, modal: int, end: int, negated: bool,
) -> ClauseReading | None:
    """'nobody should touch the mug', 'the robot must open the door'."""
    lower = sentence.lower
    verb = verb_at(sentence, modal + 1 + (lower[modal + 1] in ('not', 'to')), end)
    if verb is None or not verb.known or verb.end >= end or verb.frame.goes:
        return None
    negated = negated or lower[row] in ('nobody', 'no') or lower[modal + 1] == 'not'
    found = read_arguments(sentence, verb.end, end, verb.frame)
    return as_reading(sentence, found, verb.frame, negated)


def read_passive_question(
    sentence: Sentence, row: int, end: int, negated: bool,
) -> ClauseReading | None:
    """'could the mug be moved to the tray'; None where it is no such request."""
    lower = sentence.lower
    be = next((at for at in range(row + 2, end - 1) if lower[at] == 'be'), None)
    if be is None or lower[row] not in _ASKING:
        return None
    frame = frame_of(lower[be + 1])
    if frame is None:
        return None
    found = moved(sentence, (row + 1, be), (be + 2, end), frame)
    return as_reading(sentence, (found,), frame, negated)


def moved(sentence: Sentence, subject: Span, rest: Span, frame: Frame) -> Arguments:
    """The arguments of a verb whose object stands before it."""
    named = read_arguments(sentence, *subject, NAMED)
    after = read_arguments(sentence, *rest, frame)
    return replace(after[0] if after else Arguments(),
                   objects=named[0].objects if named else (), other_splits=())
