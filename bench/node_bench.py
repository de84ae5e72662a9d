"""What the node's benchmarks share: the node and its camera, real processes on a real graph."""

import json
from pathlib import Path
import sys
import time

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / 'test'))


def claim_domain() -> int:
    """A ROS domain of this process alone, chosen before rclpy is imported."""
    import os

    from refdiff_ros.ros.processes import private_domain

    # Kept open: the claim lasts as long as it.
    domain, claim_domain.claim = private_domain.claim_domain()
    os.environ.update(private_domain.environment(domain))
    return domain


class Arrivals(list):
    """Messages with the moment that each came, (seconds on the monotonic clock, message)."""

    def append(self, msg: object) -> None:
        """Called by the subscription."""
        super().append((time.monotonic(), msg))


def camera_table(size_hw: tuple[int, int]) -> tuple[np.ndarray, str]:
    """(H, W, 3) uint8 of a rendered tabletop with a camera's noise, and words for an object."""
    from refdiff_ros.sim.splits import split_views

    view = next(iter(split_views('val', [0], size_hw, depth=False)))
    noise = np.random.default_rng(0).normal(0, 4, view.frame.image_rgb.shape)
    image = np.clip(view.frame.image_rgb + noise, 0, 255).astype(np.uint8)
    largest = int(np.argmax(view.masks.sum(axis=(1, 2))))
    thing = view.objects[largest]
    return image, f'the {thing.colour} {thing.shape}'


def quantiles(values: list[float]) -> dict[str, float]:
    """Median, 95th percentile and the number of values, rounded."""
    return {'median': round(float(np.median(values)), 2),
            'p95': round(float(np.percentile(values, 95)), 2), 'n': len(values)}


def report(name: str, rows: list[dict], out: str | None) -> None:
    """Print rows as a table and, where asked, write them as JSON."""
    keys = list(rows[0])
    cells = [[str(row[key]) for key in keys] for row in rows]
    widths = [max(len(key), *(len(row[i]) for row in cells)) for i, key in enumerate(keys)]
    print(name)
    for line in (keys, *cells):
        print('  '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)))
    if out:
        Path(out).write_text(json.dumps(
            {'benchmark': name, 'date': time.strftime('%Y-%m-%d'), 'rows': rows}, indent=2) + '\n')
