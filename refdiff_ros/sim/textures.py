"""Procedural pictures for tables and floors: wood, marble, checker, cloth, plain, and more."""

from collections.abc import Callable

import numpy as np

SIZE = 256
KINDS = ('wood', 'marble', 'checker', 'cloth', 'plain')
# Of the wider world.
WIDE_KINDS = (*KINDS, 'planks', 'terrazzo', 'ticking', 'tiles', 'bright', 'dark')


def texture(kind: str, rng: np.random.Generator) -> np.ndarray:
    """A picture (SIZE, SIZE, 3) uint8 of one of `WIDE_KINDS`, in random colours."""
    return np.clip(_MAKERS[kind](rng) * 255, 0, 255).astype(np.uint8)


def _noise(rng: np.random.Generator, cells_hw: tuple[int, int]) -> np.ndarray:
    """Smooth noise in 0..1: random values on a coarse grid, linearly between."""
    coarse = rng.random((cells_hw[0] + 1, cells_hw[1] + 1))
    rows = np.linspace(0, cells_hw[0], SIZE, endpoint=False)
    columns = np.linspace(0, cells_hw[1], SIZE, endpoint=False)
    i, j = rows.astype(int), columns.astype(int)
    u, v = (rows - i)[:, None], (columns - j)[None]
    return ((coarse[i][:, j] * (1 - v) + coarse[i][:, j + 1] * v) * (1 - u)
            + (coarse[i + 1][:, j] * (1 - v) + coarse[i + 1][:, j + 1] * v) * u)


def _blend(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    return first + (second - first) * share[..., None]


def _muted(rng: np.random.Generator, low: float = 0.35, high: float = 0.8) -> np.ndarray:
    grey = rng.uniform(low, high)
    return np.clip(grey + rng.uniform(-0.1, 0.1, 3), 0, 1)


def _wood(rng: np.random.Generator) -> np.ndarray:
    light = np.array([0.72, 0.52, 0.33]) * rng.uniform(0.6, 1.15)
    rings = _noise(rng, (3, 14)) * 5 + _noise(rng, (6, 60))
    return _blend(light, light * 0.68, 0.5 + 0.5 * np.sin(rings * 2 * np.pi))


def _marble(rng: np.random.Generator) -> np.ndarray:
    base = _muted(rng, 0.55, 0.85)
    waves = sum(_noise(rng, (2 ** k, 2 ** k)) / k for k in range(2, 6))
    veins = np.abs(np.sin(waves * 7)) ** 0.35
    return _blend(base * 0.6, base, veins)


def _checker(rng: np.random.Generator) -> np.ndarray:
    squares = rng.integers(3, 7)
    place = np.arange(SIZE) * squares * 2 // SIZE
    return _blend(_muted(rng), _muted(rng), ((place[:, None] + place[None]) % 2).astype(float))


def _cloth(rng: np.random.Generator) -> np.ndarray:
    base = _muted(rng)
    threads = (np.arange(SIZE) // 2 % 2).astype(float)
    weave = 0.5 * threads[:, None] + 0.5 * threads[None]
    return _blend(base * 0.82, base, 0.6 * weave + 0.4 * rng.random((SIZE, SIZE)))


def _plain(rng: np.random.Generator) -> np.ndarray:
    base = _muted(rng)
    return _blend(base * 0.94, base, _noise(rng, (4, 4)))


def _planks(rng: np.random.Generator) -> np.ndarray:
    """Boards side by side, each of its own brightness."""
    boards = int(rng.integers(4, 8))
    row = np.arange(SIZE) * boards // SIZE
    shade = rng.uniform(0.75, 1.1, boards)[row]
    gap = np.where(np.diff(row, prepend=-1) > 0, 0.55, 1.0)
    return _wood(rng).transpose(1, 0, 2) * (shade * gap)[:, None, None]


def _terrazzo(rng: np.random.Generator) -> np.ndarray:
    """Chips of a few colours in a light ground."""
    ground = _muted(rng, 0.6, 0.9)
    chips = np.array([ground, ground, ground, *(_muted(rng, 0.2, 0.9) for _ in range(3))])
    coarse = rng.integers(0, len(chips), (SIZE // 6, SIZE // 6))
    place = np.minimum(np.arange(SIZE) // 6, len(coarse) - 1)
    return chips[coarse[place][:, place]]


def _ticking(rng: np.random.Generator) -> np.ndarray:
    """Cloth with stripes, as of a mattress."""
    stripes = int(rng.integers(6, 14))
    share = (np.arange(SIZE) * stripes * 3 // SIZE % 3 == 0).astype(float)
    return _blend(_muted(rng, 0.5, 0.9), _muted(rng, 0.25, 0.7), np.repeat(share[None], SIZE, 0))


def _tiles(rng: np.random.Generator) -> np.ndarray:
    """Square tiles with joints, each a little different."""
    tiles = int(rng.integers(3, 6))
    place = np.arange(SIZE) * tiles // SIZE
    shade = rng.uniform(0.85, 1.05, (tiles, tiles))[place][:, place]
    joint = np.diff(place, prepend=-1) > 0
    shade[joint] = shade[:, joint] = 0.6
    return _muted(rng, 0.5, 0.9) * shade[..., None]


def _bright(rng: np.random.Generator) -> np.ndarray:
    """Nearly white, so that white things stand on white."""
    base = rng.uniform(0.82, 0.95) + rng.uniform(-0.03, 0.03, 3)
    return _blend(base * 0.96, base, _noise(rng, (4, 4)))


def _dark(rng: np.random.Generator) -> np.ndarray:
    """Nearly black, so that black things stand on black."""
    base = rng.uniform(0.07, 0.2) + rng.uniform(-0.03, 0.03, 3)
    return _blend(base * 0.85, base, _noise(rng, (6, 6)))


_MAKERS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    'wood': _wood, 'marble': _marble, 'checker': _checker, 'cloth': _cloth, 'plain': _plain,
    'planks': _planks, 'terrazzo': _terrazzo, 'ticking': _ticking, 'tiles': _tiles,
    'bright': _bright, 'dark': _dark}
