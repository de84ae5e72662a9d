"""From one clause to its steps, to what it forbids, or to why it names no object."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from refdiff_ros.instruction.arguments import Arguments, Phrase, read_arguments
from refdiff_ros.instruction.clauses import CONDITIONS
from refdiff_ros.instruction.frames import Frame, frame_of, FRAMES, Goal
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
from refdiff_ros.instruction.segments import cut, describes, is_body, PEOPLE, PRONOUNS, Span
from refdiff_ros.instruction.speech import Heard
from refdiff_ros.instruction.verbs import Verb, verb_at
from refdiff_ros.phrase import is_superlative, Token
from refdiff_ros.words import COLOURS, DETERMINERS, PREPOSITIONS, SIZES

_CHAT = frozenset(
    'help thanks thank hello hi hey bye goodbye yes no ok okay robot abort cancel undo repeat quit '
    'exit reset pause resume continue continues done ready sorry again faster slower good great '
    'nice perfect hold on well careful job work never mind that this is all for today morning evening you '
    'be so very much emergency start begin stop enough welcome right wrong done finished'.split())
# Verbs that say nothing of an object, whatever stands after them: 'do it again'.
_LIGHT = frozenset('do try repeat say be keep think know understand make listen hear'.split())
_NOT = frozenset(('not', 'never'))
_NOTHING = frozenset('nothing none neither nor nobody'.split())
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
    """What a clause says: steps, or what it forbids, or why it says nothing of an object; and what
    of it was not read."""

    steps: tuple[Step, ...] = ()
    forbidden: tuple[Reference, ...] = ()
    reason: NoObjectReason | None = None
    note: str = ''
    joined: bool = False
    frame: Frame | None = None

    def forbidding(self) -> 'ClauseReading':
        """The same clause where a 'not' that was said elsewhere is about it."""
        left_alone = [reference for step in self.steps for reference in (
            [one for one in step.references if one.role in THEMES] or step.references)]
        named = [reference for reference in left_alone if reference.said.lower() != 'nothing']
        return replace(self, steps=(), forbidden=(*self.forbidden, *named))


def read_clause(heard: Heard, tokens: list[Token], span: Span) -> ClauseReading:
    """Read the rows of one clause.

    A 'not' that no rule has read makes all that the clause names forbidden.
    """
    reading = _read(heard, tokens, span)
    start, end = span
    opened = read_opening([token.lower for token in tokens], start, end).end
    read = [reference.span for step in reading.steps for reference in step.references]
    unread = any(
        token.lower in _NOT and not any(
            first <= token.word.start < last for first, last in read)
        for token in tokens[opened:end])
    nothing = any(token.lower in _NOTHING for token in tokens[opened:end])
    if not reading.steps or not (unread or nothing):
        return reading
    if all(step.action is Action.REFER for step in reading.steps):  # 'the mug is not there'
        return ClauseReading(reason=NoObjectReason.NOT_MENTIONED)
    return reading.forbidding()


def _read(heard: Heard, tokens: list[Token], span: Span) -> ClauseReading:
    lower = [token.lower for token in tokens]
    start, end = span
    opening = read_opening(lower, start, end)
    if opening.mood is Mood.COMMAND and not opening.gerund:
        opening = _before_order(tokens, opening, start, end)
    row = opening.end
    if _is_condition(lower, start, end):
        return _condition(heard, tokens, start, end)
    denied = opening.mood is Mood.NAME and not opening.negated and row < end and (
        lower[row] in ('not', 'no'))  # 'that is not it', 'there is no mug'
    if opening.mood is Mood.QUESTION:
        return ClauseReading(reason=NoObjectReason.QUESTION)
    if row >= end or denied:
        return ClauseReading(reason=NoObjectReason.NOT_MENTIONED)
    if opening.mood is Mood.COMMAND:
        verb = verb_at(tokens, row, end, opening.gerund)
        if verb is not None:
            return _command(heard, tokens, row, verb, opening, end)
        passive = _passive_question(heard, tokens, row, end, opening.negated)
        if passive is not None:
            return passive
        if not opening.negated and is_question(lower, row, end):
            return ClauseReading(reason=NoObjectReason.QUESTION)
        stated = _statement(heard, tokens, row, end, opening.negated)
        if stated is not None:
            return stated
    return _noun_phrase(heard, tokens, opening, end)


def _is_condition(lower: list[str], start: int, end: int) -> bool:
    row = start + (lower[start] in ('only', 'but', 'and'))
    polite = lower[row + 1:row + 3] in (['you', 'see'], ['you', 'find'], ['you', 'can'])
    return row < end and lower[row] in CONDITIONS and not polite


def _condition(heard: Heard, tokens: list[Token], start: int, end: int) -> ClauseReading:
    """A condition is not read; what it is about may be 'it' in what comes after."""
    said = heard.text[tokens[start].word.start:tokens[end - 1].word.end]
    note = f'a condition was not read: {said!r}'
    lower = [token.lower for token in tokens]
    subject = next((at for at in range(start, end) if lower[at] in DETERMINERS), None)
    verb = next((at for at in range(start, end) if lower[at] in ('is', 'are')), None)
    if start or subject is None or verb is None or subject > verb:
        return ClauseReading(reason=NoObjectReason.NOT_MENTIONED, note=note)
    found = read_arguments(tokens, subject, verb, Frame('', Action.REFER))
    return replace(
        _as_reading(heard, tokens, found, Frame('', Action.REFER), True, False), note=note)


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
    if frame.verb == 'let' and lower[end - 1] == 'go':  # 'let it go'
        frame, end = FRAMES['release'], end - 1
    if frame.verb == 'leave' and lower[end - 1] in ('alone', 'be'):
        negated, end = True, end - 1
    if frame.verb == 'use':
        used = _used(heard, tokens, start, end, opening)
        if used is not None:
            return used
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
    if frame.action is Action.PLACE and start > row + 1:  # 'put down the egg'
        found = tuple(one if one.places or one.where else replace(one, where=(row + 1, start))
                      for one in found)
    return _as_reading(heard, tokens, found, frame, verb.known, negated)


def _used(
    heard: Heard, tokens: list[Token], start: int, end: int, opening: Opening,
) -> ClauseReading | None:
    """'use the sponge to wipe the table' wipes the table, with the sponge."""
    to = next((row for row in range(start + 1, end - 1) if tokens[row].lower == 'to'
               and verb_at(tokens, row + 1, end) is not None), None)
    if to is None:
        return None
    verb = verb_at(tokens, to + 1, end)
    reading = _command(heard, tokens, to + 1, verb, opening, end)
    tool = _reference(heard, tokens, Role.TOOL, (start, to), '')
    return replace(reading, steps=tuple(
        replace(step, references=(*step.references, tool)) for step in reading.steps))


def _going(tokens: list[Token], frame: Frame, start: int, end: int) -> tuple[Frame, int]:
    """The frame of 'go' where a verb has no object: 'move to the window', 'turn left'."""
    if not frame.goes or frame.action is Action.GO:
        return frame, start
    lower = [token.lower for token in tokens]
    if start >= end:
        return (FRAMES['go'] if frame.verb in ('turn', 'slide', 'roll') else frame), start
    first = cut(tokens, start, end)[0]
    way = first.kind == 'adverb' or lower[start] in ('left', 'right', 'straight', 'home', 'around')
    to = first.preposition is not None and not any(
        segment.kind == 'noun' for segment in cut(tokens, start, end)) and not first.direction
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
    modal = next((at for at in range(row + 1, end - 1) if lower[at] in _MODALS
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
    active = verb_at(tokens, modal + 1 + (lower[modal + 1] in ('not', 'to')), end)
    if active is not None and active.known and active.end < end and not active.frame.goes:  # 'nobody should touch the mug'
        negated = negated or lower[row] in ('nobody', 'no') or lower[modal + 1] == 'not'
        found = read_arguments(tokens, active.end, end, active.frame)
        return _as_reading(heard, tokens, found, active.frame, True, negated)
    subject = read_arguments(tokens, row, modal, Frame('', Action.REFER))
    rest = read_arguments(tokens, after, end, frame) if after < end else ()
    if not subject:
        return None
    found = replace(rest[0] if rest else Arguments(), objects=subject[0].objects, other_splits=())
    if frame is FRAMES['put'] and lower[after - 1] != 'put' and not found.places:  # 'it should be near the left' tells where it is
        return None
    return _as_reading(heard, tokens, (found,), frame, True, negated)


def _passive_question(
    heard: Heard, tokens: list[Token], row: int, end: int, negated: bool,
) -> ClauseReading | None:
    """'could the mug be moved to the tray'; None where it is no such request."""
    lower = [token.lower for token in tokens]
    if lower[row] not in ('can', 'could', 'should', 'may', 'would', 'will'):
        return None
    be = next((at for at in range(row + 2, end - 1) if lower[at] == 'be'), None)
    frame = None if be is None else frame_of(lower[be + 1])
    if frame is None:
        return None
    subject = read_arguments(tokens, row + 1, be, Frame('', Action.REFER))
    rest = read_arguments(tokens, be + 2, end, frame) if be + 2 < end else ()
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
    if action is Action.REFER:
        end = _before_state(tokens, row, end)
        place = _bare_place(tokens, row, end)
        if place is not None:
            return _as_reading(heard, tokens, (place,), Frame('', action), True, opening.negated)
    found = read_arguments(tokens, row, end, Frame('', action))
    return _as_reading(heard, tokens, found, Frame('', action), True, opening.negated)


def _bare_place(tokens: list[Token], row: int, end: int) -> Arguments | None:
    """'on the tray', said in answer to 'where?'; None for other phrases and for directions."""
    first = cut(tokens, row, end)[0]
    if first.kind != 'preposition' or first.direction or first.preposition.kind < Kind.SOURCE \
            or tokens[first.nouns[0][0]].lower in PEOPLE:
        return None
    relation = first.preposition.relation
    spans = first.nouns if len(first.nouns) > 1 else ((first.nouns[0][0], end),)
    phrases = tuple(Phrase(span, relation) for span in spans)
    if first.preposition.kind is Kind.SOURCE:
        return Arguments(sources=phrases)
    return Arguments(places=phrases)


def _before_state(tokens: list[Token], row: int, end: int) -> int:
    """The end of the subject of 'the light is too bright'; 'is on the table' tells which one."""
    lower = [token.lower for token in tokens]
    verb = next((at for at in range(row + 1, end) if lower[at] in ('is', 'are', 'was', 'were')
                 and lower[at - 1] not in _RELATIVES), None)
    if verb is None or preposition_at(lower, verb + 1, end) is not None:
        return end
    return verb


def _names_something(tokens: list[Token], row: int, end: int, opening: Opening) -> bool:
    """Whether the words may name an object: not 'faster', not 'good job'."""
    words = [token.lower for token in tokens[row:end]]
    if all(word in _CHAT for word in words) or words[0] in (
            'be', 'do', 'i', 'we', 'you', 'he', 'she', 'they') or words[:2] == ['it', 'is']:
        return False
    if ' '.join(words) in _PHRASE_PRONOUNS:
        return True
    first = tokens[row]
    following = words[1] if len(words) > 1 else ''
    if first.lower.endswith('ing') and first.pos == 'VERB' and (
            following in DETERMINERS | PREPOSITIONS):  # 'looking at the table, ...'
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
        one = replace(one, objects=objects, sources=tuple(
            source for source in one.sources if not _is_person(tokens, source.span)), tools=tuple(
            span for span in one.tools if not _is_body(tokens, span)))
        step = _step(heard, tokens, one, frame)
        # 'take the mug but leave the spoon'
        left_alone = frame.verb == 'leave' and not one.places and one.where is None
        if negated or left_alone:
            forbidden += [reference for reference in step.references
                          if reference.role in THEMES] or list(step.references)
        elif step.references and step.action in (Action.GO, Action.REFER) or any(
                step.of(role) for role in THEMES):
            steps.append(step)
    if steps or forbidden:
        return ClauseReading(tuple(steps), tuple(forbidden), frame=frame)
    if negated:
        return ClauseReading(reason=NoObjectReason.NOT_MENTIONED)
    return ClauseReading(reason=_why_not(tokens, found, frame, known, own_body), frame=frame)


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
    lower = [token.lower for token in tokens]
    end = next((row for row in range(span[0] + 1, span[1]) if tokens[row].comma
                or preposition_at(lower, row, span[1]) is not None), span[1])
    return is_body(lower[span[0]:end])


def _step(heard: Heard, tokens: list[Token], found: Arguments, frame: Frame) -> Step:
    action = _action(tokens, found, frame)
    theme = theme_of(action)

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


def theme_of(action: Action) -> Role:
    """The role of what an action is done to."""
    if action in (Action.PICK, Action.PLACE, Action.HAND):
        return Role.PICK
    return Role.POINT if action is Action.POINT else Role.OBJECT


def _action(tokens: list[Token], found: Arguments, frame: Frame) -> Action:
    if frame.action is Action.PICK and found.places:
        return Action.PLACE
    where = [] if found.where is None else [t.lower for t in tokens[slice(*found.where)]]
    to_person = bool(where) and where[-1] in ('me', 'us', 'him', 'her') and where[:-1] in (
        [], ['to'])
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
