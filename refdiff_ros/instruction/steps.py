"""From one clause to its steps, to what it forbids, or to why it names no object."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from refdiff_ros.instruction.arguments import Arguments, Phrase, read_arguments
from refdiff_ros.instruction.frames import frame_of, Frame, FRAMES, Goal
from refdiff_ros.instruction.openings import is_question, Mood, Opening, read_opening
from refdiff_ros.instruction.prepositions import Kind, preposition_at
from refdiff_ros.instruction.results import (
    Action,
    NoObjectReason,
    Reference,
    Role,
    Step,
    THEMES,
)
from refdiff_ros.instruction.segments import cut, describes, PEOPLE, PRONOUNS, Span
from refdiff_ros.instruction.speech import Heard
from refdiff_ros.instruction.verbs import Verb, verb_at
from refdiff_ros.phrase import is_superlative, Token
from refdiff_ros.words import COLOURS, DETERMINERS, SIZES

_BODY = frozenset(
    'gripper grippers arm arms hand hands wrist finger fingers elbow claw claws joint joints '
    'shoulder effector yourself'.split())
_OF_BODY = frozenset('the your both left right robot its a all'.split())
_CHAT = frozenset(
    'help thanks thank hello hi hey bye goodbye yes no ok okay robot abort cancel undo repeat quit '
    'exit reset pause resume continue continues done ready sorry again faster slower good great '
    'nice perfect well careful job work never mind that this is all for today morning evening you '
    'be so very much emergency start begin stop enough welcome right wrong done finished'.split())
# Verbs that say nothing of an object, whatever stands after them: 'do it again'.
_LIGHT = frozenset('do try repeat say be keep think know understand make listen hear'.split())
_MODALS = frozenset('goes go belongs belong should must needs need has have ought wants'.split())
_TO_BE = frozenset('to be go stay end up being sit stand not never'.split())
_RELATIVES = frozenset('that which who'.split())
_WHICH_ONES = frozenset('one ones'.split())
_PHRASE_PRONOUNS = frozenset((
    'this one', 'that one', 'these ones', 'those ones', 'the other one', 'the other', 'another one',
    'the same one', 'the other ones', 'the others', 'both of them', 'all of them', 'one of them',
    'the same', 'them all', 'another'))
_INNER = frozenset('it them'.split())


@dataclass(frozen=True)
class ClauseReading:
    """What a clause says: steps, or what it forbids, or why it says nothing of an object."""

    steps: tuple[Step, ...] = ()
    forbidden: tuple[Reference, ...] = ()
    reason: NoObjectReason | None = None


def read_clause(heard: Heard, tokens: list[Token], span: Span) -> ClauseReading:
    """Read the rows of one clause."""
    lower = [token.lower for token in tokens]
    start, end = span
    opening = read_opening(lower, start, end)
    if opening.mood is Mood.COMMAND and not opening.gerund:
        opening = _before_order(tokens, opening, start, end)
    row = opening.end
    if row >= end:
        return ClauseReading(reason=NoObjectReason.NOT_MENTIONED)
    if opening.mood is Mood.COMMAND:
        verb = verb_at(tokens, row, end, opening.gerund)
        if verb is not None:
            return _command(heard, tokens, row, verb, opening, end)
        if not opening.negated and is_question(lower, row, end):
            return ClauseReading(reason=NoObjectReason.QUESTION)
        stated = _statement(heard, tokens, row, end, opening.negated)
        if stated is not None:
            return stated
    return _noun_phrase(heard, tokens, opening, end)


def _before_order(tokens: list[Token], opening: Opening, start: int, end: int) -> Opening:
    """Without 'first', 'next' or 'robot' where a verb follows them."""
    row = opening.end
    while row + 1 < end and tokens[row].lower in (
            'first', 'next', 'finally', 'lastly', 'robot', 'afterwards', 'second') and (
            tokens[row + 1].comma or tokens[row + 1].lower in ('please', 'then', 'can', 'could')
            or verb_at(tokens, row + 1, end) is not None):
        further = read_opening([token.lower for token in tokens], row + 1, end)
        opening = replace(further, negated=opening.negated or further.negated,
                          said=opening.said or further.said)
        row = opening.end
    return opening


def _command(
    heard: Heard, tokens: list[Token], row: int, verb: Verb, opening: Opening, end: int,
) -> ClauseReading:
    frame, start = verb.frame, verb.end
    lower = [token.lower for token in tokens]
    negated = opening.negated
    if frame.verb == 'leave' and lower[end - 1] in ('alone', 'be'):
        negated, end = True, end - 1
    if frame.verb == 'leave' and tuple(lower[end - 3:end - 1]) in (
            ('where', 'it'), ('as', 'it'), ('where', 'they'), ('as', 'they')):
        negated, end = True, end - 3
    frame, start = _going(tokens, frame, start, end)
    if frame.action is Action.GO:
        return _way(heard, tokens, frame, start, end, negated)
    if frame.action is Action.POINT and lower[start:start + 1] in (['me'], ['us']):
        start += 1
    if frame.action is Action.POINT and start < end and lower[start] in ('where', 'which', 'what'):
        return _noun_phrase(heard, tokens, Opening(start + 1, Mood.WHERE, negated), end)
    if frame.verb in _LIGHT:
        return ClauseReading(reason=NoObjectReason.NOT_MENTIONED)
    found = read_arguments(tokens, start, end, frame) if start < end else ()
    return _as_reading(heard, tokens, found, frame, verb.known, negated)


def _going(tokens: list[Token], frame: Frame, start: int, end: int) -> tuple[Frame, int]:
    """The frame of 'go' where a verb has no object: 'move to the window', 'turn left'."""
    if not frame.goes or frame.action is Action.GO:
        return frame, start
    lower = [token.lower for token in tokens]
    if start >= end:
        return (FRAMES['go'] if frame.verb in ('turn', 'slide', 'roll') else frame), start
    first = cut(tokens, start, end)[0]
    way = first.kind == 'adverb' or lower[start] in ('left', 'right', 'straight', 'home', 'around')
    to = first.preposition is not None and first.preposition.relation in ('to', 'away from', 'in')
    return (replace(FRAMES['go'], verb=frame.verb) if way or to else frame), start


def _way(
    heard: Heard, tokens: list[Token], frame: Frame, start: int, end: int, negated: bool,
) -> ClauseReading:
    """'go to the chair': its place is where the robot goes."""
    segments = cut(tokens, start, end) if start < end else []
    while segments and segments[0].kind == 'adverb':
        segments = segments[1:]
    if not segments:
        return ClauseReading(reason=NoObjectReason.NOT_MENTIONED)
    first = segments[0]
    if first.kind == 'preposition' and not first.direction and (
            first.preposition.kind > Kind.SOURCE):
        places = tuple(Phrase((nouns[0], nouns[1] if len(first.nouns) > 1 else end),
                              first.preposition.relation) for nouns in first.nouns)
    elif first.kind == 'noun' and frame.verb in (
            'approach', 'go', 'head', 'navigate', 'proceed', 'walk'):
        places = (Phrase((first.start, end), 'to'),)
    else:
        return ClauseReading(reason=NoObjectReason.NOT_MENTIONED)
    return _as_reading(heard, tokens, (Arguments(places=places),), frame, True, negated)


def _statement(
    heard: Heard, tokens: list[Token], row: int, end: int, negated: bool,
) -> ClauseReading | None:
    """'the mug goes on the tray', 'the door should be closed'; None where it is none."""
    lower = [token.lower for token in tokens]
    modal = next((at for at in range(row + 1, end) if lower[at] in _MODALS
                  and lower[at - 1] not in _RELATIVES), None)
    if modal is None:
        return None
    after = modal + 1
    while after < end and lower[after] in _TO_BE:
        found = preposition_at(lower, after, end)  # 'to the left of', but no 'to be moved'
        if found is not None and lower[after + 1:after + 2] != ['be'] and (
                after + 1 >= end or frame_of(lower[after + 1]) is None):
            break
        negated = negated or lower[after] in ('not', 'never')
        after += 1
    frame = FRAMES['put']
    if after < end and frame_of(lower[after]) is not None:
        frame, after = frame_of(lower[after]), after + 1
    elif after < end and preposition_at(lower, after, end) is None and lower[after] not in (
            'back', 'here', 'there'):
        return None
    subject = read_arguments(tokens, row, modal, Frame('', Action.REFER))
    rest = read_arguments(tokens, after, end, frame) if after < end else ()
    if not subject:
        return None
    found = replace(rest[0] if rest else Arguments(), objects=subject[0].objects, other_splits=())
    return _as_reading(heard, tokens, (found,), frame, True, negated)


def _noun_phrase(
    heard: Heard, tokens: list[Token], opening: Opening, end: int,
) -> ClauseReading:
    """A noun phrase that is wanted, looked for, forbidden or only named."""
    row, mood = opening.end, opening.mood
    lower = [token.lower for token in tokens]
    if mood is Mood.WANT:
        moved = next((at for at in range(row + 1, end) if lower[at].endswith(('ed', 't'))
                      and lower[at - 1] not in DETERMINERS and frame_of(lower[at]) is not None
                      and frame_of(lower[at]).goal is Goal.NEEDED
                      and preposition_at(lower, at + 1, end) is not None), None)
        if moved is not None:  # 'I would like the mug moved to the plate'
            tail = read_arguments(tokens, moved + 1, end, frame_of(lower[moved]))[0]
            subject = read_arguments(tokens, row, moved, Frame('', Action.REFER))[0]
            found = replace(tail, objects=subject.objects, other_splits=())
            return _as_reading(heard, tokens, (found,), frame_of(lower[moved]), True, False)
    action = {Mood.WANT: Action.HAND, Mood.WHERE: Action.POINT}.get(mood, Action.REFER)
    while mood is Mood.WHERE and end > row + 1 and lower[end - 1] in (
            'is', 'are', 'was', 'were', 'at', 'located', 'kept', 'be'):
        end -= 1
    if action is Action.REFER and not opening.negated and not _names_something(
            tokens, row, end, opening):
        return ClauseReading(reason=NoObjectReason.NOT_MENTIONED)
    found = read_arguments(tokens, row, end, Frame('', action))
    return _as_reading(heard, tokens, found, Frame('', action), True, opening.negated)


def _names_something(tokens: list[Token], row: int, end: int, opening: Opening) -> bool:
    """Whether the words may name an object: not 'faster', not 'good job'."""
    words = [token.lower for token in tokens[row:end]]
    if all(word in _CHAT for word in words):
        return False
    telling = any(
        token.lower in COLOURS | SIZES | _WHICH_ONES or is_superlative(token.lower)
        or token.pos in ('', 'NOUN', 'PROPN', 'X') or token.lower in PRONOUNS
        for token in tokens[row:end])
    return telling or any(not describes(token) and token.pos in ('ADJ', 'VERB')
                          for token in tokens[row:end]) and words[0] in DETERMINERS


def _as_reading(
    heard: Heard, tokens: list[Token], found: Sequence[Arguments], frame: Frame, known: bool,
    negated: bool,
) -> ClauseReading:
    steps, forbidden = [], []
    own_body = False
    for one in found:
        kept = tuple(span for span in one.objects if not _is_person(tokens, span))
        objects = tuple(span for span in kept if not _is_body(tokens, span))
        own_body = own_body or len(objects) < len(kept)
        one = replace(one, objects=objects, tools=tuple(
            span for span in one.tools if not _is_body(tokens, span)))
        step = _step(heard, tokens, one, frame)
        if negated:
            forbidden += [reference for reference in step.references
                          if reference.role in THEMES] or list(step.references)
        elif step.of(Role.PLACE) and step.action is Action.GO or any(
                step.of(role) for role in THEMES):
            steps.append(step)
    if steps or forbidden:
        return ClauseReading(tuple(steps), tuple(forbidden))
    if negated:
        return ClauseReading(reason=NoObjectReason.NOT_MENTIONED)
    return ClauseReading(reason=_why_not(tokens, found, frame, known, own_body))


def _why_not(
    tokens: list[Token], found: Sequence[Arguments], frame: Frame, known: bool, own_body: bool,
) -> NoObjectReason:
    if own_body:
        return NoObjectReason.OWN_BODY
    person = any(_is_person(tokens, (row, row + 1)) for one in found for span in one.objects
                 for row in range(*span))
    if person and frame.action is Action.HAND:
        return NoObjectReason.MISSING
    if person or not known or frame.goes or not frame.verb or frame.action is Action.POINT:
        return NoObjectReason.NOT_MENTIONED
    return NoObjectReason.MISSING


def _is_person(tokens: list[Token], span: Span) -> bool:
    return span[1] == span[0] + 1 and tokens[span[0]].lower in PEOPLE


def _is_body(tokens: list[Token], span: Span) -> bool:
    words = [token.lower for token in tokens[slice(*span)]]
    return words[-1] in _BODY and all(word in _OF_BODY for word in words[:-1])


def _step(heard: Heard, tokens: list[Token], found: Arguments, frame: Frame) -> Step:
    action = _action(tokens, found, frame)
    theme = {Action.PICK: Role.PICK, Action.PLACE: Role.PICK, Action.HAND: Role.PICK,
             Action.POINT: Role.POINT}.get(action, Role.OBJECT)

    def references(
        objects: tuple[Span, ...], places: tuple[Phrase, ...],
    ) -> tuple[Reference, ...]:
        named = [(theme, span, '') for span in objects]
        named += [(Role.PLACE, place.span, place.relation) for place in places]
        named += [(Role.SOURCE, source.span, source.relation) for source in found.sources]
        for role, spans in ((Role.RECIPIENT, found.recipients), (Role.TOOL, found.tools),
                            (Role.GRIP, found.grips)):
            named += [(role, span, '') for span in spans]
        return tuple(_reference(heard, tokens, *one) for one in named)

    where = '' if found.where is None else heard.phrase(
        tuple(token.word for token in tokens[slice(*found.where)]))
    missing = frame.goal is Goal.NEEDED and not found.places and not where
    return Step(
        action, frame.verb, references(found.objects, found.places), where,
        (Role.PLACE,) if missing else (),
        tuple(references(*split) for split in found.other_splits))


def _action(tokens: list[Token], found: Arguments, frame: Frame) -> Action:
    if frame.action is Action.PICK and found.places:
        return Action.PLACE
    to_person = found.where is not None and any(
        token.lower in ('me', 'us', 'him', 'her') for token in tokens[slice(*found.where)])
    if to_person and (frame.goal is not Goal.NONE or frame.action is Action.PICK):
        return Action.HAND
    return Action.HAND if frame.verb == 'bring' and not found.places else frame.action


def _reference(
    heard: Heard, tokens: list[Token], role: Role, span: Span, relation: str,
) -> Reference:
    words = tuple(token.word for token in tokens[slice(*span)])
    lower = [word.lower for word in words]
    whole = len(lower) == 1 and lower[0] in PRONOUNS or ' '.join(lower) in _PHRASE_PRONOUNS
    inner = not whole and any(word in _INNER for word in lower[1:])
    start, end = words[0].start, words[-1].end
    return Reference(
        role, '' if whole else heard.phrase(words), heard.text[start:end], (start, end), relation,
        whole or inner)
