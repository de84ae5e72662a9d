"""The node `refdiff` that knows: it answers with the simulator's true masks.

The same service, messages and grasp code as the refdiff node, so that whoever calls it cannot
tell them apart and only the grounding differs. Inputs `image`, `depth`, `camera_info` as there,
and `instances` and `objects` of a simulated camera.
"""

from collections.abc import Sequence
import json
import math
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header, String

from refdiff_ros.grasp.region import grasp_region
from refdiff_ros.language.expression import parse
from refdiff_ros.matching.question import ask
from refdiff_ros.pictures.camera_info import camera_from_info
from refdiff_ros.results import Status
from refdiff_ros.ros.answers import Answer
from refdiff_ros.ros.conversions import depth_from_image, mask_message, rgb_from_image
from refdiff_ros.ros.messages import (
    box_message,
    mask_candidates,
    service_response,
    without_pixels,
)
from refdiff_ros.ros.processes.spin import run
from refdiff_ros.sim.naming import named_rows
from refdiff_ros.srv import ReferSegmentation

_KEPT = 10


class TruthNode(Node):
    """Answers `~/segment` from what the simulator says."""

    def __init__(self, **kwargs: Any):
        super().__init__('refdiff', **kwargs)
        reliable = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
        self._told = False  # the objects, and what is true of them
        self._meant: dict[str, int] = {}
        self._camera: CameraInfo | None = None
        # By stamp, newest last.
        self._depth: dict[tuple[int, int], Image] = {}
        self._instances: dict[tuple[int, int], Image] = {}
        self._images: dict[tuple[int, int], Image] = {}
        self._names: list[str] = []
        self.create_subscription(
            Image, 'image', lambda msg: _keep(self._images, msg), reliable)
        self.create_subscription(
            Image, 'depth', lambda msg: _keep(self._depth, msg), reliable)
        self.create_subscription(
            Image, 'instances', lambda msg: _keep(self._instances, msg), reliable)
        self.create_subscription(CameraInfo, 'camera_info', self._info_came, reliable)
        self.create_subscription(String, 'objects', self._objects_came, QoSProfile(
            depth=1, reliability=ReliabilityPolicy.RELIABLE,
            durability=DurabilityPolicy.TRANSIENT_LOCAL))
        self.create_service(ReferSegmentation, '~/segment', self._answer)

    def stop(self) -> None:
        """Nothing runs beside the callbacks."""

    def _info_came(self, msg: CameraInfo) -> None:
        self._camera = msg

    def _objects_came(self, msg: String) -> None:
        told = json.loads(msg.data)
        self._names = [thing['name'] for thing in told['objects']]
        self._meant = {said['text']: said['id'] for said in told['expressions']}
        self._told = True
        # Frames of the scene before.
        self._depth.clear()
        self._instances.clear()

    def _answer(self, request: ReferSegmentation.Request, _response: Any,
                ) -> ReferSegmentation.Response:
        both = [stamp for stamp in self._instances if stamp in self._depth]
        if not both or self._camera is None or not self._told:
            return service_response(Answer(
                Status.NO_IMAGE, 'no frame with depth and truth has come yet: wait',
                request.expression))
        instances, depth = self._instances[both[-1]], self._depth[both[-1]]
        ids = np.frombuffer(instances.data, '<u2').reshape(instances.height, instances.width)
        masks = self._masks(request.expression, ids)
        mask = masks[0] if len(masks) else np.zeros(ids.shape, bool)
        status, reason = _status(request.expression, masks)
        region = grasp_region(mask, depth_from_image(depth), camera_from_info(self._camera))
        response = service_response(Answer(
            status, reason, request.expression, header=instances.header, grasp=region,
            bundle='truth'))
        response.mask.mask = mask_message(mask, instances.header)
        response.mask.box, response.mask.area = box_message(mask), int(mask.sum())
        response.mask.candidates = mask_candidates(
            list(masks[:1]), [''] * len(masks[:1]), instances.header)
        if status is Status.AMBIGUOUS:
            self._ask_which(response, request.expression, masks, instances.header)
        if request.without_masks:
            without_pixels(response.mask, response.grasp)
        return response

    def _masks(self, text: str, ids: np.ndarray) -> np.ndarray:
        """(K, H, W) bool, of the objects in sight that a text is true of."""
        rows = named_rows(text, self._names)
        if rows is None:
            number = self._meant.get(text)
            rows = [] if number is None else [number - 1]
        masks = [ids == row + 1 for row in rows]
        return np.array([mask for mask in masks if mask.any()], bool)

    def _ask_which(self, response: ReferSegmentation.Response, text: str, masks: np.ndarray,
                   header: Header) -> None:
        """Fill in candidates and question, in the words of the engine's own."""
        image = self._images.get((header.stamp.sec, header.stamp.nanosec))
        picture = np.zeros((*masks.shape[1:], 3), np.uint8) if image is None else \
            rgb_from_image(image)
        question = ask(masks, picture, parse(text, None))
        response.mask.question = question.text
        response.mask.candidates = mask_candidates(list(masks), question.descriptions, header)
        for candidate, number in zip(response.mask.candidates, question.numbers, strict=True):
            candidate.number, candidate.probability = number, math.nan


def _status(text: str, masks: np.ndarray) -> tuple[Status, str]:
    if len(masks) == 0:
        return Status.NOT_FOUND, f'{text!r} is true of no object in sight'
    if len(masks) == 1:
        return Status.FOUND, 'the true mask'
    return Status.AMBIGUOUS, f'{len(masks)} things fit {text!r}'


def _keep(kept: dict[tuple[int, int], Image], msg: Image) -> None:
    kept[msg.header.stamp.sec, msg.header.stamp.nanosec] = msg
    while len(kept) > _KEPT:
        kept.pop(next(iter(kept)))


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until SIGINT; the process' exit status."""
    return run(TruthNode, args)
