"""What an instruction says: steps, and in each the objects with the parts that they play."""

from dataclasses import dataclass
import enum
import math

from refdiff_ros.errors import BadRequestError


class Action(str, enum.Enum):
    """What is to be done, as far as its objects are concerned.

    PICK takes hold of something; PLACE moves it somewhere; HAND gives it to somebody; POINT finds
    or shows it; GO is a way of the robot itself; OTHER does something else to it ('open', 'push':
    `Step.verb`); REFER names an object and nothing to do with it ('the red mug').
    """

    PICK = 'pick'
    PLACE = 'place'
    HAND = 'hand'
    POINT = 'point'
    GO = 'go'
    OTHER = 'other'
    REFER = 'refer'


class Role(str, enum.Enum):
    """The part that an object plays in a step.

    PICK is what the robot takes hold of, POINT what it finds, OBJECT what a step of another kind
    is done to; PLACE is where something goes or the robot itself goes, SOURCE where something is
    taken from, RECIPIENT who gets it, TOOL what it is done with, GRIP where it is held.
    """

    PICK = 'pick'
    POINT = 'point'
    OBJECT = 'object'
    PLACE = 'place'
    SOURCE = 'source'
    RECIPIENT = 'recipient'
    TOOL = 'tool'
    GRIP = 'grip'


class DialogueAct(str, enum.Enum):
    """What a text does in a conversation with the robot.

    ORDER asks for something, also to be shown where something is; NAME only names an object;
    ANSWER names one by what tells it apart, or a place ('the left one', 'yellow', 'on the tray'):
    it needs the question that it answers. NUMBER is an answer by number ('2', 'the second one':
    `Instruction.number`). YES, NO, STOP and RESUME are those words; FORBID says what is to be left
    alone and nothing else; QUESTION wants an answer in words; CHAT is all the rest ('thank you').
    A text that begins with a stop word is STOP even where an order follows.
    """

    ORDER = 'order'
    NAME = 'name'
    ANSWER = 'answer'
    NUMBER = 'number'
    YES = 'yes'
    NO = 'no'
    STOP = 'stop'
    RESUME = 'resume'
    FORBID = 'forbid'
    QUESTION = 'question'
    CHAT = 'chat'


class Quantity(str, enum.Enum):
    """How many objects of its name a reference means: one, both of two, or all of them."""

    ONE = 'one'
    BOTH = 'both'
    ALL = 'all'


THEMES = (Role.PICK, Role.POINT, Role.OBJECT)
_RELATED = (Role.PLACE, Role.SOURCE)


class NoObjectReason(str, enum.Enum):
    """Why an instruction has no object to be grounded.

    NOT_MENTIONED: nothing is named ('stop', 'thank you'); OWN_BODY: a part of the robot is
    ('open the gripper'); QUESTION: an answer in words is asked for ('what is this'); MISSING: the
    verb needs an object ('pick up'); FORBIDDEN: all that is named is to be left alone.
    """

    NOT_MENTIONED = 'not_mentioned'
    OWN_BODY = 'own_body'
    QUESTION = 'question'
    MISSING = 'missing'
    FORBIDDEN = 'forbidden'


@dataclass(frozen=True)
class NoObject:
    """Why there is nothing to ground, and a sentence for the person who gave the instruction."""

    reason: NoObjectReason
    sentence: str


@dataclass(frozen=True)
class Reference:
    """One object that is named.

    Attributes:
        role: the part that it plays.
        expression: what to hand to `Engine.segment`; '' for a pronoun that stands for the last
            answer. It is `said`, without fillers, and with what a pronoun or 'one' stands for in
            the same instruction: 'the blue one' after 'the red block' is 'the blue block'.
        said: the words as they stand in the text; '' for an object that is only implied ('pick up
            the mug and place on the tray').
        span: start and end of `said` in the instruction's text, in characters.
        relation: of a place or source: 'on', 'in', 'next to', 'left of', 'right of', 'in front
            of', 'behind', 'under', 'above', 'between', 'to', 'at', 'away from', 'from' or another
            preposition as said; '' in other roles.
        pronoun: whether `said` is or holds a pronoun ('it', 'that one', 'the plate behind it').
        antecedent: row, in `Instruction.references`, of what the pronoun stands for; None when
            the instruction does not name it.
        quantity: whether one object, both or all are meant.
    """

    role: Role
    expression: str
    said: str
    span: tuple[int, int]
    relation: str = ''
    pronoun: bool = False
    antecedent: int | None = None
    quantity: Quantity = Quantity.ONE

    def __post_init__(self) -> None:
        if bool(self.relation) != (self.role in _RELATED):
            raise BadRequestError(
                f'expected a relation for a place or a source and for nothing else, got '
                f'{self.relation!r} for the role {self.role.value!r} of {self.said!r}')
        if not self.expression and not self.pronoun:
            raise BadRequestError(
                f'expected an expression for {self.said!r}: a pronoun alone has none')

    @property
    def needs_last_answer(self) -> bool:
        """Whether a pronoun in it stands for something that another instruction named."""
        return self.pronoun and self.antecedent is None


@dataclass(frozen=True)
class Step:
    """One thing to do.

    Attributes:
        action: what kind of thing.
        verb: its verb in the base form ('pick', 'nudge'); '' where none was said.
        references: its objects, in the order of `Role`; of several objects in one role, each.
        where: where something goes, as said, when no object names it: 'to the left', 'down',
            'there', 'me'; '' otherwise.
        missing: roles that the verb needs and nothing fills (the place of 'put the mug').
        alternatives: other ways to read the references, likeliest first, where the grammar
            leaves it open which preposition says the place.
        receiver: the person who gets it, or for whom it is done: 'me', 'us', 'him', 'her', 'them';
            '' where none is said. A person who is named by a noun is the reference `RECIPIENT`.
        distance_m: how far something goes or from its place, metres; NaN where it is not said.
        angle_rad: how far something turns, radians, 0 or more; NaN where it is not said.
    """

    action: Action
    verb: str
    references: tuple[Reference, ...]
    where: str = ''
    missing: tuple[Role, ...] = ()
    alternatives: tuple[tuple[Reference, ...], ...] = ()
    receiver: str = ''
    distance_m: float = math.nan
    angle_rad: float = math.nan

    def of(self, role: Role) -> tuple[Reference, ...]:
        """The references in one role."""
        return tuple(reference for reference in self.references if reference.role is role)


@dataclass(frozen=True)
class Instruction:
    """An instruction as it was understood.

    Attributes:
        text: the instruction, white space at its ends stripped.
        steps: what to do, in the order said; () when there is nothing to ground.
        forbidden: objects that must be left alone ('don't touch the mug'); never in `steps`.
        no_object: why there are no steps; None when there are some.
        parser: which parser answered: 'spacy:<name>+rules' or 'rules'.
        notes: sentences on guesses ('grap' read as 'grab') and on what was left out.
        act: what the text does in a conversation.
        number: the number that answers a question, -1 for 'the last one'; None for no such answer.
    """

    text: str
    steps: tuple[Step, ...]
    forbidden: tuple[Reference, ...] = ()
    no_object: NoObject | None = None
    parser: str = 'rules'
    notes: tuple[str, ...] = ()
    act: DialogueAct = DialogueAct.ORDER
    number: int | None = None

    def __post_init__(self) -> None:
        if bool(self.steps) == (self.no_object is not None):
            raise BadRequestError(
                'expected steps, or a reason why there are none, '
                f'got {len(self.steps)} steps and the reason {self.no_object}')
        for reference in (*self.references, *self.forbidden):
            if self.text[slice(*reference.span)] != reference.said:
                raise BadRequestError(
                    f'expected span to point at {reference.said!r}, got '
                    f'{self.text[slice(*reference.span)]!r} at {reference.span}')

    @property
    def action(self) -> Action | None:
        """The first step's; None without steps."""
        return self.steps[0].action if self.steps else None

    @property
    def references(self) -> tuple[Reference, ...]:
        """Those of all steps, in order."""
        return tuple(reference for step in self.steps for reference in step.references)
