"""What the worker does next, with real models and without a graph."""

import time

import pytest
from rclpy.clock import Clock
from ros_graph import image, picture

from refdiff_ros.engine import Engine, resolve_preset
from refdiff_ros.models.manager import load_bundle
from refdiff_ros.ros.dispatch import Dispatch
from refdiff_ros.ros.frame_sync import FrameSync
from refdiff_ros.ros.parameters import NodeConfig
from refdiff_ros.ros.requests import PendingRequest
from refdiff_ros.ros.statistics import Statistics
from refdiff_ros.ros.worker import Wait
from refdiff_ros.srv import ReferSegmentation

CONFIG = NodeConfig(bundle='untrained_mini', prefetch=True, max_age=60.0, max_rate=1000.0)


@pytest.fixture(scope='module')
def engine():
    models = load_bundle('untrained_mini', device='cpu')
    return Engine(models, resolve_preset(models, 'onboard'))


@pytest.fixture
def encoded(engine):
    """How often the picture was encoded."""
    calls = []
    hook = engine.models.diffusion.vae.encoder.register_forward_hook(lambda *_: calls.append(1))
    engine.forget_frames()
    yield calls
    hook.remove()


@pytest.fixture
def dispatch(engine):
    replies, frames = [], FrameSync()
    made = Dispatch(Clock(), frames, CONFIG, Statistics(),
                    lambda _, result, config: replies.append(result), lambda *_: None)
    made.engine, made.active, made.replies, made.frames = engine, True, replies, frames
    return made


def frame_comes(dispatch, seed):
    msg = image(picture(seed=seed))
    dispatch.frames.add_image(msg, Clock().now().nanoseconds, time.monotonic())
    return msg


def run_next(dispatch):
    job = dispatch.next_job()
    while isinstance(job, Wait):
        time.sleep(job.seconds)
        job = dispatch.next_job()
    if job is not None:
        job()
    return job is not None


def ask(dispatch, expression='the red box'):
    now_s = time.monotonic()
    request = ReferSegmentation.Request(expression=expression)
    dispatch.queue.push(PendingRequest(request, None, now_s, now_s + 60), 8)
    assert run_next(dispatch)
    return dispatch.replies[-1]


def test_a_prepared_frame_is_not_encoded_again_when_it_is_asked_about(dispatch, encoded):
    first = frame_comes(dispatch, seed=1)
    assert run_next(dispatch) and len(encoded) == 1
    assert not run_next(dispatch)  # once is enough
    frame_comes(dispatch, seed=2)  # a newer one, not yet prepared
    assert ask(dispatch).header == first.header and len(encoded) == 1
    assert run_next(dispatch) and len(encoded) == 2  # now the newer one is
    assert ask(dispatch).header != first.header and len(encoded) == 2


def test_without_prefetch_the_newest_frame_is_answered(dispatch, encoded):
    dispatch.config = CONFIG.updated({'prefetch': False})
    frame_comes(dispatch, seed=1)
    newest = frame_comes(dispatch, seed=2)
    assert not run_next(dispatch) and len(encoded) == 0
    assert ask(dispatch).header == newest.header and len(encoded) == 1


def test_an_old_prepared_frame_is_not_answered(dispatch, encoded):
    frame_comes(dispatch, seed=1)
    assert run_next(dispatch)
    dispatch.config = CONFIG.updated({'max_age': 0.2})
    time.sleep(0.3)
    newest = frame_comes(dispatch, seed=2)
    assert ask(dispatch).header == newest.header


def test_a_frame_that_cannot_be_read_costs_nothing(dispatch, encoded):
    bad = image(picture(seed=1))
    bad.encoding = 'no such encoding'
    dispatch.frames.add_image(bad, Clock().now().nanoseconds, time.monotonic())
    assert run_next(dispatch) and len(encoded) == 0
    assert 'encoding' in ask(dispatch).reason
