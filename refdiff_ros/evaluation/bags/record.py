"""A bag and its labels from simulated tabletops: a scene a frame."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from refdiff_ros.errors import BadRequestError, require
from refdiff_ros.evaluation.bags.labels import Label, label_line, write_labels
from refdiff_ros.evaluation.bags.writing import CameraBagWriter
from refdiff_ros.evaluation.metrics.grasp_error import TrueGrasp
from refdiff_ros.evaluation.metrics.rle import encode_rle
from refdiff_ros.evaluation.tabletop.cases import choose
from refdiff_ros.grasp.results import quaternion
from refdiff_ros.sim.depth_noise import as_millimetres, sensor_depth
from refdiff_ros.sim.expression_truth import shared_expressions, SharedExpression
from refdiff_ros.sim.expressions import expressions, SceneExpression
from refdiff_ros.sim.render import FRAME_ID, render_scenes, SceneView
from refdiff_ros.sim.true_grasps import true_grasp
from refdiff_ros.sim.worlds import table_scene

IMAGE_TOPIC = '/camera/color/image_raw'
INFO_TOPIC = '/camera/color/camera_info'
DEPTH_TOPIC = '/camera/depth/image_raw'
DEPTH_INFO_TOPIC = '/camera/depth/camera_info'
# The bag's clock starts at a round time of no meaning: the same command gives the same bag.
_FIRST_STAMP_NS = 1_700_000_000_000_000_000
_BATCH = 16


@dataclass(frozen=True)
class Recording:
    """What is recorded.

    Attributes:
        scenes: how many, one frame each.
        seed: of the first scene; each next scene adds 1.
        size_hw: of the pictures.
        rate: frames per second by their stamps.
        compressed: JPEG on IMAGE_TOPIC/compressed in place of raw images.
        depth_noise: depth as a real sensor gives it.
        several: label expressions that are true of several objects, too.

    Raises:
        BadRequestError: a value is out of range.
    """

    scenes: int = 20
    seed: int = 0
    size_hw: tuple[int, int] = (480, 640)
    rate: float = 10.0
    compressed: bool = False
    depth_noise: bool = True
    several: bool = False

    def __post_init__(self):
        if self.scenes < 1 or not 0 <= self.seed < 2**31 or not 0.01 <= self.rate <= 1000:
            raise BadRequestError(
                'expected 1 scene or more, a seed in 0..2147483647 and a rate in 0.01..1000 Hz, '
                f'got {self.scenes}, {self.seed} and {self.rate:g}')
        if not all(16 <= side <= 4096 for side in self.size_hw):
            raise BadRequestError('expected pictures of 16x16 to 4096x4096 pixels, got '
                                  f'{self.size_hw[1]}x{self.size_hw[0]} (width x height)')

    @property
    def image_topic(self) -> str:
        """Where the pictures are."""
        return f'{IMAGE_TOPIC}/compressed' if self.compressed else IMAGE_TOPIC

    def stamp_ns(self, number: int) -> int:
        """Of frame `number`."""
        return _FIRST_STAMP_NS + round(number * 1e9 / self.rate)


def record(
    bag: Path, labels: Path, recording: Recording, on_frame: Callable[[], None] | None = None,
) -> int:
    """Write a new bag and its labels: up to two expressions a scene, of two kinds.

    Each label has the object's true mask and grasp, and kind and sense of the expression as tags.

    Returns:
        How many labels there are.

    Raises:
        BadRequestError: the bag or the labels are there already.
        MissingPackageError, RefDiffError: MuJoCo, OpenGL or `rosbags` is missing, or a full disk.
    """
    if labels.exists():
        raise BadRequestError(f'expected new labels, but {labels} is there already: take another '
                              'name or delete it')
    found: list[Label] = []
    with CameraBagWriter(bag, FRAME_ID) as writer:
        for number, view in enumerate(_views(recording)):
            _write_frame(writer, view, recording, number)
            rng = np.random.default_rng((recording.seed, number))
            found += [_label(view, said, recording, number)
                      for said in choose(expressions(view), rng)]
            if recording.several:
                found += [_label_of_several(view, said, recording, number)
                          for said in choose(shared_expressions(view), rng)]
            if on_frame is not None:
                on_frame()
    write_labels(labels, map(label_line, found))
    return len(found)


def _views(recording: Recording) -> Iterator[SceneView]:
    seeds = range(recording.seed, recording.seed + recording.scenes)
    for start in range(0, len(seeds), _BATCH):
        scenes = [table_scene(seed) for seed in seeds[start:start + _BATCH]]
        yield from render_scenes(scenes, recording.size_hw)


def _write_frame(
    writer: CameraBagWriter, view: SceneView, recording: Recording, number: int,
) -> None:
    stamp_ns, frame = recording.stamp_ns(number), view.frame
    depth_m = require(frame.depth_m, 'depth of a rendered view')
    camera = require(frame.camera, 'intrinsics of a rendered view')
    if recording.depth_noise:
        depth_m = sensor_depth(depth_m, np.random.default_rng(recording.seed + number))
    for topic in (INFO_TOPIC, DEPTH_INFO_TOPIC):
        writer.write_camera_info(topic, stamp_ns, camera)
    writer.write_image(DEPTH_TOPIC, stamp_ns, as_millimetres(depth_m), '16UC1')
    if recording.compressed:
        writer.write_jpeg(recording.image_topic, stamp_ns, frame.image_rgb)
    else:
        writer.write_image(recording.image_topic, stamp_ns, frame.image_rgb, 'rgb8')


def _label(
    view: SceneView, said: SceneExpression, recording: Recording, number: int,
) -> Label:
    tags = {'kind': said.kind} | ({'sense': said.sense} if said.sense else {})
    return Label(
        recording.stamp_ns(number), recording.image_topic, said.text,
        encode_rle(view.masks[said.row]), _grasp(view, said.row), tags, 'simulation')


def _label_of_several(
    view: SceneView, said: SharedExpression, recording: Recording, number: int,
) -> Label:
    tags = {'kind': said.kind} | ({'sense': said.sense} if said.sense else {})
    first, *others = (encode_rle(view.masks[row]) for row in said.rows)
    return Label(recording.stamp_ns(number), recording.image_topic, said.text, first, None, tags,
                 'simulation', also=tuple(others))


def _grasp(view: SceneView, row: int) -> TrueGrasp:
    found = true_grasp(view, row)
    x, y, z = (round(float(value), 6) for value in found.position)
    return TrueGrasp(
        (x, y, z),
        None if found.rotation is None else quaternion(found.rotation),
        None if found.width_m is None else round(found.width_m, 6))
