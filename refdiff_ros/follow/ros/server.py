"""The node `refdiff_follow`: whole orders and the skills, questions and answers, and a stop.

Beside what `refdiff_pick` serves: the actions `follow_instruction`, `place_referred`, `hand_over`
and `point_at`; `~/state` and `~/question` (latched), `~/answer`; `from_human` and `to_human` in
words. A stop word on `from_human` is heard in every state.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
import math
import queue
import threading
import time
from typing import Any
import uuid

from builtin_interfaces.msg import Time as TimeMsg
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup, ReentrantCallbackGroup
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.time import Duration
from std_msgs.msg import Header, String
from std_srvs.srv import Trigger
from unique_identifier_msgs.msg import UUID

from refdiff_ros.action import FollowInstruction, HandOver, PlaceReferred, PointAt
from refdiff_ros.errors import BadRequestError, RefDiffError
from refdiff_ros.follow.answers import is_stop, match
from refdiff_ros.follow.conversation import Conversation
from refdiff_ros.follow.follower import Follower
from refdiff_ros.follow.results import (
    Ask,
    Entity,
    FollowOutcome,
    FollowQuestion,
    FollowStatus,
    Progress,
    QuestionKind,
    State,
)
from refdiff_ros.follow.ros.messages import (
    instruction_from,
    option_at,
    question_message,
    skill,
    state_message,
    step_messages,
)
from refdiff_ros.follow.ros.world import RosWorld
from refdiff_ros.follow.situation import FollowSettings
from refdiff_ros.language.expression import load_parser
from refdiff_ros.language.instruction.reader import read_instruction
from refdiff_ros.language.instruction.results import Action, DialogueAct, Instruction
from refdiff_ros.language.valid_text import from_outside
from refdiff_ros.msg import FollowQuestion as FollowQuestionMsg
from refdiff_ros.msg import FollowState
from refdiff_ros.pick.robot import Held, Interrupt, OnCancel, StoppedError
from refdiff_ros.pick.ros.hand_node import NotNowError, THREADS
from refdiff_ros.pick.ros.server import PickServer
from refdiff_ros.ros.parameters import ParameterSpec
from refdiff_ros.ros.processes.spin import run
from refdiff_ros.srv import AnswerQuestion

PARAMETERS = (
    ParameterSpec('follow_timeout', 300.0, 'An order may take this long, seconds.',
                  low=1.0, high=36000.0),
    ParameterSpec('answer_timeout', 60.0, 'A question waits this long for an answer, seconds.',
                  low=0.1, high=3600.0),
    ParameterSpec('answer_tries', 3, 'So many answers that fit nothing are taken.',
                  low=1, high=20),
)
# By their names, which their goals' types begin with.
_ACTIONS: dict[str, Any] = {
    'FollowInstruction': FollowInstruction, 'PlaceReferred': PlaceReferred,
    'HandOver': HandOver, 'PointAt': PointAt}
_LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE,
                      durability=DurabilityPolicy.TRANSIENT_LOCAL)
_LOOK_S = 0.02
_BUSY_S = 0.5
_SAID_CANCEL = ('cancel', 'never mind', 'forget it')


class _Spoken:
    """An order that came in words, where an action's goal would be."""

    def __init__(self):
        self.is_cancel_requested = False
        self.goal_id = UUID(uuid=list(uuid.uuid4().bytes))


@dataclass(frozen=True)
class _Order:
    """What is to be followed, and how.

    Attributes:
        order: in words, or as it was read.
        conversation: that it belongs to, '' for a new one.
        limit_s: how long it may take; 0 for the parameter.
        ask: when a person is asked.
        dry_run: whether nothing is moved.
        answer_s: how long a question waits; 0 for the parameter.
    """

    order: str | Instruction
    conversation: str = ''
    limit_s: float = 0.0
    ask: Ask = Ask.IF_OPEN
    dry_run: bool = False
    answer_s: float = 0.0

    @property
    def text(self) -> str:
        """In words."""
        return self.order if isinstance(self.order, str) else self.order.text


class FollowServer(PickServer):
    """Callbacks; a `Follower` runs on the action's thread."""

    def __init__(self, **kwargs: Any):
        self._talk = Conversation()
        self._talks: dict[str, Conversation] = {}
        super().__init__('refdiff_follow', more=PARAMETERS, **kwargs)
        self._nlp = load_parser()
        self._progress, self._order, self._talk_name = Progress(), (UUID(), ''), ''
        self._began_s, self._outcome = 0.0, 0
        self._question: FollowQuestion | None = None
        self._deadline = TimeMsg()
        self._answers: queue.Queue[str | int] = queue.Queue()
        self._state = self.create_publisher(FollowState, '~/state', _LATCHED)
        self._asked = self.create_publisher(FollowQuestionMsg, '~/question', _LATCHED)
        self._to_human = self.create_publisher(String, 'to_human', 10)
        anytime = ReentrantCallbackGroup()
        self.create_subscription(String, 'from_human', self._said, 10, callback_group=anytime)
        self.create_service(AnswerQuestion, '~/answer', self._answered, callback_group=anytime)
        self.create_timer(_BUSY_S, self._tell_again,
                          callback_group=MutuallyExclusiveCallbackGroup())
        self._actions = [ActionServer(
            self, kind, name, run_, callback_group=ReentrantCallbackGroup(),
            goal_callback=lambda _goal: GoalResponse.ACCEPT,
            cancel_callback=lambda _goal: CancelResponse.ACCEPT) for kind, name, run_ in (
                (FollowInstruction, 'follow_instruction', self._follow_called),
                (PlaceReferred, 'place_referred', self._place_called),
                (HandOver, 'hand_over', self._hand_over_called),
                (PointAt, 'point_at', self._point_called))]
        self._publish()

    # What is in the hand, as the pick server asks for it

    @property
    def held(self) -> Held | None:
        """What is in the hand."""
        return self._talk.held

    @held.setter
    def held(self, value: Held | None) -> None:
        if value is None:
            self._talk.lost()
        else:
            self._talk.take(Entity(value.name), value)

    # Goals

    def _follow_called(self, goal: Any) -> FollowInstruction.Result:
        request = goal.request
        text = from_outside(request.instruction)
        try:
            order = instruction_from(text, request.steps) if request.steps else text
        except BadRequestError as error:
            return self._result(goal, FollowOutcome(FollowStatus.NOT_READ, str(error)))
        if not request.steps and self._act(text) is DialogueAct.STOP:
            self.halt()
            return self._result(goal, FollowOutcome(
                FollowStatus.STOPPED, 'a person said stop; the hand stays where it is'))
        if request.ask not in list(Ask):
            return self._result(goal, FollowOutcome(
                FollowStatus.NOT_READ, f'expected ask as one of {[int(a) for a in Ask]}, got '
                f'{request.ask}'))
        return self._result(goal, self._run(goal, _Order(
            order, request.conversation, request.timeout, Ask(request.ask), request.dry_run,
            request.answer_timeout)))

    def _place_called(self, goal: Any) -> PlaceReferred.Result:
        request = goal.request
        return self._skill(goal, lambda: skill(
            Action.PLACE, request.expression.strip(), request.relation.strip(), request.anchors))

    def _hand_over_called(self, goal: Any) -> HandOver.Result:
        return self._skill(goal, lambda: skill(Action.HAND, goal.request.expression.strip()))

    def _point_called(self, goal: Any) -> PointAt.Result:
        return self._skill(goal, lambda: skill(Action.POINT, goal.request.expression.strip()))

    def _skill(self, goal: Any, make: Callable[[], Instruction]) -> Any:
        try:
            order = make()
        except BadRequestError as error:
            return self._result(goal, FollowOutcome(FollowStatus.NOT_READ, str(error)))
        return self._result(goal, self._run(
            goal, _Order(order, self._talk_name, goal.request.timeout)))

    def _run(self, goal: Any, wanted: _Order) -> FollowOutcome:
        limit_s = wanted.limit_s or self.values('follow_timeout')
        answer_s = wanted.answer_s or self.values('answer_timeout')
        if not (0 < limit_s < math.inf and 0 < answer_s < math.inf):
            return FollowOutcome(FollowStatus.REFUSED, 'expected timeouts in seconds, or 0 for '
                                 f'the default, got {limit_s} and {answer_s}')
        try:
            with self.taking(goal, limit_s) as check:
                self._begin(goal, wanted)
                outcome = self._followed(goal, wanted, answer_s, check)
                self._outcome = int(outcome.status)
                return outcome
        except NotNowError as error:
            return FollowOutcome(FollowStatus.REFUSED, str(error))
        except StoppedError as error:  # while it waited for another one
            return FollowOutcome(FollowStatus[error.kind.name], str(error))

    def _followed(self, goal: Any, wanted: _Order, answer_s: float,
                  check: Callable[[], None]) -> FollowOutcome:
        follower = Follower(
            RosWorld(self, check), self.robot, self._follow_settings(wanted.ask),
            lambda said: read_instruction(said, self._nlp),
            lambda question: self._ask(question, answer_s, check),
            lambda progress: self._tell(progress, goal))
        follower.talk = self._talk
        try:
            return follower.follow(wanted.order, wanted.dry_run)
        except StoppedError as error:
            return FollowOutcome(FollowStatus[error.kind.name], str(error))
        except RefDiffError as error:
            return FollowOutcome(FollowStatus.NOT_READ, str(error), fault='parse')

    def _begin(self, goal: Any, wanted: _Order) -> None:
        self.in_hand()
        conversation = wanted.conversation
        known = self._talks.get(conversation) if conversation else None
        if known is None:
            known = Conversation(self._talk)
        elif known is not self._talk:
            known.held, known.held_entity = self._talk.held, self._talk.held_entity
        self._talk, self._talk_name = known, conversation
        if conversation:
            self._talks[conversation] = known
        self._began_s, self._outcome = time.monotonic(), 0
        self._order = goal.goal_id, wanted.text

    def _follow_settings(self, ask: Ask) -> FollowSettings:
        values = self.values
        return FollowSettings(
            values.reach, values('min_opening'), values('hold'), OnCancel(values('on_cancel')),
            ask, values('answer_tries'), tuple(values('offer')))

    def _result(self, goal: Any, outcome: FollowOutcome) -> Any:
        self.get_logger().info(f'{outcome.status.name}: {outcome.reason}')
        self._publish()
        kind = _ACTIONS[type(goal.request).__name__.removesuffix('_Goal')]
        if outcome.status is FollowStatus.DONE:
            goal.succeed()
        elif outcome.status is FollowStatus.CANCELLED and goal.is_cancel_requested:
            goal.canceled()
        else:
            goal.abort()
        result = kind.Result(status=int(outcome.status), reason=outcome.reason,
                             holding='' if outcome.held is None else outcome.held.name)
        if kind is FollowInstruction:
            result.steps = step_messages(outcome.steps)
        return result

    # Words

    def _said(self, msg: String) -> None:
        """A stop in every state; an answer while a question is open; else a new order."""
        text = from_outside(msg.data)
        if not text.strip():
            return
        act = self._act(text)
        if act is DialogueAct.STOP:
            self.halt()
        elif act is DialogueAct.RESUME and self._running is None:
            self._stopped.clear()
            self._at_rest(State.IDLE, 'orders are taken up again')
        elif self._question is not None:
            self._answers.put(text)
        elif self._running is not None and text.lower().strip(' .!') in _SAID_CANCEL:
            self._cancel_said = self._running
        else:
            threading.Thread(target=self._spoken, args=(text,), daemon=True).start()

    def _act(self, text: str) -> DialogueAct:
        """What a text does; a text that cannot be read is none of the words that count."""
        if is_stop(text):
            return DialogueAct.STOP
        try:
            return read_instruction(text, self._nlp).act
        except BadRequestError:
            return DialogueAct.CHAT

    def _spoken(self, text: str) -> None:
        outcome = self._run(_Spoken(), _Order(text, 'spoken'))
        self.get_logger().info(f'{outcome.status.name}: {outcome.reason}')
        self._publish()
        self._to_human.publish(String(data=outcome.reason))

    _cancel_said: Any = None

    def _check(self, goal: Any, clock: Any) -> None:
        super()._check(goal, clock)
        if goal is not None and self._cancel_said is goal:
            raise StoppedError(Interrupt.CANCELLED, 'a person cancelled')

    # Questions

    def _ask(self, question: FollowQuestion, timeout_s: float,
             check: Callable[[], None]) -> str | int | None:
        while not self._answers.empty():
            self._answers.get_nowait()
        self._question = question
        msg = question_message(question, self._header())
        msg.goal_id = self._order[0]
        msg.deadline = (self.get_clock().now() + Duration(seconds=timeout_s)).to_msg()
        self._deadline = msg.deadline
        self._asked.publish(msg)
        self._publish()  # from now on it can be answered
        self._to_human.publish(String(data=question.text))
        end_s = time.monotonic() + timeout_s
        try:
            while time.monotonic() < end_s:
                check()
                try:
                    return self._answers.get(timeout=_LOOK_S)
                except queue.Empty:
                    continue
            return None
        finally:
            self._question, self._deadline = None, TimeMsg()
            self._asked.publish(FollowQuestionMsg(header=self._header()))

    def _answered(self, request: AnswerQuestion.Request, response: AnswerQuestion.Response,
                  ) -> AnswerQuestion.Response:
        question, text = self._question, from_outside(request.text)
        if self._act(text) is DialogueAct.STOP:
            self.halt()
            response.accepted, response.reason = True, 'stopped'
        elif question is None:
            response.reason = 'no question is open'
        elif request.id != question.number:
            response.reason = (f'the open question is {question.number}, not {request.id}: it was '
                               'answered, or another one was put')
        else:
            self._take_answer(question, request, text, response)
        return response

    def _take_answer(self, question: FollowQuestion, request: AnswerQuestion.Request, text: str,
                     response: AnswerQuestion.Response) -> None:
        if request.option:
            known = any(option.number == request.option for option in question.options)
            response.accepted, response.option = known, request.option if known else 0
            response.reason = '' if known else f'there is no choice {request.option}'
            if known:
                self._answers.put(int(request.option))
        elif text.strip():
            answer = match(text, question)
            response.accepted = True
            response.option = 0 if answer.option is None else answer.option.number
            response.reason = answer.reason
            self._answers.put(text)
        elif request.u >= 0 and request.v >= 0:
            option = option_at(question, request.u, request.v)
            response.accepted = option is not None
            response.reason = '' if option else 'nothing that is asked about is there'
            if option is not None:
                response.option = option.number
                self._answers.put(option.number)
        else:
            kinds = 'an option, a text or a pixel' if question.kind is not QuestionKind.YES_NO \
                else "a text: 'yes' or 'no'"
            response.reason = f'expected {kinds}, got none'

    # State

    def halt(self) -> None:
        """Hold the pose of this moment, whatever runs."""
        super().halt()
        if self._running is None:  # else what follows tells how far it has come
            self._at_rest(State.STOPPED, 'stopped: the hand holds its pose')

    def _resume_called(self, request: Trigger.Request, response: Trigger.Response,
                       ) -> Trigger.Response:
        response = super()._resume_called(request, response)
        self._at_rest(State.IDLE, response.message)
        return response

    def _put_back_called(self, request: Trigger.Request, response: Trigger.Response,
                         ) -> Trigger.Response:
        if self._running is None:
            self._at_rest(State.RETREATING, 'going home')
        response = super()._put_back_called(request, response)
        self._at_rest(State.STOPPED if self._stopped.is_set() else State.IDLE, response.message)
        return response

    def _at_rest(self, state: State, note: str) -> None:
        """Show what is done without an order; while one runs it is shown by what follows it."""
        if self._running is None:
            self._progress = replace(self._progress, state=state, note=note, question=None,
                                     held='' if self.held is None else self.held.name)
            self._publish()

    def _tell(self, progress: Progress, goal: Any) -> None:
        if progress.note != self._progress.note:
            self.get_logger().info(f'{progress.state.name.lower()}: {progress.note}')
        self._progress = progress
        msg = self._publish()
        kind = _ACTIONS.get(type(getattr(goal, 'request', None)).__name__.removesuffix('_Goal'))
        if kind is not None:
            goal.publish_feedback(kind.Feedback(state=msg))

    def _tell_again(self) -> None:
        if self._running is not None:
            self._publish()

    def _publish(self) -> FollowState:
        msg = self._message()
        self._state.publish(msg)
        return msg

    def _message(self) -> FollowState:
        busy, progress = self._running is not None, self._progress
        if not busy and self._stopped.is_set():  # an order that had just ended
            progress = replace(progress, state=State.STOPPED)
        goal_id, order = self._order
        msg = state_message(progress, self._header(), order, self._talk_name,
                            time.monotonic() - self._began_s if busy else 0.0)
        msg.goal_id, msg.outcome = goal_id, self._outcome
        if msg.question.kind != FollowQuestionMsg.NONE:
            msg.question.goal_id, msg.question.deadline = goal_id, self._deadline
        return msg

    def _header(self) -> Header:
        return Header(stamp=self.get_clock().now().to_msg(),
                      frame_id=self.values('base_frame'))


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until SIGINT; the process' exit status."""
    return run(FollowServer, args, THREADS)
