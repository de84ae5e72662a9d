"""A service whose answers are sent later, from another thread.

rclpy answers a call when its callback returns, so that a call which waits for the models would
hold a thread of the executor, and an awaited one is polled in a busy loop. Here the callback
returns at once and `reply` is called whenever the answer is there.
"""

from collections.abc import Callable
import re
from typing import Any
import warnings

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.service import Service

from refdiff_ros.ros.paced_replies import PacedReplies, UnreachableError

# Requests that the middleware keeps until they are taken: at the default of 10 a burst of calls
# loses some, and their callers wait for ever.
_DEPTH = 1000
# A caller that the middleware has not wholly discovered after 0.1 s goes without its answer, with
# no more than this warning.
warnings.filterwarnings(
    'error', 'failed to send response', RuntimeWarning, module=re.escape(__name__))


class DeferredService:
    """A service server with the call and its answer apart.

    Args:
        node: the node.
        srv_type: service type.
        name: service name.
        on_request: called with the request and with what `reply` needs; must return quickly.
        callback_group: the callback group of `on_request`.
    """

    def __init__(
        self,
        node: Node,
        srv_type: type,
        name: str,
        on_request: Callable[[Any, Any], None],
        callback_group: CallbackGroup,
    ):
        self._on_request = on_request
        self._service: Service = node.create_service(
            srv_type, name, lambda request, response: request,
            qos_profile=QoSProfile(depth=_DEPTH, history=HistoryPolicy.KEEP_LAST,
                                   reliability=ReliabilityPolicy.RELIABLE),
            callback_group=callback_group)
        # The executor hands the callback's result and the caller's address to `send_response`.
        # rclpy offers no other way to answer later.
        self._service.send_response = on_request  # type: ignore[method-assign, assignment]
        self._paced = PacedReplies(lambda: node.count_clients(self.name))

    @property
    def name(self) -> str:
        """The service's full name."""
        return self._service.service_name

    def reply(self, reply_to: Any, response: Any) -> None:
        """Send the answer to one call, from any thread. A caller that is gone is no error."""
        self._paced.answer(lambda: self._send(reply_to, response))

    def refuse(self, reply_to: Any, response: Any) -> None:
        """As `reply`, behind all answers."""
        self._paced.refuse(lambda: self._send(reply_to, response))

    def _send(self, reply_to: Any, response: Any) -> None:
        """As rclpy's `Service.send_response`, which only warns when the caller is not reached."""
        request_id = getattr(reply_to, 'request_id', reply_to)
        try:
            with self._service.handle:
                self._service.handle.service_send_response(response, request_id)
        # The warning is an error here (see below), which rclpy's C++ does not expect.
        except (RuntimeWarning, SystemError) as error:
            raise UnreachableError(str(error.__cause__ or error)) from error

    def close(self) -> None:
        """Send the replies that still wait."""
        self._paced.close()
