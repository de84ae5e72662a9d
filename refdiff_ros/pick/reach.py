"""What the gripper can do, and where the table is."""

from dataclasses import dataclass, fields
import math

from refdiff_ros.errors import BadRequestError


@dataclass(frozen=True)
class Reach:
    """What the gripper can do, and where the table is.

    Attributes:
        max_opening_m: between the opened fingers.
        finger_length_m: from the fingertips to the palm.
        table_z_m: height of the table's top in the base.
        clearance_m: fingertips stay this far above the table.
        margin_m: the fingers open this much wider than the object.
        tip_depth_m: the fingertips go this far below the contacts.
        standoff_m: height over the grasp at which the approach begins.
        lift_m: how high the object is lifted.
        finger_width_m, finger_thickness_m: of a finger, across and along the closing direction.
        palm_width_m: of the palm, along the closing direction.

    Raises:
        BadRequestError: a length that is not positive.
    """

    max_opening_m: float = 0.11
    finger_length_m: float = 0.12
    table_z_m: float = 0.0
    clearance_m: float = 0.004
    margin_m: float = 0.02
    tip_depth_m: float = 0.012
    standoff_m: float = 0.12
    lift_m: float = 0.15
    finger_width_m: float = 0.022
    finger_thickness_m: float = 0.008
    palm_width_m: float = 0.14

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            if not math.isfinite(value) or (field.name != 'table_z_m' and value <= 0):
                raise BadRequestError(f'expected {field.name} > 0 metres, got {value!r}')
