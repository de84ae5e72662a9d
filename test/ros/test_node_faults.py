"""Slow models, full queues, faults inside, and the end of the process."""

import signal
import time

from pytest import fixture, mark
from rclpy.qos import qos_profile_sensor_data
from ros_graph import GraphClient, image, NodeProcess, ROOT, wait_for
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image

from refdiff_ros.msg import ReferringMask

SLOW = ROOT / 'test' / 'slow_node.py'
ANSWERED = (ReferringMask.FOUND, ReferringMask.NOT_FOUND, ReferringMask.AMBIGUOUS)


@fixture
def client():
    client = GraphClient()
    yield client
    client.close()


def slow_node(segment_s: float = 0.0, load_s: float = 0.0, **parameters) -> NodeProcess:
    return NodeProcess(parameters, SLOW, environment={
        'REFDIFF_TEST_SEGMENT_S': str(segment_s), 'REFDIFF_TEST_LOAD_S': str(load_s)})


def test_a_slow_model_leaves_the_node_answering(client):
    node = slow_node(0.7, queue_size=2, service_timeout=1.0)
    try:
        client.wait_until('active')
        asked = image()
        futures = [client.call_async('the red box', asked) for _ in range(6)]
        # Other services are answered while the models are busy.
        start = time.monotonic()
        assert client.state() == 'active'
        assert client.set_parameter('max_age', 3.0).successful
        assert not futures[0].done() or time.monotonic() - start < 5
        results = [client.result(future) for future in futures]
        by_status = {result.status for result in results}
        assert by_status == {results[0].status, ReferringMask.BUSY, ReferringMask.TIMEOUT}
        assert results[0].status in ANSWERED
        busy = next(r for r in results if r.status == ReferringMask.BUSY)
        assert 'queue_size' in busy.reason
        late = next(r for r in results if r.status == ReferringMask.TIMEOUT)
        assert 'timeout' in late.reason
        # A caller's own patience counts for its call alone.
        first = client.call_async('the red box', asked)
        time.sleep(0.2)  # the worker takes it, and both places of the queue are free
        impatient = client.call_async('the red box', asked, timeout=0.1)
        patient = client.call_async('the red box', asked, timeout=20.0)
        assert client.result(impatient).status == ReferringMask.TIMEOUT
        assert client.result(first).status in ANSWERED
        assert client.result(patient).status in ANSWERED
    finally:
        assert node.stop() == 0


def test_faults_inside_are_answered_and_logged(client):
    node = slow_node()
    try:
        client.wait_until('active')
        response = client.call('fault memory', image())
        assert response.status == ReferringMask.OUT_OF_MEMORY
        assert 'use a smaller bundle' in response.reason
        assert client.call('fault memory once', image()).status in ANSWERED
        node.wait_for_output('caches were freed')
        response = client.call('fault bug', image())
        assert response.status == ReferringMask.INTERNAL
        assert 'ZeroDivisionError' in response.reason
        assert client.call('the red box', image()).status in ANSWERED
        node.wait_for_output('Traceback')
        assert 'a bug for the test' in node.output
    finally:
        assert node.stop() == 0


def test_while_loading_the_services_answer(client):
    node = slow_node(load_s=3.0)
    try:
        client.wait_until('configuring')
        response = client.call('the red box', image())
        assert response.status == ReferringMask.INACTIVE
        assert 'models loading' in response.reason
        assert not client.transition('configure')  # it is under way already
        client.wait_for_silence('models loading')
        client.wait_until('active')
        assert client.call('the red box', image()).status in ANSWERED
    finally:
        assert node.stop() == 0


@mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_inference_ends_after_the_running_step(client, number):
    node = slow_node(1.5)
    client.wait_until('active')
    first, waiting = (client.call_async('the red box', image()) for _ in range(2))
    time.sleep(0.5)  # the first call is in the models now
    node.signal(number)
    # The step that runs is answered, and after it the end takes 2 s at most.
    assert client.result(first, 30.0).status in ANSWERED
    step_ended = time.monotonic()
    assert node.wait(30.0) == 0
    assert time.monotonic() - step_ended < 2.0
    assert 'Traceback' not in node.output, node.output
    # The call that waited was told why it got no answer.
    assert client.result(waiting, 5.0).status == ReferringMask.INACTIVE


def test_a_signal_while_loading_ends_after_loading():
    node = slow_node(load_s=2.0)
    node.wait_for_output('loading bundle')
    node.signal(signal.SIGINT)
    assert node.wait(60.0) == 0
    assert 'Traceback' not in node.output, node.output


def test_a_second_signal_does_not_wait():
    node = slow_node(load_s=300.0)
    node.wait_for_output('loading bundle')
    node.signal(signal.SIGINT)
    time.sleep(0.2)  # its output may come later than the second in which this counts as one
    node.signal(signal.SIGINT)  # the same Ctrl-C, as launch passes it on
    node.wait_for_output('ending')
    time.sleep(1.5)
    assert node.alive
    node.signal(signal.SIGINT)
    assert node.wait(30.0) == 128 + signal.SIGINT


@mark.parametrize(('parameters', 'words'), [
    ({'preset': 'papper'}, "got 'papper'"),
    ({'max_rate': -1.0}, 'max_rate'),
    ({'queue_size': 'many'}, 'queue_size'),
])
def test_a_parameter_that_is_not_valid_ends_the_start_in_one_line(parameters, words):
    node = NodeProcess(parameters)
    assert node.wait(60.0) == 2
    assert words in node.output
    assert 'Traceback' not in node.output, node.output


def test_without_autostart_a_manager_decides(client):
    node = NodeProcess({'autostart': False})
    try:
        assert client.state() == 'unconfigured'
        client.wait_for_silence("the node is 'unconfigured'")
        assert client.transition('configure')
        assert client.state() == 'inactive'
        assert client.transition('activate')
        client.wait_for_silence('no publisher on /image')
        assert client.transition('deactivate')
        assert client.transition('cleanup')
        assert client.transition('unconfigured_shutdown')
        assert client.state() == 'finalized'
        assert client.call('the red box', image()).status == ReferringMask.INACTIVE
    finally:
        assert node.stop() == 0


def test_the_subscription_follows_the_publishers_qos(client):
    node = NodeProcess()
    try:
        client.wait_until('active')
        client.publish('image', image(), 'reliable')
        wait_for(lambda: client.diagnosis('inputs')[1].get('image qos') ==
                 'reliable, volatile', 30.0)
        best_effort = client.node.create_publisher(Image, 'image', qos_profile_sensor_data)
        wait_for(lambda: client.diagnosis('inputs')[1]['image qos'] == 'best_effort, volatile',
                 30.0)
        sent = image(stamp=7)

        def answered():
            best_effort.publish(sent)
            return client.call('the red box').mask.header == sent.header
        wait_for(answered, 30.0)
    finally:
        assert node.stop() == 0


def test_compressed_images_lie_below_the_topic_that_image_is_remapped_to(client):
    node = NodeProcess({'image_transport': 'compressed'},
                       arguments=['-r', 'image:=/camera/color/image_raw'])
    try:
        client.wait_until('active')
        client.wait_for_silence('no publisher on /camera/color/image_raw/compressed')
    finally:
        assert node.stop() == 0


def test_incompatible_qos_is_the_reason_for_silence(client):
    node = NodeProcess({'reliability': 'reliable'})
    try:
        client.wait_until('active')
        publisher = client.node.create_publisher(Image, 'image', qos_profile_sensor_data)
        publisher.publish(image())
        client.wait_for_silence('incompatible QoS')
    finally:
        assert node.stop() == 0


def test_under_simulated_time_age_is_measured_on_the_simulated_clock(client):
    node = NodeProcess({'use_sim_time': True, 'max_age': 5.0})
    try:
        client.wait_until('active')
        client.wait_for_silence('use_sim_time is set and no /clock comes')

        def at(seconds: float) -> None:
            clock = Clock()
            clock.clock.sec = int(seconds)
            client.publish('/clock', clock)
            time.sleep(0.3)
        at(100)
        client.publish('image', image(stamp=100))
        wait_for(lambda: client.call('the red box').status in ANSWERED, 30.0)
        at(104)
        wait_for(lambda: client.call('the red box').status in ANSWERED, 30.0)
        at(106)
        wait_for(lambda: client.call('the red box').status == ReferringMask.STALE_IMAGE, 30.0)
        at(10)  # the bag starts anew: what came before is of another time
        wait_for(lambda: client.call('the red box').status == ReferringMask.NO_IMAGE, 30.0)
        client.publish('image', image(stamp=10))
        wait_for(lambda: client.call('the red box').status in ANSWERED, 30.0)
    finally:
        assert node.stop() == 0


def test_the_rate_of_answers_to_a_standing_expression_is_bounded(client):
    node = NodeProcess({'max_rate': 2.0})
    try:
        client.wait_until('active')
        client.say('the red box')
        start = time.monotonic()
        sent = 0
        while time.monotonic() - start < 3.0:
            client.publish('image', image())
            sent += 1
            time.sleep(0.03)
        # At 2 Hz no more than one at once and two in each second that has begun.
        assert 2 <= len(client.masks) <= 1 + 2 * (time.monotonic() - start) + 1
        assert sent > len(client.masks)
    finally:
        assert node.stop() == 0
