"""What gives orders and answers, and watches: a client of `refdiff_follow`."""

from collections.abc import Callable
from dataclasses import replace
import time
from typing import Any

import numpy as np
from rclpy.action.client import ClientGoalHandle
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import RegionOfInterest
from std_msgs.msg import String

from refdiff_ros.action import FollowInstruction, HandOver, PlaceReferred, PointAt
from refdiff_ros.errors import require
from refdiff_ros.follow.results import State
from refdiff_ros.msg import FollowQuestion, FollowState
from refdiff_ros.pick.ros.client import Event, PickClient
from refdiff_ros.ros.action_client import ActionClient
from refdiff_ros.srv import AnswerQuestion

_LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE,
                      durability=DurabilityPolicy.TRANSIENT_LOCAL)
_SKILLS: dict[str, Any] = {
    'place_referred': PlaceReferred, 'hand_over': HandOver, 'point_at': PointAt}


class FollowClient(PickClient):
    """A `PickClient` of the node that follows.

    Attributes:
        states: what came on `~/state`, in order.
        question: the open question, None without one.
        said: what came on `to_human`.
    """

    server = 'refdiff_follow'

    def join(self, node: Any) -> None:
        """Make the actions, topics and services of following."""
        self.states: list[FollowState] = []
        self.said: list[str] = []
        self.question: FollowQuestion | None = None
        self._follow: Any = ActionClient(node, FollowInstruction, 'follow_instruction')
        self._skills: dict[str, Any] = {
            name: ActionClient(node, kind, name) for name, kind in _SKILLS.items()}
        self._answer = node.create_client(AnswerQuestion, f'{self.server}/answer')
        self._from_human = node.create_publisher(String, 'from_human', 10)
        node.create_subscription(FollowState, f'{self.server}/state', self.states.append,
                                 _LATCHED)
        node.create_subscription(FollowQuestion, f'{self.server}/question', self._question_came,
                                 _LATCHED)
        node.create_subscription(String, 'to_human', lambda msg: self.said.append(msg.data), 10)

    def leave(self) -> None:
        """Take apart what `join` has made."""
        for client in (self._follow, *self._skills.values()):
            client.destroy()

    def order(self, timeout_s: float, **goal: Any) -> ClientGoalHandle:
        """Send an order, and begin to watch.

        Args:
            timeout_s: for the server to be there, and of the order.
            goal: fields of the action's goal.

        Raises:
            RefDiffError: the server is not there.
        """
        return self._begin(self._follow, FollowInstruction.Goal(
            timeout=float(timeout_s), **goal), timeout_s)

    def skill(self, name: str, timeout_s: float, **goal: Any) -> ClientGoalHandle:
        """Send a goal of 'place_referred', 'hand_over' or 'point_at'.

        Raises:
            RefDiffError: the server is not there.
        """
        return self._begin(self._skills[name], _SKILLS[name].Goal(
            timeout=float(timeout_s), **goal), timeout_s)

    def watch_order(self, goal: ClientGoalHandle, timeout_s: float,
                    answer: Callable[[FollowQuestion], str]) -> Any:
        """Wait for the end of an order, and answer what is asked.

        Raises:
            RefDiffError: it does not end.
        """
        result = goal.get_result_async()
        answered = 0

        def done() -> bool:
            nonlocal answered
            question = self.question
            if question is not None and question.id != answered:
                answered = question.id
                said = answer(question)
                asked = self.events[-1] if self.events else Event(0.0, State.ASKING, '')
                self.events.append(replace(
                    asked, at_s=time.monotonic() - self._began_s,
                    note=f'{question.text} - {said}'))
                self.answer(question.id, said)
            return result.done()
        self._wait(done, timeout_s + 60.0, 'the end of the order')
        return require(result.result(), 'a result').result

    def answer(self, number: int, text: str = '', option: int = 0,
               pixel: tuple[int, int] = (-1, -1)) -> AnswerQuestion.Response:
        """Answer a question by a text, an option or a pixel.

        Raises:
            RefDiffError: the server does not take it.
        """
        self.meet('server', 30.0)
        self._wait(self._answer.service_is_ready, 30.0, 'the service ~/answer')
        future = self._answer.call_async(AnswerQuestion.Request(
            id=number, text=text, option=option, u=pixel[0], v=pixel[1]))
        self._wait(future.done, 30.0, 'an answer of ~/answer')
        return future.result()

    def say(self, text: str) -> None:
        """Publish on `from_human`."""
        self._wait(self._from_human.get_subscription_count, 30.0, 'a listener on from_human')
        self._from_human.publish(String(data=text))

    def film(self) -> tuple[list[tuple[float, np.ndarray]], float]:
        """The pictures since the order was sent, and how many seconds that is."""
        return list(self._frames), time.monotonic() - self._began_s

    def _begin(self, client: ActionClient, goal: Any, timeout_s: float) -> ClientGoalHandle:
        self.meet('server', timeout_s)
        self._wait(client.server_is_ready, timeout_s, 'the action server')
        self._watch_from_now()
        sent = client.send_goal_async(goal, self._state_came)
        self._wait(sent.done, 60.0, 'the goal to be accepted')
        return require(sent.result(), 'a goal handle')

    def _state_came(self, msg: Any) -> None:
        state = msg.feedback.state
        marks = tuple((str(option.id), _box(option.box)) for option in state.question.options
                      if option.box.width)
        self.events.append(Event(time.monotonic() - self._began_s, State(state.state),
                                 state.note, marks=marks))

    def _question_came(self, msg: FollowQuestion) -> None:
        self.question = None if msg.kind == FollowQuestion.NONE else msg


def _box(box: RegionOfInterest) -> tuple[int, int, int, int]:
    return (box.x_offset, box.y_offset, box.x_offset + box.width, box.y_offset + box.height)
