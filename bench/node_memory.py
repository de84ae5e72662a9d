"""Resident memory of the node while it answers 200 and 2,000 frames, and when it rests then.

    . tools/env.sh && python bench/node_memory.py --out memory.json

Every frame is another tabletop and is answered (mode full) before the next is sent, so that
nothing but a leak can make the second row grow. Of each row the mean and the most after an answer,
and after a rest of some seconds, in which the node gives back what answers have freed.
"""

import argparse
from pathlib import Path
import time

import node_bench

_REST_S = 3.0


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--frames', type=int, nargs='+', default=[200, 2000])
    parser.add_argument('--mode', default='full', help='G, GS, DS or full')
    parser.add_argument('--out', help='JSON file')
    args = parser.parse_args()
    node_bench.claim_domain()
    node_bench.report(
        'resident memory', measure(sorted(args.frames), args.mode), args.out)


def measure(checkpoints: list[int], mode: str) -> list[dict]:
    """One row per checkpoint, of the answers since the one before."""
    from ros_graph import GraphClient, image, NodeProcess

    from refdiff_ros.sim.splits import split_views

    # An environment of its own: else it is the fork of a process that has imported much more.
    node = NodeProcess({'bundle': 'tabletop_mini', 'mode': mode, 'max_rate': 1000.0},
                       environment={'NODE_MEMORY': 'alone'})
    client = GraphClient()
    rows: list[dict] = []
    seen: list[float] = []
    try:
        client.wait_until('active')
        client.say('the red box')
        views = split_views('train', range(checkpoints[-1]), depth=False)
        for count, view in enumerate(views, 1):
            answered(client, image(view.frame.image_rgb, stamp=count))
            seen.append(resident_mb(node.pid))
            if count in checkpoints:
                time.sleep(_REST_S)
                rows.append({
                    'frames': count, 'mean MB': round(sum(seen) / len(seen)),
                    'most MB': round(max(seen)), 'at rest MB': round(resident_mb(node.pid))})
                seen.clear()
                print(rows[-1], flush=True)
    finally:
        client.close()
        node.stop()
    return rows


def answered(client, msg) -> None:
    """Send one frame, again where the best-effort topic lost it, until its answer has come."""
    from ros_graph import wait_for

    client.masks.clear()
    client.grasps.clear()
    client.diagnostics.clear()
    for _ in range(20):
        client.publish('image', msg)
        try:
            wait_for(lambda: any(m.header == msg.header for m in client.masks), 3.0)
            return
        except AssertionError:
            continue
    raise RuntimeError('expected an answer to one of 20 sendings of a frame, got none')


def resident_mb(pid: int) -> float:
    """Resident memory of a process, megabytes (10^6)."""
    with Path(f'/proc/{pid}/status').open(encoding='ascii') as status:
        line = next(line for line in status if line.startswith('VmRSS'))
    return int(line.split()[1]) * 1024 / 1e6


if __name__ == '__main__':
    main()
