"""The topics of a simulated RGB-D camera, and beside them the truth about what it sees."""

import io
import json
from typing import Any

import numpy as np
from PIL import Image as Picture
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, qos_profile_sensor_data, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header, String

from refdiff_ros.errors import require
from refdiff_ros.results import Camera
from refdiff_ros.ros.conversions import image_message
from refdiff_ros.ros.parameters import ParameterSpec
from refdiff_ros.sim.depth_noise import as_millimetres, sensor_depth
from refdiff_ros.sim.expressions import expressions
from refdiff_ros.sim.render import FRAME_ID, SceneView
from refdiff_ros.sim.worlds import MAKERS, WORLD

# What both nodes that have such a camera take.
VIEW_PARAMETERS = (
    ParameterSpec('world', WORLD, 'Which things lie on the table: eight kinds, or twenty.',
                  'start', choices=tuple(MAKERS)),
    ParameterSpec('width', 640, 'Width of the images in pixels.', 'start', low=16, high=4096),
    ParameterSpec('height', 480, 'Height of the images in pixels.', 'start', low=16, high=4096),
)


class CameraTopics:
    """Publishers of colour, depth, intrinsics and truth.

    Args:
        node: whose they are.
        reliable: whether images that were lost are sent again.
    """

    def __init__(self, node: Node, reliable: bool = False):
        sensor = qos_profile_sensor_data
        if reliable:
            sensor = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
        self._image = node.create_publisher(Image, 'color/image_raw', sensor)
        self._jpeg = node.create_publisher(CompressedImage, 'color/image_raw/compressed', sensor)
        self._info = node.create_publisher(CameraInfo, 'color/camera_info', sensor)
        self._depth = node.create_publisher(Image, 'depth/image_raw', sensor)
        self._depth_info = node.create_publisher(CameraInfo, 'depth/camera_info', sensor)
        self._instances = node.create_publisher(Image, '~/instances', sensor)
        self._objects = node.create_publisher(String, '~/objects', QoSProfile(
            depth=1, reliability=ReliabilityPolicy.RELIABLE,
            durability=DurabilityPolicy.TRANSIENT_LOCAL))

    def publish_truth(self, view: SceneView) -> None:
        """Tell what lies on the table, also to who asks later."""
        self._objects.publish(String(data=objects_json(view)))

    def publish(self, view: SceneView, stamp: Any, noise_seed: int | None = None,
                compressed: bool = False) -> None:
        """Send one frame.

        Args:
            view: what is seen.
            stamp: of the frame, a `builtin_interfaces/Time`.
            noise_seed: of the depth noise; None leaves depth exact.
            compressed: whether a JPEG is sent too.
        """
        header = Header(stamp=stamp, frame_id=FRAME_ID)
        depth_m = require(view.frame.depth_m, 'depth of a rendered view')
        if noise_seed is not None:
            depth_m = sensor_depth(depth_m, np.random.default_rng(noise_seed))
        info = camera_info(
            require(view.frame.camera, 'intrinsics of a rendered view'), header)
        self._instances.publish(image_message(instance_ids(view.masks), '16UC1', header))
        self._info.publish(info)
        self._depth_info.publish(info)
        self._depth.publish(image_message(as_millimetres(depth_m), '16UC1', header))
        self._image.publish(image_message(view.frame.image_rgb, 'rgb8', header))
        if compressed:
            self._jpeg.publish(_jpeg(view.frame.image_rgb, header))


def objects_json(view: SceneView) -> str:
    """The truth about a scene as JSON.

    `{"seed": 0, "objects": [{"id": 1, "name": "red mug", "shape": "mug", "colour": "red",
    "centre": [x, y, z], "rotation": [[...], ...], "extents": [x, y, z], "round": true,
    "on": null}, ...],
    "expressions": [{"text": "the red mug", "id": 1, "kind": "attribute"}, ...]}`; metres, in the
    optical frame of the images; `id` is the value in `~/instances`, `on` the row (from 0) of the
    object that it stands on.
    """
    objects = [{
        'id': row + 1, 'name': thing.name, 'shape': thing.shape, 'colour': thing.colour,
        'centre': thing.centre.tolist(), 'rotation': thing.rotation.tolist(),
        'extents': list(thing.extents), 'round': thing.round,
        'on': thing.on,
    } for row, thing in enumerate(view.objects)]
    said = [{'text': e.text, 'id': e.row + 1, 'kind': e.kind} for e in expressions(view)]
    return json.dumps({'seed': view.scene.seed, 'objects': objects, 'expressions': said})


def instance_ids(masks: np.ndarray) -> np.ndarray:
    """(H, W) uint16 from disjoint masks (N, H, W): 0 background, n object n."""
    ids = np.arange(1, len(masks) + 1, dtype=np.uint16)
    return (masks * ids[:, None, None]).sum(axis=0, dtype=np.uint16)


def camera_info(camera: Camera, header: Header) -> CameraInfo:
    """`sensor_msgs/CameraInfo` of an ideal pinhole camera, rectified already."""
    fx, fy, cx, cy = camera.fx, camera.fy, camera.cx, camera.cy
    return CameraInfo(
        header=header, width=camera.width, height=camera.height, distortion_model='plumb_bob',
        d=[0.0] * 5, k=[fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0],
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0])


def _jpeg(image_rgb: np.ndarray, header: Header) -> CompressedImage:
    buffer = io.BytesIO()
    Picture.fromarray(image_rgb).save(buffer, 'jpeg', quality=90)
    return CompressedImage(header=header, format='rgb8; jpeg compressed bgr8',
                           data=buffer.getvalue())
