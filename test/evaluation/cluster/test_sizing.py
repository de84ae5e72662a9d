"""How many workers a cluster gets, and with what."""

import pytest

from refdiff_ros.evaluation.cluster.connection import ClusterError
from refdiff_ros.evaluation.cluster.sizing import Plan, plan_workers


def nodes(*places):
    """Nodes of (cores, GPUs), after one that is lost."""
    return [{'Alive': False, 'Resources': {}}] + [
        {'Alive': True, 'Resources': {'CPU': float(cpu)} | ({'GPU': float(gpu)} if gpu else {})}
        for cpu, gpu in places]


@pytest.mark.parametrize('places, device, asked, pictures, plan', [
    ([(8, 0)], 'auto', None, 99, Plan(8, 'cpu', 1, 1)),
    ([(8, 0)], 'auto', 2, 99, Plan(2, 'cpu', 4, 4)),
    ([(8, 0)], 'auto', 3, 99, Plan(3, 'cpu', 2, 2)),
    ([(8, 0)], 'auto', 99, 99, Plan(99, 'cpu', 1, 1)),
    # Two of two cores each would leave the one on the smaller node without a place.
    ([(3, 0), (1, 0)], 'auto', 2, 99, Plan(2, 'cpu', 1, 1)),
    ([(8, 0), (4, 0)], 'auto', 3, 99, Plan(3, 'cpu', 4, 4)),
    ([(8, 0)], 'auto', None, 2, Plan(2, 'cpu', 4, 4)),
    ([(16, 2), (64, 4), (4, 0)], 'auto', None, 99, Plan(6, 'cuda', 8, 8)),
    ([(16, 2)], 'cuda', 1, 99, Plan(1, 'cuda', 8, 8)),
    ([(2, 4)], 'cuda', None, 99, Plan(4, 'cuda', 1, 1)),
    ([(16, 2)], 'cpu', None, 99, Plan(16, 'cpu', 1, 1))])
def test_plans(places, device, asked, pictures, plan):
    assert plan_workers(nodes(*places), device, asked, pictures) == plan


def test_threads_that_are_wanted():
    plan = plan_workers(nodes((8, 0)), 'auto', 2, 99, threads=1)
    assert plan == Plan(2, 'cpu', 4, 1) and str(plan) == '2 workers, 1 thread each'
    assert str(Plan(1, 'cuda', 4, 4)) == '1 worker, a GPU and 4 threads'


def test_what_a_cluster_lacks_is_said():
    with pytest.raises(ClusterError, match='expected GPUs in the Ray cluster, got none on 1 nod'):
        plan_workers(nodes((8, 0)), 'cuda', None, 9)
    with pytest.raises(ClusterError, match='expected cores in the Ray cluster, got none on 0'):
        plan_workers(nodes(), 'auto', None, 9)
