"""How many workers, and what each of them gets of the cluster."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from refdiff_ros.evaluation.cluster.connection import ClusterError


@dataclass(frozen=True)
class Plan:
    """The workers of one run.

    Attributes:
        workers: how many.
        device: 'cpu' or 'cuda'.
        cores: that each has to itself.
        threads: that each computes with.
    """

    workers: int
    device: str
    cores: int
    threads: int

    def __str__(self) -> str:
        place = 'a GPU and ' if self.device == 'cuda' else ''
        each = ' each' if self.workers > 1 else ''
        return (f'{self.workers} worker{"s" * (self.workers > 1)}, {place}{self.threads} '
                f'thread{"s" * (self.threads > 1)}{each}')


def plan_workers(
    nodes: Sequence[Mapping[str, Any]],
    device: str,
    asked: int | None,
    pictures: int,
    threads: int | None = None,
) -> Plan:
    """One worker a GPU, or one a core where there is none; cores are divided among them.

    Args:
        nodes: as `ray.nodes()` gives them.
        device: 'auto', 'cpu' or 'cuda'.
        asked: this many workers instead.
        pictures: there is no work for more workers than these.
        threads: this many for each instead of one a core.

    Raises:
        ClusterError: no GPU with 'cuda', or no core at all.
    """
    alive = [node['Resources'] for node in nodes if node['Alive']]
    places = [(int(each.get('CPU', 0)), int(each.get('GPU', 0))) for each in alive]
    cores, gpus = sum(cpu for cpu, _ in places), sum(gpu for _, gpu in places)
    if not cores or (device == 'cuda' and not gpus):
        raise ClusterError(
            f'expected {"GPUs" if cores else "cores"} in the Ray cluster, got none on '
            f'{len(alive)} nodes: add a node, or use --device cpu')
    if device == 'cpu' or not gpus:
        workers = max(min(asked or cores, pictures), 1)
        # As many as leave room for all workers, however the cores lie on nodes.
        each = next((each for each in range(cores // workers, 1, -1)
                     if sum(cpu // each for cpu, _ in places) >= workers), 1)
        return Plan(workers, 'cpu', each, threads or each)
    each = max(min(cpu // gpu for cpu, gpu in places if gpu), 1)
    return Plan(max(min(asked or gpus, pictures), 1), 'cuda', each, threads or each)
