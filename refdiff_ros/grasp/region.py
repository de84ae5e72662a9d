"""The grasp stage as one call: mask in, `GraspRegion` out."""

from dataclasses import replace

import numpy as np

from refdiff_ros.errors import BadRequestError
from refdiff_ros.grasp.antipodal import antipodal_pairs, ContactPair
from refdiff_ros.grasp.config import GraspConfig
from refdiff_ros.grasp.depth_pose import candidate_pose, region_pose
from refdiff_ros.grasp.lens import in_view
from refdiff_ros.grasp.outline import (
    border_polygon,
    fill_holes,
    main_part,
    MainPart,
    Outline,
    trace,
)
from refdiff_ros.grasp.rectangle import oriented_rectangle, Rectangle
from refdiff_ros.grasp.results import GraspCandidate, GraspRegion, PoseStatus
from refdiff_ros.grasp.surface import hidden_share, visible_surface
from refdiff_ros.results import Camera, describe_array
from refdiff_ros.stages import stage

# A share of the outline hidden from which on the answer says so.
_HIDDEN = 0.1


@stage('grasp')
def grasp_region(mask: np.ndarray, depth_m: np.ndarray | None = None,
                 camera: Camera | None = None, config: GraspConfig | None = None) -> GraspRegion:
    """Where a parallel gripper can take hold of a mask.

    A gripper closes on one connected thing: of several parts the largest is taken, and the
    reason says so.

    Args:
        mask: (H, W) bool.
        depth_m: (H, W) float metres along the optical axis, registered to the image; 0,
            negative, NaN and infinite values are no reading.
        camera: intrinsics of the image, pixels.
        config: settings; the defaults are those of `GraspConfig`.

    Returns:
        The region. It is not `valid` for a mask that is empty or smaller than
        `config.min_area_px`; without usable depth or camera its `pose_status` says why and the
        2D part stands.

    Raises:
        BadRequestError: the mask is not (H, W) bool, or depth is not floating point.
    """
    config = config or GraspConfig()
    if not isinstance(mask, np.ndarray) or mask.dtype != bool or mask.ndim != 2:
        raise BadRequestError(f'expected a mask (H, W) bool, got {describe_array(mask)}')
    if depth_m is not None and not np.issubdtype(depth_m.dtype, np.floating):
        raise BadRequestError(
            f'expected depth in floating-point metres, got {describe_array(depth_m)}: '
            'divide 16-bit millimetres by 1000')
    if not mask.any():
        return _no_region('the mask is empty, so there is nothing to hold')
    part = main_part(mask)
    area = int(np.count_nonzero(part.mask))
    if area < config.min_area_px:
        return _no_region(f'the region has {area} pixels, fewer than the {config.min_area_px} '
                          'that an axis can be measured on: move the camera nearer')
    outline = trace(part.mask)
    rectangle = oriented_rectangle(part.mask, outline)
    pairs = antipodal_pairs(outline, fill_holes(part.mask), rectangle, config)
    region = GraspRegion(
        valid=True, reason=_remarks(part, bool(outline.cut.any()), pairs),
        center_u=rectangle.center[0], center_v=rectangle.center[1],
        length_px=rectangle.length_px, width_px=rectangle.width_px, angle=rectangle.angle,
        contour=border_polygon(part.mask), candidates=tuple(map(_candidate, pairs)))
    return _with_pose(region, part.mask, outline, rectangle, depth_m, camera, config)


def _no_region(reason: str) -> GraspRegion:
    return GraspRegion(valid=False, reason=reason, pose_status=PoseStatus.NO_REGION,
                       pose_reason=reason)


def _remarks(part: MainPart, cut: bool, pairs: tuple[ContactPair, ...]) -> str:
    remarks = []
    if part.parts > 1:
        share = part.left_out / (part.left_out + np.count_nonzero(part.mask))
        remarks.append(f'the largest of {part.parts} separate parts was taken, '
                       f'{share:.0%} of the mask left out')
    if cut:
        remarks.append('the region is cut off by the image\'s border, so it may go on beyond')
    if not pairs:
        remarks.append('no two facing contacts were found on its outline')
    return '; '.join(remarks)


def _candidate(pair: ContactPair) -> GraspCandidate:
    return GraspCandidate(
        u1=pair.first[0], v1=pair.first[1], u2=pair.second[0], v2=pair.second[1],
        angle=pair.angle, width_px=pair.width_px, quality=pair.quality)


# Everything that is known of the region and the camera.
def _with_pose(region: GraspRegion, mask: np.ndarray, outline: Outline, rectangle: Rectangle,  # noqa: PLR0913
               depth_m: np.ndarray | None, camera: Camera | None,
               config: GraspConfig) -> GraspRegion:
    """The region with its 3D part, or with the reason why it has none."""
    if depth_m is None:
        return replace(region, pose_status=PoseStatus.NO_DEPTH,
                       pose_reason='no depth came with the image')
    if depth_m.shape != mask.shape:
        return replace(region, pose_status=PoseStatus.DEPTH_MISMATCH, pose_reason=(
            f'expected depth of the image\'s size {mask.shape}, got {depth_m.shape}: '
            'register depth to the colour image'))
    if camera is None:
        return replace(region, pose_status=PoseStatus.NO_CAMERA_INFO,
                       pose_reason='no usable camera_info came with the image')
    if (camera.height, camera.width) != mask.shape:
        return replace(region, pose_status=PoseStatus.NO_CAMERA_INFO, pose_reason=(
            f'expected camera_info for an image of {mask.shape[1]}x{mask.shape[0]}, '
            f'got {camera.width}x{camera.height}'))
    if camera.lens is not None and not in_view(
            outline.points[:, 0], outline.points[:, 1], camera):
        return replace(region, pose_status=PoseStatus.NO_CAMERA_INFO, pose_reason=(
            f'expected the region where the lens model {camera.lens.model} of camera_info holds, '
            'but it is out of that: calibrate the camera up to its corners, or move it'))
    surface = visible_surface(mask, depth_m, camera, config)
    if surface is None:
        readings = int((mask & np.isfinite(depth_m) & (np.nan_to_num(depth_m) > 0)).sum())
        area = np.count_nonzero(mask)
        return replace(region, pose_status=PoseStatus.TOO_FEW_POINTS,
                       depth_fraction=readings / area, pose_reason=(
            f'{readings} of {area} pixels have a depth reading, and too few agree: '
            f'at least {config.min_points} are needed'))
    pose, width, extents = region_pose(mask, surface, rectangle, camera, config)
    approach = pose.rotation[:, 2]
    hidden = hidden_share(outline, surface, depth_m)
    remark = '' if hidden < _HIDDEN else (
        f'something nearer hides {hidden:.0%} of the outline, so the object may be larger')
    return replace(
        region, pose_status=PoseStatus.VALID, pose_reason=remark, pose=pose,
        width_m=width, extents=extents, depth_fraction=surface.fraction, candidates=tuple(
            candidate_pose(c, surface, camera, approach) for c in region.candidates))
