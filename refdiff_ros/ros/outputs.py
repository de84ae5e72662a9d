"""The publishers of answers, and of pictures of them."""

from typing import TYPE_CHECKING

from geometry_msgs.msg import PoseStamped
import numpy as np
from rclpy.lifecycle import LifecycleNodeMixin
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from visualization_msgs.msg import MarkerArray

from refdiff_ros.msg import GraspRegion, ReferringMask
from refdiff_ros.results import Frame, Segmentation, Status
from refdiff_ros.ros.answers import Answer
from refdiff_ros.ros.conversions import image_message
from refdiff_ros.ros.detections import detection_array, vision_msgs
from refdiff_ros.ros.markers import marker_array, no_markers
from refdiff_ros.ros.messages import grasp_region, referring_mask

if TYPE_CHECKING:
    from refdiff_ros.grasp.results import GraspRegion as Grasp


class Outputs:
    """Publishers in the node's private name space, enabled while the node is active."""

    def __init__(self, node: LifecycleNodeMixin):
        # Reliable serves both kinds of subscriber.
        def publisher(msg_type: type, name: str, depth: int):
            return node.create_lifecycle_publisher(msg_type, f'~/{name}', QoSProfile(depth=depth))
        self._mask = publisher(ReferringMask, 'mask', 5)
        self._mask_image = publisher(Image, 'mask_image', 5)
        self._grasp = publisher(GraspRegion, 'grasp_region', 5)
        self._grasp_pose = publisher(PoseStamped, 'grasp_pose', 5)
        self._vision = vision_msgs()
        self._detections = None if self._vision is None else publisher(
            self._vision.Detection2DArray, 'detections', 5)
        self._overlay = publisher(Image, 'overlay', 1)
        self._attention = publisher(Image, 'attention', 1)
        self._markers = publisher(MarkerArray, 'markers', 1)
        self._selected = publisher(ReferringMask, 'selected', 5)
        self._selected_grasp = publisher(GraspRegion, 'selected_grasp', 5)

    def publish(self, answer: Answer, candidates: int) -> None:
        """Publish an answer to the standing expression."""
        mask, grasp = referring_mask(answer, candidates), grasp_region(answer)
        mask.latency_ms = float(answer.latency_ms)  # after all that takes time
        self._mask.publish(mask)
        self._grasp.publish(grasp)
        # It has no field for a status: what is not certain is not sent.
        if answer.status is Status.FOUND and answer.grasp is not None and answer.grasp.pose_valid:
            self._grasp_pose.publish(PoseStamped(header=answer.header, pose=grasp.pose))
        if self._detections is not None and self._detections.get_subscription_count():
            self._detections.publish(detection_array(answer, candidates, self._vision))
        if answer.segmentation is not None and self._mask_image.get_subscription_count():
            self._mask_image.publish(mask.mask)
        self.show(answer)

    def show(self, answer: Answer) -> None:
        """Publish what people look at, each only while somebody listens; of calls as well."""
        if self._markers.get_subscription_count():
            self._markers.publish(marker_array(answer))
        result, frame = answer.segmentation, answer.frame
        if result is None or frame is None:
            return
        if self._overlay.get_subscription_count():
            self._overlay.publish(image_message(
                _overlay(frame, result, answer.grasp), 'rgb8', answer.header))
        if self._attention.get_subscription_count() and result.correlation is not None:
            self._attention.publish(image_message(
                _attention(result.correlation), 'rgb8', answer.header))

    def select(self, answer: Answer) -> None:
        """Publish the region that an operator chose."""
        mask, grasp = referring_mask(answer, 1), grasp_region(answer)
        mask.latency_ms = float(answer.latency_ms)
        self._selected.publish(mask)
        self._selected_grasp.publish(grasp)

    def clear(self) -> None:
        """Take the markers of the last answer off the screen."""
        if self._markers.get_subscription_count():
            self._markers.publish(no_markers())


def _overlay(
    frame: Frame, result: Segmentation, grasp: 'Grasp | None',
) -> np.ndarray:
    from refdiff_ros.pictures import overlay

    return overlay.draw(frame.image_rgb, result, grasp)


def _attention(correlation: np.ndarray) -> np.ndarray:
    from refdiff_ros.pictures import overlay

    return overlay.attention_image(correlation)
