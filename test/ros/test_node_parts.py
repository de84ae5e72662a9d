"""The node's parts that need no graph: parameters, queue, worker, QoS rules, messages."""

import threading
import time

import numpy as np
from pytest import mark, raises
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from ros_graph import wait_for
import yaml

from refdiff_ros.errors import BadRequestError
from refdiff_ros.ros import qos
from refdiff_ros.ros.messages import box_message
from refdiff_ros.ros.parameters import BY_NAME, check_change, NodeConfig, PARAMETERS
from refdiff_ros.ros.requests import PendingRequest, RequestQueue
from refdiff_ros.ros.worker import result_of, Wait, Worker


def test_the_table_and_the_record_agree():
    config = NodeConfig()
    assert {spec.name: spec.default for spec in PARAMETERS} == vars(config)


@mark.parametrize('spec', PARAMETERS, ids=lambda spec: spec.name)
def test_every_default_is_valid_and_described(spec):
    assert spec.check(spec.default) == spec.default
    assert spec.descriptor().description.startswith(spec.text)


@mark.parametrize(('name', 'value', 'words'), [
    ('max_rate', -1.0, r'expected max_rate in 0.01..1000, got -1'),
    ('max_rate', float('nan'), 'got nan'),
    ('queue_size', 0, 'expected queue_size in 1..1000, got 0'),
    ('queue_size', 2.5, 'expected queue_size as int'),
    ('preset', 'paperr', "one of .*'paper'.*got 'paperr'"),
    ('bundle', 5, 'expected bundle as str, got 5'),
    ('seed', True, 'expected seed as int, got True'),
])
def test_invalid_values_are_refused_with_what_was_expected(name, value, words):
    with raises(BadRequestError, match=words):
        NodeConfig(**{name: value})


def test_a_whole_number_is_a_rate():
    rate = NodeConfig(max_rate=5).max_rate
    assert rate == 5.0
    assert type(rate) is float


def test_updated_keeps_the_rest_and_ignores_what_is_not_ours():
    config = NodeConfig(seed=3).updated({'max_age': 2.0, 'use_sim_time': True})
    assert (config.seed, config.max_age) == (3, 2.0)


@mark.parametrize(('name', 'value', 'state', 'words'), [
    ('max_age', 3.0, 'active', ''),
    ('bundle', 'other', 'unconfigured', ''),
    ('bundle', 'other', 'active', "run 'cleanup' first"),
    ('bundle', 'tabletop_mini', 'active', ''),  # as it is already
    ('image_transport', 'compressed', 'inactive', ''),
    ('image_transport', 'compressed', 'active', "run 'deactivate' first"),
    ('max_age', 0.0, 'unconfigured', 'expected max_age in'),
    ('use_sim_time', True, 'active', ''),
])
def test_what_may_be_set_when(name, value, state, words):
    result = check_change([Parameter(name, value=value)], NodeConfig(), state)
    assert result.successful == (not words)
    assert words in result.reason


def pending(deadline_s: float) -> PendingRequest:
    return PendingRequest(request=None, reply_to=None, received_s=0.0, deadline_s=deadline_s)


def test_the_queue_is_bounded_and_in_order():
    queue = RequestQueue()
    first, second = pending(1.0), pending(2.0)
    assert queue.push(first, 2)
    assert queue.push(second, 2)
    assert not queue.push(pending(3.0), 2)
    assert queue.pop() is first
    assert len(queue) == 1
    assert queue.drain() == [second]
    assert queue.pop() is None


def test_only_what_is_late_expires():
    queue = RequestQueue()
    late, later = pending(1.0), pending(5.0)
    queue.push(late, 8)
    queue.push(later, 8)
    assert queue.expire(1.0) == [late]
    assert queue.drain() == [later]


def test_the_worker_runs_submitted_jobs_before_others_and_survives_errors():
    ran, errors, gate = [], [], threading.Event()
    jobs = [lambda: ran.append('first'), lambda: 1 / 0, lambda: ran.append('third')]
    worker = Worker(lambda: jobs.pop(0) if jobs and gate.is_set() else None, errors.append)
    thread = result_of(worker.submit(threading.current_thread))
    assert thread is not threading.current_thread()
    gate.set()
    worker.wake()
    wait_for(lambda: len(ran) == 2)
    assert ran == ['first', 'third']
    assert isinstance(errors[0], ZeroDivisionError)
    with raises(KeyError):
        result_of(worker.submit(lambda: {}['nothing']))
    worker.stop()
    assert worker.join(10.0)
    with raises(RuntimeError, match='shutting down'):
        result_of(worker.submit(lambda: None))


def test_the_worker_asks_again_after_the_seconds_it_was_told():
    asked = []

    def next_job():
        asked.append(time.monotonic())
        return Wait(0.01) if len(asked) < 3 else None
    worker = Worker(next_job, print)
    wait_for(lambda: len(asked) >= 3)
    worker.stop()
    worker.join()


class Publisher:
    """What the rules read of a publisher's endpoint information."""

    def __init__(self, reliable: bool, latched: bool = False, topic_type: str = 'a/msg/B'):
        self.topic_type = topic_type
        self.qos_profile = QoSProfile(
            depth=1, reliability=ReliabilityPolicy.RELIABLE if reliable
            else ReliabilityPolicy.BEST_EFFORT,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if latched
            else DurabilityPolicy.VOLATILE)


@mark.parametrize(('publishers', 'reliability', 'expected'), [
    ([], 'auto', (ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.VOLATILE)),
    ([Publisher(True)], 'auto', (ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE)),
    ([Publisher(True, True)], 'auto',
     (ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL)),
    ([Publisher(True), Publisher(False)], 'auto',
     (ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.VOLATILE)),
    ([Publisher(True)], 'best_effort',
     (ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.VOLATILE)),
    ([Publisher(False)], 'reliable', (ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE)),
])
def test_subscriptions_follow_the_publishers(publishers, reliability, expected):
    profile = qos.subscription_qos(publishers, reliability)
    assert (profile.reliability, profile.durability) == expected


def test_what_cannot_be_heard_is_named():
    reliable = qos.subscription_qos([], 'reliable')
    assert 'incompatible QoS' in qos.incompatibility([Publisher(False)], reliable)
    assert qos.incompatibility([Publisher(True)], reliable) == ''
    assert qos.incompatibility([Publisher(False)], qos.subscription_qos([])) == ''
    assert 'expected x/msg/Y, got a/msg/B' in qos.wrong_type([Publisher(True)], 'x/msg/Y')
    assert qos.wrong_type([Publisher(True)], 'a/msg/B') == ''


def test_the_box_holds_the_mask_exactly():
    mask = np.zeros((20, 30), bool)
    mask[4:9, 7:8] = True
    found = box_message(mask)
    assert (found.x_offset, found.y_offset, found.width, found.height) == (7, 4, 1, 5)
    assert box_message(np.zeros((5, 5), bool)).width == 0


def test_the_yaml_file_lists_every_parameter_with_its_default():
    from ros_graph import ROOT
    values = yaml.safe_load((ROOT / 'config' / 'refdiff.yaml').read_text())
    listed = values['/**']['ros__parameters']
    assert listed == {name: spec.default for name, spec in BY_NAME.items()}
