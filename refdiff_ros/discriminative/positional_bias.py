"""Eq. (6): the positional bias P that an expression's direction words put on the image.

Letters: H W image height and width.
"""

from collections.abc import Iterable

import numpy as np

from refdiff_ros.errors import BadRequestError
from refdiff_ros.presets import DiscriminativeConfig
from refdiff_ros.results import ReferringExpression

# What is nearer to a camera that looks at a table or a floor is lower in its image.
_SAME_AS = {'front': 'bottom', 'back': 'top'}
_DIRECTIONS = ('left', 'right', 'top', 'bottom', 'middle')


def canonical_directions(directions: Iterable[str]) -> tuple[str, ...]:
    """`directions` as image directions, each once, in a fixed order.

    'front' (nearer) reads as 'bottom' and 'back' as 'top', so that 'front left' and
    'bottom left' name the same bias.

    Raises:
        BadRequestError: a direction is unknown.
    """
    found = {_SAME_AS.get(direction, direction) for direction in directions}
    unknown = found.difference(_DIRECTIONS)
    if unknown:
        raise BadRequestError(
            f'expected directions of {_DIRECTIONS + tuple(_SAME_AS)}, got {sorted(unknown)}')
    return tuple(direction for direction in _DIRECTIONS if direction in found)


def find_directions(
    expression: ReferringExpression, config: DiscriminativeConfig,
) -> tuple[str, ...]:
    """The directions of `expression` that bias the image under `config`, canonical.

    By word, every direction that the parser found counts (with `root_only`, only those about the
    object meant). Without `word_level`, the first of `config.directions` that occurs anywhere in
    the text counts and no other: 'the leftover pizza on the right' gives 'left'.

    Raises:
        BadRequestError: `config.directions` has an unknown direction.
    """
    allowed = config.directions
    if not config.word_level:
        text = expression.text.lower()
        inside = [direction for direction in allowed if direction in text]
        return canonical_directions(inside[:1])
    found = expression.root_directions if config.root_only else (
        word.direction for word in expression.directions)
    return canonical_directions(direction for direction in found if direction in allowed)


def positional_bias(
    size_hw: tuple[int, int], directions: Iterable[str], ramp: str = 'full',
) -> np.ndarray:
    """Eq. (6): the bias P, to be multiplied with the image.

    Each direction gives a ramp that is 1 on its side of the image and falls to 0 at the other
    ('middle': 1 at the centre, 0 at the nearest border); several directions multiply; none gives
    ones.

    Args:
        size_hw: height and width of the image.
        directions: 'left', 'right', 'top', 'bottom', 'middle', 'front' or 'back'.
        ramp: 'full', or 'two_thirds': the ramp reaches 0 at 2/3 of the way and stays there.

    Returns:
        (H, W) float32 in 0..1.

    Raises:
        BadRequestError: the ramp or a direction is unknown.
    """
    if ramp not in ('full', 'two_thirds'):
        raise BadRequestError(f"expected a ramp 'full' or 'two_thirds', got {ramp!r}")
    height, width = size_hw
    down, across = _falling(height, ramp)[:, None], _falling(width, ramp)[None, :]
    ramps = {'left': across, 'right': across[:, ::-1], 'top': down, 'bottom': down[::-1]}
    bias = np.ones((height, width))  # (H, W)
    for direction in canonical_directions(directions):
        bias *= _centred(size_hw, ramp) if direction == 'middle' else ramps[direction]
    return bias.astype(np.float32)


def _falling(length: int, ramp: str) -> np.ndarray:
    """`length` values from 1 down to 0."""
    falling = length if ramp == 'full' else max(1, length * 2 // 3)
    values = np.zeros(length)
    values[:falling] = np.linspace(1, 0, falling)
    return values


def _centred(size_hw: tuple[int, int], ramp: str) -> np.ndarray:
    """(H, W): 1 at the centre, 0 at the nearest border (or 2/3 of the way to it)."""
    from_centre = [_from_centre(length) for length in size_hw]
    distance = np.maximum(from_centre[0][:, None], from_centre[1])  # (H, W)
    reach = 1 if ramp == 'full' else 2 / 3
    return np.asarray(np.clip(1 - distance / reach, 0, 1))


def _from_centre(length: int) -> np.ndarray:
    """`length` values from 1 down to 0 at the one or two central pixels and up to 1 again."""
    distance = np.abs(np.arange(length) * 2 - (length - 1))
    distance -= distance.min()
    return np.asarray(distance / max(1, distance.max()))
