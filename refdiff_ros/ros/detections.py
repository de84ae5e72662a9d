"""Answers as `vision_msgs` detections, for whatever already understands those."""

from importlib import import_module
import math
from typing import Any

import numpy as np

from refdiff_ros.ros.answers import Answer
from refdiff_ros.ros.messages import box_message, pose_message


def vision_msgs() -> Any:
    """The messages of the package vision_msgs; None where it is not installed."""
    try:
        return import_module('vision_msgs.msg')
    except ModuleNotFoundError as error:
        if (error.name or '').partition('.')[0] != 'vision_msgs':
            raise
        return None


def detection_array(answer: Answer, limit: int, msgs: Any) -> Any:
    """The regions that may be meant, best first; none unless the answer is FOUND or AMBIGUOUS.

    `class_id` is the expression, `score` the probability that it is true of the region (the
    answer's confidence where that is not known), `id` the number in the answer's question. The
    pose is the grasp's, in the optical frame, of the first region alone.

    Args:
        answer: the answer.
        limit: most regions listed.
        msgs: as from `vision_msgs`.
    """
    array, result = msgs.Detection2DArray(header=answer.header), answer.segmentation
    if result is None or not answer.status.has_mask:
        return array
    places = range(len(result.regions))[:limit]
    for place in places:
        detection = msgs.Detection2D(header=answer.header, id=str(result.numbers[place]))
        detection.bbox = _bounding_box(result.proposals[result.regions[place]], msgs)
        hypothesis = msgs.ObjectHypothesisWithPose()
        hypothesis.hypothesis.class_id = answer.expression
        score = result.fits[place] if result.fits else result.confidence
        hypothesis.hypothesis.score = float(score) if math.isfinite(score) else 0.0
        if place == 0 and answer.grasp is not None and answer.grasp.pose_valid:
            hypothesis.pose.pose = pose_message(answer.grasp.pose)
        detection.results = [hypothesis]
        array.detections.append(detection)
    return array


def _bounding_box(mask: np.ndarray, msgs: Any) -> Any:
    found, bounds = box_message(mask), msgs.BoundingBox2D()
    bounds.center.position.x = found.x_offset + (found.width - 1) / 2
    bounds.center.position.y = found.y_offset + (found.height - 1) / 2
    bounds.size_x, bounds.size_y = float(found.width), float(found.height)
    return bounds
