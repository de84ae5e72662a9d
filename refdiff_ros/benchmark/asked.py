"""The picture and the expressions that are asked where the caller names none."""

import numpy as np

from refdiff_ros.results import Frame

# They say what an object is, and nothing of its place: each costs the same.
PLAIN_EXPRESSIONS = (
    'the red mug', 'the blue box', 'green plate', 'a black bottle', 'the white bowl',
    'yellow ball', 'the grey cup', 'a brown block', 'the pink toy', 'orange can')
# What people say: places, orders and relations among them.
MIXED_EXPRESSIONS = (
    'the red mug on the left', 'the blue box', 'green plate behind the box',
    'the yellow ball on the right', 'black bottle', 'the white bowl next to the mug',
    'the largest box', 'orange cup at the bottom', 'a brown block in the middle', 'the second mug')

_COLOURS = ((200, 40, 40), (40, 80, 200), (40, 160, 70), (220, 190, 50), (40, 40, 45),
            (235, 235, 230), (220, 120, 40), (120, 120, 125), (120, 80, 50), (220, 130, 160))


def draw_picture(size_hw: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Boxes and discs in plain colours on a table, as (H, W, 3) uint8; the same for a seed."""
    height, width = size_hw
    rng = np.random.default_rng(seed)
    down, across = np.mgrid[:height, :width] / min(size_hw)  # short sides
    picture = np.empty((height, width, 3))
    picture[:] = (150 + 40 * down / down.max())[:, :, None] * (1.0, 0.92, 0.8)
    for colour in _COLOURS:
        y = rng.uniform(0.15, 0.85) * down.max()
        x = rng.uniform(0.1, 0.9) * across.max()
        half = rng.uniform(0.06, 0.14, 2)
        if rng.random() < 0.5:
            inside = np.hypot(down - y, across - x) < half[0]
        else:
            inside = (np.abs(down - y) < half[0]) & (np.abs(across - x) < half[1])
        picture[inside] = colour
    picture += rng.normal(0, 4, picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8)


def moved_frames(frame: Frame, count: int) -> list[Frame]:
    """`count` frames of a camera that pans: the picture shifted by one more pixel each."""
    return [Frame(np.ascontiguousarray(np.roll(frame.image_rgb, step, axis=1)))
            for step in range(1, count + 1)]


def still_frames(frame: Frame, count: int, seed: int = 0) -> list[Frame]:
    """`count` frames of a camera that stands while a thing moves, each with noise of its own.

    The thing is a copy of the picture's upper left part, a sixth of its sides, which goes down the
    diagonal by a percent of it a frame.
    """
    rng = np.random.default_rng(seed)
    height, width = frame.size_hw
    thing = frame.image_rgb[:max(1, height // 6), :max(1, width // 6)]
    frames = []
    for step in range(1, count + 1):
        share = 0.2 + step % 60 / 100
        down, across = round(share * height), round(share * width)
        image = frame.image_rgb + rng.normal(0, 2, frame.image_rgb.shape)
        image[down:down + len(thing), across:across + thing.shape[1]] = thing
        frames.append(Frame(np.clip(image, 0, 255).astype(np.uint8)))
    return frames
