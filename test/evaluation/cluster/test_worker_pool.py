"""A worker pool on a real local Ray: workers that die, fail, differ or never come back.

These workers load nothing, so that each starts at once; what real ones answer is in
`test_cluster_run.py`.
"""

from dataclasses import replace
import importlib.util
import os
import signal
import time

import pytest

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.cluster.connection import ClusterError, connected, LOCAL
from refdiff_ros.evaluation.cluster.worker_pool import WorkerPool
from refdiff_ros.evaluation.runs.record import Loaded

pytestmark = pytest.mark.skipif(not importlib.util.find_spec('ray'), reason='no Ray here')
LOADED = Loaded('b', True, '', 'cd', {'alpha': 0.1}, 'cpu', 'float32', '2')


@pytest.fixture(scope='module')
def ray():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('RAY_worker_niceness', '0')
        with connected(LOCAL, 2) as module:
            yield module


@pytest.fixture
def hire(ray, tmp_path):
    """A pool, one worker for each of what they load; a picture is (name, act, for how often)."""
    # Inside a function a class is sent whole: the workers cannot import the tests.
    class Light:
        def __init__(self, loaded):
            self._loaded = loaded

        def load(self):
            if isinstance(self._loaded, Exception):
                raise self._loaded
            return self._loaded

        def answer(self, wanted, picture):
            name, act, often = picture
            with (tmp_path / name).open('a') as visits:
                visits.write('+')
            if (tmp_path / name).stat().st_size <= often:
                if isinstance(act, Exception):
                    raise act
                if act == 'die':
                    os.kill(os.getpid(), signal.SIGKILL)
                signal.pause()
            return f'{name} by {wanted.bundle}'

    def pool(*loaded, **options):
        actor = ray.remote(Light).options(num_cpus=1, max_restarts=-1, max_task_retries=1)
        workers = [actor.remote(each) for each in loaded]
        made.extend(workers)
        return WorkerPool(ray, workers, **options)

    made = []
    yield pool
    for worker in made:
        ray.kill(worker)


def test_a_worker_that_dies_is_asked_again_and_a_deadly_picture_costs_no_other(hire, tmp_path):
    came, pool = [], hire(LOADED, LOADED)
    pictures = [(name, '', 0) for name in 'abcdef']
    pictures[1:1] = [('once', 'die', 1), ('always', 'die', 9)]
    assert pool.answer(pictures, came.append) == [2]
    assert sorted(came) == sorted(f'{name} by b' for name in ('once', *'abcdef'))
    # Asked again by Ray, and then by another worker and by Ray again; the others were asked once.
    assert len((tmp_path / 'once').read_text()) == 2
    assert len((tmp_path / 'always').read_text()) == 4
    assert all(len((tmp_path / name).read_text()) == 1 for name in 'abcdef')


def test_a_worker_that_differs_is_left_out(hire, caplog):
    pool = hire(LOADED, replace(LOADED, dtype='bfloat16'))
    until_s = time.monotonic() + 200.0
    while time.monotonic() < until_s:  # until the other one has said what it loaded
        came = []
        assert pool.answer([('a', '', 0)], came.append) == [] and came == ['a by b']
        if caplog.text:
            break
    assert 'a worker is left out: expected all processes of a run to load the same' in caplog.text
    assert "dtype 'bfloat16' in place of 'float32'" in caplog.text or (
        "dtype 'float32' in place of 'bfloat16'" in caplog.text)


def test_what_no_worker_can_do_is_said(hire):
    with pytest.raises(ClusterError, match='^expected models$'):
        hire(BadRequestError('expected models'))
    with pytest.raises(ClusterError, match='^expected the same weights$'):
        hire(LOADED).answer([('a', BadRequestError('expected the same weights'), 9)], print)


def test_a_fault_of_the_program_is_not_hidden(hire):
    with pytest.raises(ZeroDivisionError, match='in this line'):
        hire(LOADED).answer([('a', ZeroDivisionError('in this line'), 9)], print)


def test_a_picture_that_stays_out_is_given_to_an_idle_worker(hire, caplog, tmp_path):
    came = []
    pool = hire(LOADED, LOADED, patience_s=0.5)
    assert pool.answer([('a', 'pause', 1), ('b', '', 0)], came.append) == []
    assert sorted(came) == ['a by b', 'b by b'] and (tmp_path / 'a').read_text() == '++'
    assert 'waiting for 1 pictures; idle workers are given them too' in caplog.text
