"""The node `refdiff_pick`: the action `PickReferred`.

It knows the refdiff node by its service alone, and the robot by four topics or the actions of a
backend (see `robot`), so either may be replaced. Where the camera stands in the base says
tf, or the parameter `camera_in_base`.
"""

from collections.abc import Callable, Sequence
import math
import time
from typing import Any

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup

from refdiff_ros.action import PickReferred
from refdiff_ros.errors import BadRequestError
from refdiff_ros.language.instruction.door import one_expression, PICKS
from refdiff_ros.language.valid_text import from_outside
from refdiff_ros.pick.robot import OnCancel, StoppedError
from refdiff_ros.pick.ros.hand_node import HandNode, NotNowError, THREADS
from refdiff_ros.pick.ros.messages import result_message
from refdiff_ros.pick.stages import (
    Grounding,
    pick,
    PickOutcome,
    PickSettings,
    PickStatus,
    Stage,
)
from refdiff_ros.ros.messages import without_pixels
from refdiff_ros.ros.processes.spin import run


class PickServer(HandNode):
    """Callbacks, and the stages of `pick.stages` on the action's thread."""

    def __init__(self, name: str = 'refdiff_pick', **kwargs: Any):
        super().__init__(name, **kwargs)
        self._action = ActionServer(
            self, PickReferred, 'pick_referred', self._execute,
            callback_group=ReentrantCallbackGroup(),
            goal_callback=lambda _goal: GoalResponse.ACCEPT,
            cancel_callback=lambda _goal: CancelResponse.ACCEPT)

    def _execute(self, goal: ServerGoalHandle) -> PickReferred.Result:
        # A goal that is turned down at the door gets no sentence; this way it does.
        limit_s = goal.request.timeout or self.values('goal_timeout')
        refusal = self._refusal(goal.request.expression, limit_s)
        if refusal:
            return self._end(goal, PickOutcome(PickStatus.REFUSED, refusal))
        try:
            with self.taking(goal, limit_s) as check:
                held = self.in_hand()
                if held is not None:
                    return self._end(goal, PickOutcome(
                        PickStatus.REFUSED, f'the hand holds the {held.name}: call '
                        f"'{self.get_fully_qualified_name()}/put_back' first", held=held))
                outcome = self._pick(goal, check)
                self.held = outcome.held
                return self._end(goal, outcome)
        except NotNowError as error:
            return self._end(goal, PickOutcome(PickStatus.REFUSED, str(error)))
        except StoppedError as error:
            return self._end(goal, PickOutcome(PickStatus[error.kind.name], str(error)))

    def _refusal(self, text: str, limit_s: float) -> str:
        if not text.strip():
            return 'expected an expression, got an empty one'
        if not 0 < limit_s < math.inf:
            return f'expected a timeout in seconds, or 0 for the default, got {limit_s}'
        try:
            one_expression(text, PICKS)
        except BadRequestError as error:
            return str(error)
        return ''

    def _pick(self, goal: ServerGoalHandle, check: Callable[[], None]) -> PickOutcome:
        text, began_s = from_outside(goal.request.expression), time.monotonic()

        def tell(stage: Stage, note: str, grounding: Grounding | None) -> None:
            self.get_logger().info(f'{text[:200]!r}: {stage.name.lower()}, {note}')
            feedback = PickReferred.Feedback(
                stage=int(stage), note=note, elapsed=time.monotonic() - began_s)
            if grounding is not None and grounding.mask is not None:
                feedback.mask, feedback.grasp = grounding.mask, grounding.grasp
            # rclpy's hint names the message that it wraps the feedback in.
            goal.publish_feedback(feedback)  # type: ignore[arg-type]
            # The next stages tell of the same mask: its pixels were sent.
            without_pixels(feedback.mask, feedback.grasp)

        def ground() -> Grounding:
            found = self.ground(text, check)
            return self.placed(found, check) if found.status.has_mask else found
        values = self.values
        settings = PickSettings(
            values.reach, values('min_opening'), values('hold'), values('accept_ambiguous'),
            OnCancel(values('on_cancel')))
        return pick(ground, self.robot, settings, tell)

    def _end(self, goal: ServerGoalHandle, outcome: PickOutcome) -> PickReferred.Result:
        self.get_logger().info(f'{outcome.status.name}: {outcome.reason}')
        if outcome.status is PickStatus.LIFTED:
            goal.succeed()
        elif outcome.status is PickStatus.CANCELLED and goal.is_cancel_requested:
            goal.canceled()
        else:
            goal.abort()
        return result_message(outcome, self.values('base_frame'))


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until SIGINT; the process' exit status."""
    return run(PickServer, args, THREADS)
