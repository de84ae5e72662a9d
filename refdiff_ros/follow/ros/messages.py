"""Between following and its messages."""

from collections.abc import Sequence
import math

from geometry_msgs.msg import Point, PointStamped
from sensor_msgs.msg import RegionOfInterest
from std_msgs.msg import Header

from refdiff_ros.errors import BadRequestError
from refdiff_ros.follow import results
from refdiff_ros.follow.results import FollowQuestion, Option, Progress, StepStatus
from refdiff_ros.language.instruction.results import (
    Action,
    Instruction,
    Quantity,
    Reference,
    Role,
    Step,
)
from refdiff_ros.msg import FollowQuestion as FollowQuestionMsg
from refdiff_ros.msg import FollowState, InstructionStep, QuestionOption, StepResult

# Words that the relation or the role of a skill gives its step.
_VERBS = {Action.PICK: 'pick up', Action.PLACE: 'put', Action.HAND: 'hand over',
          Action.POINT: 'point at'}
_QUANTITIES = tuple(Quantity)


def state_message(progress: Progress, header: Header, instruction: str, conversation: str,
                  elapsed_s: float) -> FollowState:
    """What `~/state` carries, but for the goal's id and the outcome."""
    ended = (StepStatus.OPEN, StepStatus.RUNNING)
    done = sum(step.status not in ended for step in progress.steps)
    return FollowState(
        header=header, conversation=conversation, instruction=instruction,
        state=int(progress.state), step=progress.step, plan=list(progress.plan),
        steps=step_messages(progress.steps),
        note=progress.note, holding=progress.held,
        question=question_message(progress.question, header),
        elapsed=float(elapsed_s), progress=done / max(len(progress.steps), 1))


def step_messages(steps: Sequence[results.StepResult]) -> list[StepResult]:
    """What became of each step."""
    return [StepResult(status=int(step.status), reason=step.reason) for step in steps]


def question_message(question: FollowQuestion | None, header: Header) -> FollowQuestionMsg:
    """A question; kind NONE for none."""
    if question is None:
        return FollowQuestionMsg(header=header)
    return FollowQuestionMsg(
        header=header, id=question.number, step=question.step, kind=int(question.kind),
        text=question.text, tries_left=question.tries_left,
        options=[_option(option, header) for option in question.options])


def _option(option: Option, header: Header) -> QuestionOption:
    msg = QuestionOption(id=option.number, label=option.label, words=list(option.words),
                         probability=float(option.probability))
    if option.box_xyxy is not None:
        x1, y1, x2, y2 = option.box_xyxy
        msg.box = RegionOfInterest(x_offset=x1, y_offset=y1, width=x2 - x1, height=y2 - y1)
    if option.middle_m is not None:
        x, y, z = option.middle_m
        msg.middle = PointStamped(header=header, point=Point(x=x, y=y, z=z))
    return msg


def option_at(question: FollowQuestion, u: int, v: int) -> Option | None:
    """The option whose box holds a pixel: the smallest of several."""
    hit = [(option, option.box_xyxy) for option in question.options
           if option.box_xyxy is not None and option.box_xyxy[0] <= u < option.box_xyxy[2]
           and option.box_xyxy[1] <= v < option.box_xyxy[3]]
    return min(hit, key=lambda each: _area(each[1]))[0] if hit else None


def _area(box_xyxy: tuple[int, int, int, int]) -> int:
    x1, y1, x2, y2 = box_xyxy
    return (x2 - x1) * (y2 - y1)


def instruction_from(name: str, steps: Sequence[InstructionStep]) -> Instruction:
    """An instruction whose steps were read by somebody else.

    Raises:
        BadRequestError: an action or a role that does not exist, or an object without words.
    """
    try:
        return Instruction(name or 'steps', tuple(map(_step, steps)), parser='steps')
    except (ValueError, IndexError) as error:
        raise BadRequestError(
            f'{error}: expected actions of {[action.value for action in Action]} and roles of '
            f'{[role.value for role in Role]}') from error


def _step(msg: InstructionStep) -> Step:
    return Step(Action(msg.action), msg.verb, tuple(
        Reference(Role(reference.role), reference.expression, '', (0, 0), reference.relation,
                  reference.pronoun or not reference.expression,
                  reference.antecedent if reference.antecedent >= 0 and reference.pronoun
                  else None, _QUANTITIES[reference.quantity])
        for reference in msg.references), msg.where,
        distance_m=msg.distance_m or math.nan)


def skill(action: Action, expression: str, relation: str = '',
          anchors: Sequence[str] = ()) -> Instruction:
    """The instruction of one skill; an empty expression is what is in the hand.

    Raises:
        BadRequestError: anchors without a relation, or a relation without anchors.
    """
    if bool(relation) != bool(anchors):
        raise BadRequestError('expected a relation and what it goes by, or neither, got '
                              f'{relation!r} and {list(anchors)}')
    role = Role.POINT if action is Action.POINT else Role.PICK
    references = (_named(role, expression),
                  *(_named(Role.PLACE, anchor, relation) for anchor in anchors))
    text = ' '.join(filter(None, (_VERBS[action], expression or 'it', relation,
                                  ' and '.join(anchors))))
    where = 'down' if action is Action.PLACE and not anchors else ''
    return Instruction(text, (Step(action, '', references, where),), parser='skill')


def _named(role: Role, expression: str, relation: str = '') -> Reference:
    return Reference(role, expression, '', (0, 0), relation, not expression)
