"""Slow models, full queues, faults inside, other publishers and clocks: the node goes on."""

from contextlib import contextmanager
import time

from pytest import fixture
from rclpy.qos import qos_profile_sensor_data
from ros_graph import image, NodeProcess, ROOT, wait_for
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image

from refdiff_ros.msg import ReferringMask

SLOW = ROOT / 'test' / 'slow_node.py'
ANSWERED = (ReferringMask.FOUND, ReferringMask.NOT_FOUND, ReferringMask.AMBIGUOUS)


@fixture(scope='module')
def shared_node(gates):
    """One node for all tests here, which leave it as it was."""
    node = NodeProcess({'service_timeout': 120.0}, SLOW, environment=gates.environment)
    yield node
    assert node.stop() == 0


@fixture
def shared(shared_node, client):
    """A client of its own for each test, of the shared node."""
    client.wait_until('active')
    yield client
    client.say('')
    assert shared_node.alive


@contextmanager
def parameters(client, standard, **values):
    """Other parameters for a while."""
    for name, value in values.items():
        assert client.set_parameter(name, value).successful
    try:
        yield
    finally:
        for name in values:
            client.set_parameter(name, standard[name])


STANDARD = {'queue_size': 8, 'service_timeout': 120.0, 'max_rate': 5.0, 'max_age': 1.0,
            'use_sim_time': False}


def test_a_slow_model_leaves_the_node_answering(shared, gates):
    asked = image()
    with parameters(shared, STANDARD, queue_size=2, service_timeout=1.0):
        gates.shut('segment')
        try:
            first = shared.call_async('the red box', asked)
            gates.wait_reached('segment')
            others = [shared.call_async('the red box', asked) for _ in range(5)]
            # Other services are answered while the models are busy.
            assert shared.state() == 'active'
            results = [shared.result(future) for future in others]
            assert not first.done()
            by_status = sorted(result.status for result in results)
            assert by_status == sorted([ReferringMask.BUSY] * 3 + [ReferringMask.TIMEOUT] * 2)
            busy = next(r for r in results if r.status == ReferringMask.BUSY)
            assert 'queue_size' in busy.reason
            late = next(r for r in results if r.status == ReferringMask.TIMEOUT)
            assert 'timeout' in late.reason
            # A caller's own patience counts for its call alone.
            impatient = shared.call_async('the red box', asked, timeout=0.1)
            patient = shared.call_async('the red box', asked, timeout=300.0)
            assert shared.result(impatient).status == ReferringMask.TIMEOUT
        finally:
            gates.open('segment')
        assert shared.result(first).status in ANSWERED
        assert shared.result(patient).status in ANSWERED


def test_faults_inside_are_answered_and_logged(shared, shared_node):
    response = shared.call('fault memory', image())
    assert response.status == ReferringMask.OUT_OF_MEMORY
    assert 'use a smaller bundle' in response.reason
    assert shared.call('fault memory once', image()).status in ANSWERED
    shared_node.wait_for_output('caches were freed')
    response = shared.call('fault bug', image())
    assert response.status == ReferringMask.INTERNAL
    assert 'ZeroDivisionError' in response.reason
    assert shared.call('the red box', image()).status in ANSWERED
    shared_node.wait_for_output('Traceback')
    assert 'a bug for the test' in shared_node.output


def test_the_subscription_follows_the_publishers_qos(shared):
    shared.publish('image', image(), 'reliable')
    shared.fresh('inputs', lambda values: values['image qos'] == 'reliable, volatile')
    best_effort = shared.node.create_publisher(Image, 'image', qos_profile_sensor_data)
    shared.fresh('inputs', lambda values: values['image qos'] == 'best_effort, volatile')
    sent = image(stamp=7)

    def answered():
        best_effort.publish(sent)
        return shared.call('the red box').mask.header == sent.header
    wait_for(answered)


def test_the_rate_of_answers_to_a_standing_expression_is_bounded(shared):
    with parameters(shared, STANDARD, max_rate=2.0):
        start_s, sent = time.monotonic(), []
        shared.say('the red box')

        def answered() -> bool:
            shared.publish('image', image())
            sent.append(time.monotonic())
            time.sleep(0.03)
            # At 2 Hz no more than one at once and two in each second that has begun.
            assert len(shared.masks) <= 1 + 2 * (time.monotonic() - start_s) + 1
            return len(shared.masks) >= 5
        wait_for(answered)
        assert len(sent) > 5


def test_under_simulated_time_age_is_measured_on_the_simulated_clock(shared):
    with parameters(shared, STANDARD, max_age=5.0, use_sim_time=True):
        shared.wait_for_silence('use_sim_time is set and no /clock comes')

        def at(seconds: int) -> None:
            clock = Clock()
            clock.clock.sec = seconds

            def there() -> bool:
                shared.publish('/clock', clock, 'best_effort')  # as its time source hears
                return shared.diagnostics[-1].header.stamp.sec == seconds
            wait_for(there)
        at(100)
        shared.publish('image', image(stamp=100))
        wait_for(lambda: shared.call('the red box').status in ANSWERED)
        at(104)
        assert shared.call('the red box').status in ANSWERED
        at(106)
        assert shared.call('the red box').status == ReferringMask.STALE_IMAGE
        at(10)  # the bag starts anew: what came before is of another time
        assert shared.call('the red box').status == ReferringMask.NO_IMAGE
        shared.publish('image', image(stamp=10))
        wait_for(lambda: shared.call('the red box').status in ANSWERED)
