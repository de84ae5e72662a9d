"""The box in the base that the hand never leaves."""

from collections.abc import Sequence
from dataclasses import dataclass
import math

from refdiff_ros.errors import BadRequestError

EVERYWHERE = (-2.0, 2.0, -2.0, 2.0, -1.0, 2.0)


@dataclass(frozen=True)
class Workspace:
    """A box along the base's axes, metres.

    Attributes:
        low, high: its corners.

    Raises:
        BadRequestError: a corner is not finite, or the box is empty.
    """

    low: tuple[float, float, float]
    high: tuple[float, float, float]

    def __post_init__(self):
        if not all(map(math.isfinite, (*self.low, *self.high))) or any(
                a >= b for a, b in zip(self.low, self.high, strict=True)):
            raise BadRequestError(
                'expected workspace as x_min, x_max, y_min, y_max, z_min, z_max in metres, each '
                f'minimum below its maximum, got {self.low} and {self.high}')

    @classmethod
    def of(cls, values: Sequence[float]) -> 'Workspace':
        """From x_min, x_max, y_min, y_max, z_min, z_max.

        Raises:
            BadRequestError: not six numbers, or no box.
        """
        if len(values) != 6:
            raise BadRequestError('expected workspace as x_min, x_max, y_min, y_max, z_min, '
                                  f'z_max in metres, got {list(values)}')
        x_min, x_max, y_min, y_max, z_min, z_max = values
        return cls((x_min, y_min, z_min), (x_max, y_max, z_max))

    def outside(self, position: Sequence[float]) -> str:
        """Why a position cannot be gone to, '' where it can."""
        for axis, at, low, high in zip('xyz', position, self.low, self.high, strict=True):
            if not low <= at <= high:
                return (f'{axis} {at:.3f} m is outside of the workspace ({low:g} to {high:g} m): '
                        'nothing is driven there')
        return ''
