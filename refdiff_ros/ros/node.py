"""The managed node `refdiff`: callbacks only, the models run on the worker."""

from collections.abc import Callable, Sequence
import logging
import threading
import time
import traceback
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup, ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNodeMixin, LifecycleState, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.parameter import Parameter

from refdiff_ros.errors import BadRequestError, RefDiffError
from refdiff_ros.language.valid_text import from_outside
from refdiff_ros.models.progress import ProgressLog, Step
from refdiff_ros.presets import Mode
from refdiff_ros.results import Status
from refdiff_ros.ros import diagnostics, parameters
from refdiff_ros.ros.answers import (
    Answer,
    give_memory_back,
    load_engine,
    Origin,
    unload_engine,
    why_not_calibrated,
    why_not_mode,
)
from refdiff_ros.ros.bond import Bond, status_type
from refdiff_ros.ros.deferred_service import DeferredService
from refdiff_ros.ros.dispatch import Dispatch
from refdiff_ros.ros.frame_sync import FrameSync
from refdiff_ros.ros.inputs import Inputs
from refdiff_ros.ros.mask_tracker import MaskTracker
from refdiff_ros.ros.messages import service_response
from refdiff_ros.ros.outputs import Outputs
from refdiff_ros.ros.processes.guard import Board
from refdiff_ros.ros.processes.heap import settle_heap
from refdiff_ros.ros.processes.spin import run
from refdiff_ros.ros.requests import PendingRequest, Refusal
from refdiff_ros.ros.statistics import Statistics
from refdiff_ros.ros.step_watch import HangNotice, RunningStep
from refdiff_ros.ros.web.follower_link import FollowerLink
from refdiff_ros.ros.web.page import OperatorPage, Robot
from refdiff_ros.ros.worker import done_within, result_of, Worker, WorkerStoppedError
from refdiff_ros.srv import ReferSegmentation

# How long an end waits for models that are being loaded, and for a step of an answer: in all less
# than the 5 s after which launch gets impatient.
_LOADING_S, _STEP_S = 0.5, 3.0
# How often memory that was freed goes back to the system beside that after each answer, seconds.
_GIVE_BACK_S = 10.0
# With 'on_hang: exit', how long a hang is reported before the process ends, and its exit status
# (EX_SOFTWARE of sysexits.h).
_REPORTED_S, _HUNG_STATUS = 2.0, 70
_LOG = logging.getLogger(__name__)

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class RefDiffNode(LifecycleNodeMixin, Node):
    """Camera image and referring expression in, mask and grasp region out.

    `configure` loads and warms the models, `activate` subscribes, `deactivate` unsubscribes and
    keeps the models, `cleanup` frees them. The service is there in every state and says INACTIVE
    in all but one.
    """

    def __init__(self, **kwargs: Any):
        Node.__init__(self, 'refdiff', **kwargs)
        # A `configure` that loads for minutes must not keep `get_state` from answering.
        LifecycleNodeMixin.__init__(self, callback_group=ReentrantCallbackGroup())
        config = parameters.declare(self)
        self._statistics = Statistics()
        self._models = diagnostics.ModelState()
        self._forgotten = ''
        self._sync = FrameSync(lambda: self._inputs.published)
        self._dispatch = Dispatch(
            self.get_clock(), self._sync, config, self._statistics, self._reply, self._publish)
        self._worker = Worker(self._dispatch.next_job, self._worker_failed)
        self._tracker = MaskTracker(
            self._sync, lambda: self._dispatch.config, self._publish, self._worker_failed)
        self._hangs = HangNotice(
            lambda: self._worker.watch.step, self._step_hangs, self._step_ended)
        self._tracker_hangs = HangNotice(
            lambda: self._tracker.step, self._tracker_step_hangs, self._step_ended)
        self._fail: Callable[[int], None] = lambda status: None
        self._board: Board | None = None
        self._bond: Bond | None = None
        self._inputs = Inputs(
            self, self._sync, self._frame_came, self._depth_came, self._worker.wake,
            self._expression_came)
        self._outputs = Outputs(self)
        self._page = OperatorPage(Robot(
            self._operator_says, self._operator_chose,
            lambda: self._sync.newest(self._dispatch.config.sync_tolerance),
            lambda: self._dispatch.standing.text,
            lambda: self._dispatch.config.max_input_megapixels,
            lambda name, tell: FollowerLink(self, name, tell)))
        self._segment = DeferredService(
            self, ReferSegmentation, '~/segment', self._call_came,
            MutuallyExclusiveCallbackGroup())
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self.add_pre_set_parameters_callback(parameters.with_floats)
        self.add_on_set_parameters_callback(self._check_parameters)
        self.add_post_set_parameters_callback(self._take_parameters)
        self._start_timers(config.autostart)

    def _start_timers(self, autostart: bool) -> None:
        # Not the node's clock: under use_sim_time that stands still until the simulator runs.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        group = MutuallyExclusiveCallbackGroup()
        self.create_timer(1.0, self._report, group, clock=steady)
        self.create_timer(0.1, self._look_at_clock, MutuallyExclusiveCallbackGroup(),
                          clock=steady)
        self.create_timer(_GIVE_BACK_S, self._give_memory_back, MutuallyExclusiveCallbackGroup(),
                          clock=steady)
        if autostart:
            self._autostart = self.create_timer(
                0.0, self._start_by_itself, MutuallyExclusiveCallbackGroup(), clock=steady)

    # Lifecycle

    @property
    def state(self) -> str:
        """The lifecycle state's label: 'unconfigured', 'inactive', 'active', 'configuring', ..."""
        return self._state_machine.current_state[1]

    def _LifecycleNodeMixin__change_state(  # noqa: N802, rclpy's own name, mangled
        self, transition_id: int,
    ) -> TransitionCallbackReturn:
        # Jazzy's rclpy lets the error of a transition that this state does not have out of the
        # service, which then never answers; Kilted's answers ERROR, as this does for both.
        try:
            # No type checker sees a mangled name in a superclass.
            return super()._LifecycleNodeMixin__change_state(  # type: ignore[misc]
                transition_id)
        except rclpy_implementation.RCLError as error:
            self.get_logger().error(f"no such transition from '{self.state}': {error}")
            return TransitionCallbackReturn.ERROR

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load and warm the models.

        Returns:
            SUCCESS leads to 'inactive'. FAILURE leads back to 'unconfigured', with the reason in
            the log and in /diagnostics; the node stays alive and may be configured again.
        """
        config = self._dispatch.config
        try:
            self._page.apply(config)
        except RefDiffError as error:
            self._models = diagnostics.ModelState('failed', f'not loaded: {error}')
            self.get_logger().error(str(error))
            return FAILURE
        self._models = diagnostics.ModelState('loading', f"bundle '{config.bundle}'")
        self.get_logger().info(f"loading bundle '{config.bundle}'")
        began_s, listener = time.monotonic(), self._loading_listener(config.bundle)
        try:
            self._dispatch.engine = result_of(
                self._worker.submit(
                    lambda: load_engine(config, listener), 'loading', limited=False))
        except Exception as error:  # whatever loading raises, the node stays up and says so
            if not isinstance(error, RefDiffError):
                self.get_logger().error(traceback.format_exc())
            self._models = diagnostics.ModelState(
                'failed', f"bundle '{config.bundle}' could not be loaded: {error}")
            self.get_logger().error(self._models.detail)
            return FAILURE
        self._models = diagnostics.loaded(
            self._dispatch.engine.models, time.monotonic() - began_s)
        self.get_logger().info(self._models.detail)
        return SUCCESS

    def _loading_listener(self, bundle: str) -> Callable[[Step], None]:
        """Shows how far loading has got, in the log and in /diagnostics; ends it on a stop."""
        log = ProgressLog(lambda text: self.get_logger().info(text), every_s=10.0)

        def tell(step: Step) -> None:
            if self._worker.stopping:
                raise WorkerStoppedError(f'the node is ending: stopped {step.stage} {step.item}')
            self._models = diagnostics.ModelState('loading', f"bundle '{bundle}', {step}")
            log(step)
        return tell

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe and answer.

        Returns:
            SUCCESS leads to 'active'. FAILURE leads back to 'inactive', with the reason in the
            log.
        """
        config = self._dispatch.config
        try:
            self._inputs.subscribe(config.image_transport, config.reliability)
        except Exception:  # rclpy would drop it without a word
            self.get_logger().error(f'cannot subscribe\n{traceback.format_exc()}')
            self._inputs.unsubscribe()
            return FAILURE
        LifecycleNodeMixin.on_activate(self, state)
        self._dispatch.active = True
        if config.bond_heartbeat_period and status_type() is not None:
            self._bond = self._bond or Bond(self, lambda: not self._hang_text())
            self._bond.start(config.bond_heartbeat_period)
        self.get_logger().info(
            f"active: images from {self.resolve_topic_name(self._inputs.inputs['image'].topic)}, "
            f'expressions from {self.resolve_topic_name("expression")}, calls to '
            f'{self._segment.name}')
        return SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and keep the models. SUCCESS leads to 'inactive'."""
        self._stop_answering()
        self._outputs.clear()
        return LifecycleNodeMixin.on_deactivate(self, state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the models.

        Returns:
            SUCCESS leads to 'unconfigured'. FAILURE leads back to 'inactive': a step hangs, and
            only the end of the process frees what it holds.
        """
        engine, self._dispatch.engine = self._dispatch.engine, None
        if engine is not None:
            freed = self._worker.submit(lambda: unload_engine(engine), 'freeing the models')
            if not self._wait_unless_hanging(freed):
                self._dispatch.engine = engine
                self.get_logger().error(f'the models cannot be freed: {self._hang_text()}')
                return FAILURE
        self._models = diagnostics.ModelState()
        self._page.stop()
        return SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop answering and free the models. SUCCESS leads to 'finalized'."""
        self._stop_answering()
        return self.on_cleanup(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """After an unexpected error in a transition. SUCCESS leads to 'unconfigured'."""
        self._stop_answering()
        return self.on_cleanup(state)

    def _stop_answering(self) -> None:
        self._dispatch.active = False
        self._break_bond()
        self._forget()
        self._inputs.unsubscribe()
        self._refuse_waiting('the node was deactivated')

    def _break_bond(self) -> None:
        if self._bond is not None:
            self._bond.stop()

    def _forget(self) -> None:
        """Drop the standing expression: who activates the node again may want another."""
        if self._dispatch.standing.text:
            self._forgotten = self._dispatch.standing.text
            self.get_logger().warning(
                f'the standing expression {self._forgotten[:200]!r} is dropped, for the node is '
                'no longer active: publish it again once it is')
        self._stand('')

    def _refuse_waiting(self, reason: str) -> None:
        self._dispatch.refuse_all(Refusal(Status.INACTIVE, reason))

    def _start_by_itself(self) -> None:
        self._autostart.cancel()
        if self.state != 'unconfigured':  # somebody was faster
            return
        if self.trigger_configure() == SUCCESS and self.state == 'inactive':
            self.trigger_activate()

    # Inputs

    def _frame_came(self) -> None:
        self._statistics.images.tick()
        self._worker.wake()
        self._tracker.frame_came()
        self._page.frame_came()

    def _depth_came(self) -> None:
        self._worker.wake()
        self._tracker.frame_came()

    def _expression_came(self, said: str) -> None:
        text = from_outside(said)
        self._forgotten = ''
        self._stand(text)
        self.get_logger().info(
            f'standing expression: {text[:200]!r}' if text.strip() else
            'standing expression cleared')
        if text.strip():
            self._worker.wake()
        else:  # after the answer that may be under way
            self._worker.submit(self._outputs.clear)

    def _stand(self, text: str) -> None:
        standing = self._dispatch.set_expression(text)
        self._tracker.expect(standing)
        self._page.said(standing.text)

    def _call_came(self, request: ReferSegmentation.Request, reply_to: Any) -> None:
        config, now_s = self._dispatch.config, time.monotonic()
        request.expression = from_outside(request.expression)
        timeout_s = request.timeout or config.service_timeout
        pending = PendingRequest(request, reply_to, now_s, now_s + timeout_s)
        if not 0 < timeout_s < float('inf'):
            self._dispatch.refuse(pending, Refusal(
                Status.BAD_REQUEST,
                f'expected a timeout in seconds, or 0 for the default, got {request.timeout}'))
        elif not self._dispatch.active:
            self._dispatch.refuse(pending, Refusal(Status.INACTIVE, self._why_inactive()))
        elif self._hangs.hanging is not None:
            self._dispatch.refuse(pending, Refusal(Status.INTERNAL, self._hang_text()))
        elif not self._dispatch.queue.push(pending, config.queue_size):
            self._dispatch.refuse(pending, Refusal(
                Status.BUSY,
                f'{config.queue_size} calls wait already: ask again later, or raise queue_size'))
        elif not self._dispatch.active:  # deactivated in between
            self._refuse_waiting('the node was deactivated')
        else:
            self._worker.wake()

    def _why_inactive(self) -> str:
        return diagnostics.why_inactive(self.state, self._models)

    # Outputs

    def _publish(self, result: Answer, config: parameters.NodeConfig) -> None:
        self._outputs.publish(result, config.candidates)
        if result.origin is Origin.CARRIED:
            self._statistics.carried.tick()
        else:
            self._tracker.grounded(result)
            give_memory_back()
        if result.standing == self._dispatch.standing.number:  # not cleared or changed in between
            self._page.offer(result, config.candidates, standing=True)
        if result.segmentation is None:
            self.get_logger().warning(
                f'{result.status.name}: {result.reason}', throttle_duration_sec=5.0)

    def _reply(
        self, pending: PendingRequest, result: Answer, config: parameters.NodeConfig,
    ) -> None:
        send = self._segment.refuse if result.segmentation is None else self._segment.reply
        send(pending.reply_to, service_response(
            result, config.candidates, pending.request.without_masks))
        if not self._dispatch.standing.text:
            # Of what is asked for by calls, such as a follower's, somebody may look on as well.
            self._page.offer(result, config.candidates, standing=False)
            self._outputs.show(result)

    def _report(self) -> None:
        if self._inputs.inputs:
            self._inputs.follow_publishers()
        now = self.get_clock().now()
        situation = diagnostics.Situation(
            self.state, self._dispatch.standing.text, len(self._dispatch.queue),
            now.nanoseconds == 0, self._dispatch.config.max_age, self._forgotten,
            self._hang_text())
        report = diagnostics.report(
            self.get_fully_qualified_name(), now, situation, self._models, self._inputs,
            self._statistics)
        self._diagnostics.publish(report)
        self._page.report(report)

    def _give_memory_back(self) -> None:
        if self._dispatch.engine is not None:
            give_memory_back()

    # Operator page

    def _operator_says(self, text: str) -> str:
        if not self._dispatch.active:
            return self._why_inactive()
        self._expression_came(text)
        return ''

    def _operator_chose(self, chosen: Answer) -> str:
        if not self._dispatch.active:
            raise BadRequestError(self._why_inactive())
        self._outputs.select(chosen)
        self.get_logger().info(f'{chosen.reason}, for {chosen.expression[:200]!r}')
        return self.resolve_topic_name('~/selected')

    # Parameters

    def _check_parameters(self, changes: list[Parameter]) -> SetParametersResult:
        engine = self._dispatch.engine
        for change in changes:
            problem = ''
            if engine is not None:
                problem = why_not_calibrated(self._dispatch.config, change.name, change.value)
            if not problem and change.name == 'mode' and engine is not None and (
                    change.value in set(Mode)):
                problem = why_not_mode(engine, change.value)
            if problem:
                return SetParametersResult(successful=False, reason=problem)
        return parameters.check_change(changes, self._dispatch.config, self.state)

    def _take_parameters(self, changes: list[Parameter]) -> None:
        self._dispatch.config = self._dispatch.config.updated({p.name: p.value for p in changes})
        if self._board is not None:
            self._board.limit(self._dispatch.config.step_timeout)
        self._worker.wake()

    # A step that hangs

    def guarded_by(self, board: Board, fail: Callable[[int], None]) -> None:
        """What this process does is noted on `board`; `fail` ends it with an exit status."""
        self._board, self._fail = board, fail
        self._worker.watch.on_step = board.step
        board.limit(self._dispatch.config.step_timeout)

    def _look_at_clock(self) -> None:
        limit_s = self._dispatch.config.step_timeout
        self._hangs.look(limit_s)
        self._tracker_hangs.look(limit_s)
        self._dispatch.expire()

    def _hang_text(self) -> str:
        """Which step hangs, since when, and what to do; '' for none."""
        step = self._hangs.hanging or self._tracker_hangs.hanging
        return '' if step is None else diagnostics.hang_text(
            step, self._dispatch.config.step_timeout)

    def _step_hangs(self, step: RunningStep) -> None:
        config = self._dispatch.config
        text = diagnostics.hang_text(step, config.step_timeout)
        self._dispatch.give_up(Refusal(Status.TIMEOUT, text))
        self._dispatch.refuse_all(Refusal(Status.INTERNAL, text))
        self._tell_of_hang(text)

    def _tracker_step_hangs(self, step: RunningStep) -> None:
        self._tell_of_hang(diagnostics.hang_text(step, self._dispatch.config.step_timeout))

    def _tell_of_hang(self, text: str) -> None:
        self.get_logger().error(text)
        self._report()
        if self._dispatch.config.on_hang == 'exit':
            timer = threading.Timer(_REPORTED_S, self._end_hanging)
            timer.daemon = True
            timer.start()

    def _end_hanging(self) -> None:
        if self._hang_text():
            self._fail(_HUNG_STATUS)

    def _step_ended(self, step: RunningStep) -> None:
        self.get_logger().warning(
            f"the step '{step.name}' has ended after all, {time.monotonic() - step.since_s:.1f} s "
            'after it began: the node answers again')

    def _wait_unless_hanging(self, future: Any) -> bool:
        """Until a job of the worker is done; False when a step hangs before."""
        while not done_within(future, 0.1):
            if self._hangs.hanging is not None:
                future.cancel()
                return False
        result_of(future)
        return True

    # End

    def _worker_failed(self, error: BaseException) -> None:
        _LOG.error('unexpected error; the node goes on', exc_info=error)

    def stop(self) -> None:
        """Refuse what waits, and end the worker where the running stage ends, or give it up.

        Loading is not waited for: a download goes on where it stopped, and the rest only reads.
        """
        patience_s = _LOADING_S if self._models.state == 'loading' else _STEP_S
        self._dispatch.active = False
        self._break_bond()
        self._worker.stop()
        self._tracker.stop()
        self._refuse_waiting('the node is ending')
        hanging = self._hangs.hanging
        if not self._worker.join(0.0 if hanging else patience_s):
            step = hanging or self._worker.watch.step
            if step:
                self._dispatch.give_up(Refusal(
                    Status.INACTIVE,
                    f"the node is ending: it did not wait for the step '{step.name}'"))
        self._segment.close()
        self._page.stop()
        self._tracker.join(_LOADING_S)


def main(args: Sequence[str] | None = None) -> int:
    """Start the node and spin until interrupted; returns the exit status."""
    settle_heap()
    return run(RefDiffNode, args)
