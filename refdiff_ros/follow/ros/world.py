"""What the refdiff node and the depth camera see, as a `World`."""

from collections.abc import Callable
import time
from typing import Any

from refdiff_ros.follow.grounded import Grounded
from refdiff_ros.follow.results import Candidate
from refdiff_ros.masks import candidate_masks, mask_pixels
from refdiff_ros.pick.robot import RobotError
from refdiff_ros.pick.ros.depth import NoDepthError
from refdiff_ros.pick.ros.frames import NoTransformError
from refdiff_ros.pick.ros.hand_node import HandNode
from refdiff_ros.pick.space import View
from refdiff_ros.results import Status

_ASK_AGAIN_S = 0.2
_FRESH_S = 10.0


class RosWorld:
    """What is seen from a node with a robot.

    Args:
        node: asks, and knows where the camera is.
        check: called while waiting; raises to break off.
    """

    def __init__(self, node: HandNode, check: Callable[[], None]):
        self._node, self._check = node, check

    def ground(self, text: str) -> Grounded:
        """What a referring expression means in a picture that is taken from now on.

        Raises:
            RobotError: the camera's pose or its depth is not to be had.
            StoppedError: as the check says.
        """
        since = self._node.depth.newest_stamp()
        end_s = time.monotonic() + _FRESH_S
        while True:
            response = self._node.ask_refdiff(text, self._check)
            stamp = response.mask.header.stamp
            # The refdiff node may answer on a picture that shows the hand, or what has moved.
            if not Status(response.status).has_mask or since is None or _later(stamp, since) or \
                    time.monotonic() > end_s:
                return self._grounded(response)
            self._check()
            time.sleep(_ASK_AGAIN_S)

    def look(self) -> View:
        """A depth picture that is taken from now on.

        Raises:
            RobotError: none comes, or the camera's pose is not known.
            StoppedError: as the check says.
        """
        self._node.depth.forget()
        return self._view(None)

    def _grounded(self, response: Any) -> Grounded:
        status, msg = Status(response.status), response.mask
        if not status.has_mask:
            return Grounded(status, response.reason)
        view = self._view(msg.header.stamp)
        found: tuple[Candidate, ...] = (Candidate(mask_pixels(msg.mask)),)
        if status is Status.AMBIGUOUS and msg.candidates:
            found = tuple(Candidate(mask, each.description, each.number, each.probability)
                          for mask, each in zip(
                              candidate_masks(msg), msg.candidates, strict=True))
        return Grounded(status, response.reason, found, view, msg.question)

    def _view(self, stamp: Any) -> View:
        node = self._node
        try:
            return node.depth.view(
                lambda frame, at: node.camera(frame, at, self._check), stamp, self._check)
        except (NoDepthError, NoTransformError) as error:
            raise RobotError(str(error)) from error


def _later(stamp: Any, since: Any) -> bool:
    return (stamp.sec, stamp.nanosec) > (since.sec, since.nanosec)
