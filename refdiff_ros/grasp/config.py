"""Settings of the grasp stage."""

from dataclasses import dataclass
import math

from refdiff_ros.errors import BadRequestError


@dataclass(frozen=True)
class GraspConfig:
    """How contacts are chosen and which depth readings are believed.

    Attributes:
        min_area_px: a region of fewer pixels is not valid.
        max_candidates: antipodal pairs kept.
        contour_points: points of the contour that are paired; the cost grows with the square.
        friction: coefficient of friction; contact normals may lean from the closing direction
            by up to atan(friction).
        max_lean: largest angle between a closing direction and the narrow axis, radians; not
            applied to a region without a clear main axis.
        round_ratio: a rectangle whose sides differ by less than this factor has no clear main
            axis.
        erosion_px: rim of the mask whose depth is not believed (flying pixels).
        max_slant: a surface seen at a larger angle between its normal and the viewing ray is
            not believed, radians.
        mad_limit: depth further than this many scaled median absolute deviations from the
            fitted surface is not believed.
        min_deviation_m: deviations below this are never rejected, metres.
        min_points: fewer usable readings give no pose.
    """

    min_area_px: int = 12
    max_candidates: int = 5
    contour_points: int = 128
    friction: float = 0.5
    max_lean: float = math.radians(30)
    round_ratio: float = 1.15
    erosion_px: int = 2
    max_slant: float = math.radians(84)
    mad_limit: float = 5.0
    min_deviation_m: float = 0.005
    min_points: int = 20

    def __post_init__(self) -> None:
        for name, low in (('min_area_px', 1), ('max_candidates', 0), ('contour_points', 8),
                          ('friction', 0), ('max_lean', 0), ('round_ratio', 1),
                          ('erosion_px', 0), ('max_slant', 0), ('mad_limit', 0),
                          ('min_deviation_m', 0), ('min_points', 3)):
            value = getattr(self, name)
            if not value >= low:
                raise BadRequestError(f'expected grasp.{name} >= {low}, got {value!r}')
