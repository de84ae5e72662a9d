"""From the phrases of one thing to do to a step, or to why there is none."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
import enum

from refdiff_ros.language.instruction.arguments import Arguments, Phrase
from refdiff_ros.language.instruction.closed_classes import is_body, PEOPLE, PRONOUNS
from refdiff_ros.language.instruction.frames import Frame, Goal
from refdiff_ros.language.instruction.prepositions import preposition_at
from refdiff_ros.language.instruction.results import (
    Action,
    NoObjectReason,
    Reference,
    Role,
    Step,
    THEMES,
)
from refdiff_ros.language.instruction.sentence import Sentence, Span

PRONOUN_PHRASES = frozenset((
    'this one', 'that one', 'these ones', 'those ones', 'the other one', 'the other', 'another',
    'another one', 'the same one', 'the other ones', 'the others', 'both of them', 'all of them',
    'one of them', 'the same', 'both', 'all', 'them all', 'them both'))
_INNER = frozenset('it them'.split())
# What has something on or in 'it' is itself meant: 'the plate with the apple on it'.
_HAVING = frozenset('with has have having had holding containing wearing carrying whose'.split())
_ARTICLES = frozenset('a an the my your his her its our their every'.split())
_HOLDERS = {'my': 'me', 'our': 'us', 'his': 'him', 'her': 'her', 'their': 'them'}
_HANDS = frozenset('hand hands palm palms lap'.split())
_GIVEN = frozenset(('me', 'us', 'him', 'her', 'them'))
_FETCHED = frozenset('get fetch bring retrieve'.split())
NAMED = Frame('', Action.REFER)


@dataclass(frozen=True)
class ClauseReading:
    """What a clause says.

    Attributes:
        steps: what to do.
        forbidden: what to leave alone.
        reason: why there is neither.
        note: what of it was not read, in a sentence.
        frame: that of its verb.
        incomplete: a step whose object was not said ('... and place on the tray').
        joined: whether 'and', 'then' or 'but' stands before it.
        opens_sentence: whether a full stop stands before it, or nothing.
        order: when its steps are done (`ordering.Order`); None: in the order said.
        denied: the steps that it forbids.
    """

    steps: tuple[Step, ...] = ()
    forbidden: tuple[Reference, ...] = ()
    reason: NoObjectReason | None = None
    note: str = ''
    frame: Frame | None = None
    incomplete: Step | None = None
    joined: bool = False
    opens_sentence: bool = False
    order: enum.Enum | None = None
    denied: tuple[Step, ...] = ()

    def forbidding(self) -> 'ClauseReading':
        """The same clause where a 'not' that was said elsewhere is about it."""
        left_alone = [reference for step in self.steps for reference in _themes(step)]
        named = [reference for reference in left_alone if reference.said.lower() != 'nothing']
        return replace(self, steps=(), forbidden=(*self.forbidden, *named), denied=self.steps)


def no_object(reason: NoObjectReason = NoObjectReason.NOT_MENTIONED) -> ClauseReading:
    """The reading of a clause without an object."""
    return ClauseReading(reason=reason)


def as_reading(
    sentence: Sentence, found: Sequence[Arguments], frame: Frame, negated: bool,
    known: bool = True,
) -> ClauseReading:
    """The reading of a clause with one verb.

    Args:
        sentence: the whole sentence.
        found: the phrases of each thing to do.
        frame: the verb's.
        negated: whether the clause forbids it.
        known: whether the verb is a listed one.
    """
    steps: list[Step] = []
    forbidden: list[Reference] = []
    denied: list[Step] = []
    incomplete = None
    for one in found:
        step = _step(sentence, _of_objects(sentence, one), frame)
        # 'take the mug but leave the spoon'
        left_alone = frame.verb == 'leave' and not one.places and one.where is None
        if negated or left_alone:
            forbidden += _themes(step)
            denied.append(step)
        elif step.references and step.action in (Action.GO, Action.REFER) or any(
                reference.role in THEMES for reference in step.references):
            steps.append(step)
        elif one.places:
            incomplete = step
    if steps or forbidden:
        return ClauseReading(
            tuple(steps), tuple(forbidden), frame=frame, denied=tuple(denied))
    return ClauseReading(
        reason=NoObjectReason.NOT_MENTIONED if negated else _why_not(
            sentence, found, frame, known), frame=None if negated else frame,
        incomplete=incomplete)


def _themes(step: Step) -> list[Reference]:
    return [one for one in step.references if one.role in THEMES] or list(step.references)


def _of_objects(sentence: Sentence, found: Arguments) -> Arguments:
    """The phrases without persons and the robot's own parts."""
    return replace(
        found,
        objects=tuple(span for span in found.objects if not (
            _is_person(sentence, span) or _is_body(sentence, span)
            or _is_article(sentence, span))),
        sources=tuple(one for one in found.sources if not _is_person(sentence, one.span)),
        tools=tuple(span for span in found.tools if not _is_body(sentence, span)))


def _why_not(
    sentence: Sentence, found: Sequence[Arguments], frame: Frame, known: bool,
) -> NoObjectReason:
    objects = [span for one in found for span in one.objects]
    if any(_is_body(sentence, span) for span in objects):
        return NoObjectReason.OWN_BODY
    person = any(_is_person(sentence, span) for span in objects)
    if person and frame.action is Action.HAND:
        return NoObjectReason.MISSING
    if person or not known or frame.goes or not frame.verb or frame.action is Action.POINT:
        return NoObjectReason.NOT_MENTIONED
    return NoObjectReason.MISSING


def _refers_back(words: Sequence[str]) -> bool:
    """Whether 'it' inside an expression is something else: not in 'the vase with roses in it'."""
    at = next((row for row in range(1, len(words)) if words[row] in _INNER), None)
    return at is not None and not any(word in _HAVING for word in words[:at])


def _is_person(sentence: Sentence, span: Span) -> bool:
    return span[1] == span[0] + 1 and sentence.lower[span[0]] in PEOPLE


def _is_article(sentence: Sentence, span: Span) -> bool:
    """Whether nothing is named: 'pick up the'."""
    return all(word in _ARTICLES for word in sentence.words(span))


def _is_body(sentence: Sentence, span: Span) -> bool:
    start, end = span
    of = next((row for row in range(start + 1, end - 1) if sentence.lower[row] == 'of'), None)
    if of is not None and sentence.lower[end - 1] != 'robot':
        return False  # 'the hand of the woman'
    last = next((row for row in range(start + 1, end) if sentence.tokens[row].comma
                 or preposition_at(sentence.lower, row, end) is not None), end)
    return is_body(sentence.words((start, last)))


def _step(sentence: Sentence, found: Arguments, frame: Frame) -> Step:
    action = _action(sentence, found, frame)
    where, receiver = _where(sentence, found, action)
    holder = next((word for place in found.places
                   if (word := _in_hand_of(sentence, place.span))), '')
    if holder:
        action, receiver, found = Action.HAND, holder, replace(found, places=(), other_splits=())
    missing = frame.goal is Goal.NEEDED and not (found.places or where or holder)

    def references(
        objects: tuple[Span, ...], places: tuple[Phrase, ...],
    ) -> tuple[Reference, ...]:
        named = [(theme_of(action), span, '') for span in objects]
        named += [(Role.PLACE, place.span, place.relation) for place in places]
        named += [(Role.SOURCE, source.span, source.relation) for source in found.sources]
        for role, spans in ((Role.RECIPIENT, found.recipients), (Role.TOOL, found.tools),
                            (Role.GRIP, found.grips)):
            named += [(role, span, '') for span in spans]
        return tuple(reference(sentence, *one) for one in named)

    return Step(
        action, frame.verb, references(found.objects, found.places), where,
        (Role.PLACE,) if missing else (),
        tuple(references(*split) for split in found.other_splits), receiver)


def _where(sentence: Sentence, found: Arguments, action: Action) -> tuple[str, str]:
    """Where something goes, as said, and the person who gets it."""
    if found.where is None:
        return '', ''
    words = sentence.words(found.where)
    if words[-1] in _GIVEN:  # 'gimme' holds its person
        return ' '.join(words), words[-1]
    here = words[-1] == 'here' and action is Action.HAND
    return sentence.meant(found.where), 'me' if here else ''


def _in_hand_of(sentence: Sentence, span: Span) -> str:
    """The person whose hand a place is: 'me' for 'my hand'; '' for another place."""
    words = sentence.words(span)
    return _HOLDERS.get(words[0], '') if words[-1] in _HANDS and len(words) < 4 else ''


def for_person(reading: ClauseReading, person: str) -> ClauseReading:
    """The reading where a person is told for whom it is done: 'get the mug | for me'."""
    steps = tuple(
        replace(step, receiver=step.receiver or person, action=Action.HAND if (
            step.verb in _FETCHED and not step.of(Role.PLACE)) else step.action)
        if step.action in (Action.PICK, Action.HAND) and not step.of(Role.RECIPIENT) else step
        for step in reading.steps)
    return replace(reading, steps=steps)


def theme_of(action: Action) -> Role:
    """The role of what an action is done to."""
    if action in (Action.PICK, Action.PLACE, Action.HAND):
        return Role.PICK
    return Role.POINT if action is Action.POINT else Role.OBJECT


def _action(sentence: Sentence, found: Arguments, frame: Frame) -> Action:
    if frame.action is Action.PICK and found.places:
        return Action.PLACE
    where = () if found.where is None else sentence.words(found.where)
    to_person = where[-1:] in (('me',), ('us',), ('him',), ('her',)) and where[:-1] in (
        (), ('to',))
    if to_person and (frame.goal is not Goal.NONE or frame.action is Action.PICK):
        return Action.HAND
    fetched = frame.verb == 'bring' or frame.action is Action.PICK and found.recipients
    return Action.HAND if fetched and not found.places else frame.action


def reference(sentence: Sentence, role: Role, span: Span, relation: str = '') -> Reference:
    """The reference of some rows."""
    words = sentence.words(span)
    whole = len(words) == 1 and words[0] in PRONOUNS or ' '.join(words) in PRONOUN_PHRASES
    inner = not whole and _refers_back(words)
    return Reference(
        role, '' if whole else sentence.meant(span), sentence.said(span),
        sentence.characters(span), relation, whole or inner)
