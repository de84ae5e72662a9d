"""The operator page's line to the node that follows orders: its state in, orders and stops out.

What comes in is turned into what the page shows and handed on at once. What goes out is asked for
on the page's loop, which waits there for the answer.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
import math
import threading
import time
from typing import Any
import uuid
from weakref import WeakKeyDictionary

from action_msgs.srv import CancelGoal
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from std_msgs.msg import Empty
from std_srvs.srv import Trigger
from unique_identifier_msgs.msg import UUID

from refdiff_ros.action import FollowInstruction
from refdiff_ros.errors import BadRequestError
from refdiff_ros.msg import FollowQuestion, FollowState
from refdiff_ros.ros.action_client import ActionClient
from refdiff_ros.srv import AnswerQuestion

# By the numbers of the messages.
STATES = ('IDLE', 'READING', 'GROUNDING', 'ASKING', 'CONFIRMING', 'APPROACHING', 'GRASPING',
          'LIFTING', 'CARRYING', 'PLACING', 'OFFERING', 'POINTING', 'VERIFYING', 'RETREATING',
          'STOPPED')
STEPS = ('OPEN', 'RUNNING', 'DONE', 'REFUSED', 'FAILED', 'LEFT_OUT')
OUTCOMES = ('', 'DONE', 'NOT_READ', 'REFUSED', 'FAILED', 'CANCELLED', 'STOPPED', 'TIMEOUT')
KINDS = ('', 'WHICH_ONE', 'YES_NO')
# Orders of the page and those in words belong to one conversation: 'it' is the same in both.
CONVERSATION = 'spoken'
LONGEST_ORDER = 1000
_MOST_ORDERS = 30
_ANSWER_S = 5.0
_STOP_S = 2.0
# While an order runs, its state comes twice a second.
_SILENT_S = 3.0
_LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE,
                      durability=DurabilityPolicy.TRANSIENT_LOCAL)
_QUIET = ('IDLE', 'STOPPED')
# rclpy's executor trips over an action client that is taken apart while it waits. So one is kept
# for each node and name, until the node itself ends.
_ACTIONS: 'WeakKeyDictionary[Node, dict[str, ActionClient]]' = WeakKeyDictionary()


def _action(node: Node, name: str) -> ActionClient:
    actions = _ACTIONS.setdefault(node, {})
    if name not in actions:
        actions[name] = ActionClient(node, FollowInstruction, name,
                                     callback_group=ReentrantCallbackGroup())
    return actions[name]


class FollowerLink:
    """Follows the state of the node that follows, and asks things of it.

    Args:
        node: that others spin.
        name: of the node that follows.
        tell: hears of each change, on any thread: its kind, and the values for the page.
    """

    def __init__(self, node: Node, name: str, tell: Callable[[str, dict[str, Any]], None]):
        self._node, self._name, self._tell = node, name, tell
        around = name.rpartition('/')[0]
        near = f'{around}/' if around else ''
        group = ReentrantCallbackGroup()
        self._lock = threading.Lock()
        self._state: dict[str, Any] = {}
        self._came_s = 0.0
        self._shown: dict[str, Any] = {}
        self._orders: deque[dict[str, Any]] = deque(maxlen=_MOST_ORDERS)
        self._count = 0
        self._own: dict[bytes, dict[str, Any]] = {}
        # The order of others that was shown last: its goal, and its row of the history.
        self._seen: tuple[bytes, dict[str, Any] | None] = (b'', None)
        self._action: Any = _action(node, f'{near}follow_instruction')
        self._cancel: Any = node.create_client(
            CancelGoal, f'{near}follow_instruction/_action/cancel_goal', callback_group=group)
        self._answer: Any = node.create_client(
            AnswerQuestion, f'{name}/answer', callback_group=group)
        self._triggers: dict[str, Any] = {
            verb: node.create_client(Trigger, f'{name}/{verb}', callback_group=group)
            for verb in ('stop', 'resume', 'put_back')}
        self._stop = node.create_publisher(Empty, f'{near}stop', 10)
        self._subscription = node.create_subscription(
            FollowState, f'{name}/state', self._state_came, _LATCHED, callback_group=group)

    def destroy(self) -> None:
        """Take it apart, but for its action client."""
        for client in (self._cancel, self._answer, *self._triggers.values()):
            self._node.destroy_client(client)
        self._node.destroy_publisher(self._stop)
        self._node.destroy_subscription(self._subscription)

    # What comes in

    def check(self) -> None:
        """Whether the other node is still there; to be called about once a second."""
        self._show()

    @property
    def messages(self) -> tuple[tuple[str, dict[str, Any]], ...]:
        """What one who begins to look is told."""
        return ('follow', self._view()), ('orders', self._history())

    def _state_came(self, msg: FollowState) -> None:
        now = Time.from_msg(msg.header.stamp, clock_type=self._node.get_clock().clock_type)
        with self._lock:
            first = not self._state
            self._state, self._came_s = state_view(msg, now), time.monotonic()
            changed = self._note(msg, first)
        self._show()
        if changed:
            self._tell('orders', self._history())

    def _note(self, msg: FollowState, first: bool) -> bool:
        """Keep in the history what others have ordered; whether it has changed."""
        key = bytes(msg.goal_id.uuid)
        ended = msg.outcome != FollowInstruction.Result.UNKNOWN
        order = self._own.get(key)
        if order is None and key != self._seen[0]:
            if not msg.instruction:
                return False
            # One that had ended before anybody looked here is old. Of a short one, the end may be
            # all that comes: only the newest state is kept.
            order = None if ended and first else self._add(msg.instruction)
            self._seen = key, order
            begun = order is not None
        else:
            order, begun = order or self._seen[1], False
        # The result of one's own comes too, perhaps later, with the same sentence.
        if order is None or not ended or order['outcome']:
            return begun
        order |= {'outcome': OUTCOMES[msg.outcome], 'reason': msg.note}
        return True

    def _add(self, text: str) -> dict[str, Any]:
        self._count += 1
        order = {'number': self._count, 'text': text, 'outcome': '', 'reason': '',
                 'at_s': time.time()}
        self._orders.append(order)
        return order

    def _view(self) -> dict[str, Any]:
        with self._lock:
            state, age_s = self._state, time.monotonic() - self._came_s
        there = self._node.count_publishers(self._subscription.topic_name) > 0
        silent = bool(state) and state['state'] not in _QUIET and age_s > _SILENT_S
        link = 'none' if not there else 'silent' if silent else 'open'
        return {'name': self._name, 'link': link, **state}

    def _history(self) -> dict[str, Any]:
        with self._lock:
            return {'orders': [dict(order) for order in reversed(self._orders)]}

    def _show(self) -> None:
        view = self._view()
        if view != self._shown:
            self._shown = view
            self._tell('follow', view)

    # What goes out

    async def order(self, text: str) -> str:
        """Give an order; what to tell who gave it.

        Raises:
            BadRequestError: it is empty, too long, or nobody takes it.
        """
        if not text.strip() or len(text) > LONGEST_ORDER:
            raise BadRequestError(
                f'expected an order of 1 to {LONGEST_ORDER} characters, got {len(text)}')
        if not self._action.server_is_ready():
            raise BadRequestError(
                f"the node '{self._name}' is not there: start it, for example with "
                "'ros2 launch refdiff_ros follow.launch.py'")
        goal_id = UUID(uuid=list(uuid.uuid4().bytes))
        with self._lock:  # its first state may come before its handle
            order = self._own[bytes(goal_id.uuid)] = self._add(text)
        self._tell('orders', self._history())
        goal = FollowInstruction.Goal(instruction=text, conversation=CONVERSATION)
        try:
            handle = await self._wait(self._action.send_goal_async(goal, goal_uuid=goal_id),
                                      _ANSWER_S, 'the order')
        except BadRequestError as error:
            self._ended(order, FollowInstruction.Result(
                status=FollowInstruction.Result.REFUSED, reason=str(error)))
            raise
        handle.get_result_async().add_done_callback(
            lambda future: self._ended(order, future.result().result))
        return 'ordered'

    def _ended(self, order: dict[str, Any], result: FollowInstruction.Result) -> None:
        with self._lock:
            order |= {'outcome': OUTCOMES[result.status], 'reason': result.reason}
        self._tell('orders', self._history())

    async def answer(self, message: Mapping[str, Any]) -> str:
        """Answer the open question by its option or a text.

        Raises:
            BadRequestError: it was not accepted; the reason says why.
        """
        number, option = int(message['id']), int(message.get('option', 0))
        if not (0 <= number < 2**32 and 0 <= option < 2**32):
            raise BadRequestError('expected the numbers of a question and of its option, got '
                                  f'{number} and {option}')
        request = AnswerQuestion.Request(
            id=number, option=option, text=str(message.get('text', ''))[:LONGEST_ORDER])
        response = await self._call(self._answer, request, 'an answer')
        if not response.accepted:
            raise BadRequestError(response.reason)
        return response.reason or 'answered'

    async def stop(self) -> str:
        """Stop, whatever runs: on the topic at once, and by the service, which confirms it.

        Raises:
            BadRequestError: nobody confirms it.
        """
        self._stop.publish(Empty())
        try:
            response = await self._call(self._triggers['stop'], Trigger.Request(), 'stop', _STOP_S)
        except BadRequestError as error:
            raise BadRequestError(
                f"the stop was sent, and nobody confirms it ({error}): use the robot's own "
                'emergency stop') from error
        return response.message

    async def trigger(self, verb: str) -> str:
        """'resume' or 'put_back'.

        Raises:
            BadRequestError: it is refused, or nobody answers.
        """
        limit_s = _ANSWER_S if verb == 'resume' else math.inf  # the arm drives meanwhile
        response = await self._call(self._triggers[verb], Trigger.Request(), verb, limit_s)
        if not response.success:
            raise BadRequestError(response.message)
        return response.message

    async def cancel(self) -> str:
        """Cancel what runs; the node that follows then does as its `on_cancel` says.

        Raises:
            BadRequestError: nothing runs, or nobody answers.
        """
        response = await self._call(self._cancel, CancelGoal.Request(), 'a cancel')
        if not response.goals_canceling:
            raise BadRequestError('there is nothing to cancel')
        return 'cancelled'

    async def _call(self, client: Any, request: Any, what: str, limit_s: float = _ANSWER_S) -> Any:
        if not client.service_is_ready():
            raise BadRequestError(f"the service '{client.srv_name}' is not there: start the node "
                                  f"'{self._name}'")
        future = client.call_async(request)
        try:
            return await self._wait(future, limit_s, what)
        except BadRequestError:
            client.remove_pending_request(future)
            raise

    async def _wait(self, future: Any, limit_s: float, what: str) -> Any:
        """A future of ROS, on this loop."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def finish(_future: Any) -> None:
            with suppress(RuntimeError):  # the server is ending
                loop.call_soon_threadsafe(done.set)
        future.add_done_callback(finish)
        try:
            async with asyncio.timeout(None if limit_s == math.inf else limit_s):
                await done.wait()
        except TimeoutError:
            raise BadRequestError(
                f"no answer to {what} from '{self._name}' in {limit_s:g} s") from None
        return future.result()


def state_view(msg: FollowState, now: Time) -> dict[str, Any]:
    """What the page shows of a state.

    Args:
        msg: the state.
        now: when it was sent, to tell how long a question still waits.
    """
    steps = [*msg.steps, *[None] * (len(msg.plan) - len(msg.steps))]
    return {
        'state': STATES[msg.state], 'order': msg.instruction, 'outcome': OUTCOMES[msg.outcome],
        'note': msg.note, 'holding': msg.holding, 'elapsed_s': round(msg.elapsed, 1),
        'plan': [{'text': text, 'status': STEPS[step.status if step else 0],
                  'reason': step.reason if step else ''}
                 for text, step in zip(msg.plan, steps, strict=False)],
        'question': question_view(msg.question, now)}


def question_view(question: FollowQuestion, now: Time) -> dict[str, Any] | None:
    """What the page shows of an open question; None without one, or until it waits for answers."""
    deadline = Time.from_msg(question.deadline, clock_type=now.clock_type)
    if question.kind == FollowQuestion.NONE or deadline.nanoseconds == 0:
        return None
    return {
        'id': question.id, 'kind': KINDS[question.kind], 'text': question.text,
        'tries': question.tries_left, 'left_s': round((deadline - now).nanoseconds * 1e-9, 1),
        'options': [{
            'id': option.id, 'label': option.label,
            'probability': None if math.isnan(option.probability) else option.probability,
            'box': [option.box.x_offset, option.box.y_offset, option.box.width,
                    option.box.height] if option.box.width else None,
        } for option in question.options]}
