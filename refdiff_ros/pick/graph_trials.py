"""Episodes on a ROS graph, in real time, through the action server."""

import argparse
from collections.abc import Callable, Sequence
import math
from pathlib import Path
import sys
import tempfile
from typing import TYPE_CHECKING

from refdiff_ros.errors import RefDiffError
from refdiff_ros.pick.episodes import scene_seed
from refdiff_ros.pick.graph import graph, GraphOptions, show_scene
from refdiff_ros.pick.stages import PickStatus
from refdiff_ros.pick.tally import Trial
from refdiff_ros.pick.trials import Episode
from refdiff_ros.pick.verdict import verdict
from refdiff_ros.ros.processes.child_process import ChildDiedError

if TYPE_CHECKING:
    from refdiff_ros.pick.ros.client import PickClient, Watched

_TIMEOUT_S = 180.0


def run_trials(args: argparse.Namespace, sources: Sequence[str],
               keep: Callable[[dict[str, Trial]], None]) -> None:
    """The episodes of `refdiff pick-eval`, all with one source of masks, then with the other.

    Args:
        args: of the command.
        sources: 'ours', 'true'.
        keep: called with each trial as it ends.

    Raises:
        RefDiffError: as in `graph.graph`.
    """
    for source in sources:
        with tempfile.TemporaryDirectory() as folder:
            options = GraphOptions(
                scene_seed(args.seed), tuple(args.size), source == 'true', args.bundle,
                args.preset, args.mode, args.device, _TIMEOUT_S, Path(folder), world=args.world)
            with graph(options) as client:
                for seed in range(args.seed, args.seed + args.episodes):
                    try:
                        trial = _trial(client, seed, tuple(args.size), args.world)
                    except ChildDiedError:
                        raise
                    except RefDiffError as error:
                        print(f'episode {seed} left out: {error}', file=sys.stderr, flush=True)
                        continue
                    keep({source: trial})


def _trial(
    client: 'PickClient', seed: int, size_hw: tuple[int, int], world: str,
) -> Trial:
    # What is asked is that of the same episode without ROS.
    episode = Episode(seed, size_hw, world)
    asked, scene = episode.task, episode.view.scene
    show_scene(client, scene.seed, _TIMEOUT_S, world)
    watched = client.pick(asked.text, _TIMEOUT_S)
    result = watched.result
    return Trial(
        seed, asked.text, asked.kind, '' if asked.row is None else scene.things[asked.row].shape,
        verdict(asked.row, result.status == PickStatus.REFUSED, watched.raised_m,
                watched.peak_m, tuple(thing.on for thing in scene.things),
                watched.disturbed),
        PickStatus(result.status).name, result.reason,
        _overlap(watched, episode), watched.seconds)


def _overlap(watched: 'Watched', episode: Episode) -> float:
    masks = [event.mask for event in watched.events if event.mask is not None]
    if episode.task.row is None or not masks:
        return math.nan
    truth = episode.view.masks[episode.task.row]
    return float((masks[0] & truth).sum() / max((masks[0] | truth).sum(), 1))
