"""Slow models, full queues, faults inside, and the end of the process."""

import signal
import time

from pytest import fixture, mark
from rclpy.qos import qos_profile_sensor_data
from ros_graph import Gates, GraphClient, image, NodeProcess, ROOT, wait_for
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image

from refdiff_ros.msg import ReferringMask

SLOW = ROOT / 'test' / 'slow_node.py'
# What is to end at once, on a machine with a lot to do.
PROMPT_S = 30.0
ANSWERED = (ReferringMask.FOUND, ReferringMask.NOT_FOUND, ReferringMask.AMBIGUOUS)


@fixture
def client():
    client = GraphClient()
    yield client
    client.close()


@fixture
def gates(tmp_path):
    return Gates(tmp_path)


def slow_node(gates: Gates | None = None, **parameters) -> NodeProcess:
    return NodeProcess(parameters, SLOW, environment=gates.environment if gates else None)


def test_a_slow_model_leaves_the_node_answering(client, gates):
    node = slow_node(gates, queue_size=2, service_timeout=1.0)
    try:
        client.wait_until('active')
        asked = image()
        gates.shut('segment')
        first = client.call_async('the red box', asked)
        gates.wait_reached('segment')
        others = [client.call_async('the red box', asked) for _ in range(5)]
        # Other services are answered while the models are busy.
        assert client.state() == 'active'
        assert client.set_parameter('max_age', 3.0).successful
        results = [client.result(future) for future in others]
        assert not first.done()
        by_status = sorted(result.status for result in results)
        assert by_status == sorted([ReferringMask.BUSY] * 3 + [ReferringMask.TIMEOUT] * 2)
        busy = next(r for r in results if r.status == ReferringMask.BUSY)
        assert 'queue_size' in busy.reason
        late = next(r for r in results if r.status == ReferringMask.TIMEOUT)
        assert 'timeout' in late.reason
        # A caller's own patience counts for its call alone.
        impatient = client.call_async('the red box', asked, timeout=0.1)
        patient = client.call_async('the red box', asked, timeout=300.0)
        assert client.result(impatient).status == ReferringMask.TIMEOUT
        gates.open('segment')
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


def test_while_loading_the_services_answer(client, gates):
    gates.shut('load')
    node = slow_node(gates)
    try:
        client.wait_until('configuring')
        response = client.call('the red box', image())
        assert response.status == ReferringMask.INACTIVE
        assert 'models loading' in response.reason
        assert not client.transition('configure')  # it is under way already
        client.wait_for_silence('models loading')
        gates.open('load')
        client.wait_until('active')
        assert client.call('the red box', image()).status in ANSWERED
    finally:
        assert node.stop() == 0


@mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_inference_ends_after_the_running_step(client, gates, number):
    node = slow_node(gates, service_timeout=300.0)
    client.wait_until('active')
    gates.shut('segment')
    first = client.call_async('the red box', image())
    gates.wait_reached('segment')
    waiting = client.call_async('the red box', image())
    client.fresh('answers', lambda values: values['calls waiting'] == '1')
    node.signal(number)
    node.wait_for_output('ending')
    assert node.alive and not first.done()
    gates.open('segment')
    # The step that runs is answered, and after it nothing more is waited for.
    assert client.result(first).status in ANSWERED
    assert node.wait(PROMPT_S) == 0
    assert 'Traceback' not in node.output, node.output
    # The call that waited was told why it got no answer.
    assert client.result(waiting).status == ReferringMask.INACTIVE


def test_a_signal_while_loading_ends_after_loading(gates):
    gates.shut('load')
    node = slow_node(gates)
    gates.wait_reached('load')
    node.signal(signal.SIGINT)
    node.wait_for_output('ending')
    assert node.alive
    gates.open('load')
    assert node.wait() == 0
    assert 'Traceback' not in node.output, node.output


def test_a_second_signal_does_not_wait(gates):
    gates.shut('load')
    node = slow_node(gates)
    gates.wait_reached('load')
    # Two at once are one Ctrl-C, which launch passes on. Of two kinds, since the system makes one
    # of two of the same kind that wait to be handled.
    node.signal(signal.SIGINT)
    node.signal(signal.SIGTERM)
    node.wait_for_output('ending')
    time.sleep(1.5)  # what comes later than a second is another one
    assert node.alive
    node.signal(signal.SIGINT)
    assert node.wait(PROMPT_S) == 128 + signal.SIGINT


@mark.parametrize(('parameters', 'words'), [
    ({'preset': 'papper'}, "got 'papper'"),
    ({'max_rate': -1.0}, 'max_rate'),
    ({'queue_size': 'many'}, 'queue_size'),
])
def test_a_parameter_that_is_not_valid_ends_the_start_in_one_line(parameters, words):
    node = NodeProcess(parameters)
    assert node.wait() == 2
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
                 'reliable, volatile')
        best_effort = client.node.create_publisher(Image, 'image', qos_profile_sensor_data)
        wait_for(lambda: client.diagnosis('inputs')[1]['image qos'] == 'best_effort, volatile',
                 30.0)
        sent = image(stamp=7)

        def answered():
            best_effort.publish(sent)
            return client.call('the red box').mask.header == sent.header
        wait_for(answered)
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

        def at(seconds: int) -> None:
            clock = Clock()
            clock.clock.sec = seconds

            def there() -> bool:
                client.publish('/clock', clock)
                return client.diagnostics[-1].header.stamp.sec == seconds
            wait_for(there)
        at(100)
        client.publish('image', image(stamp=100))
        wait_for(lambda: client.call('the red box').status in ANSWERED)
        at(104)
        wait_for(lambda: client.call('the red box').status in ANSWERED)
        at(106)
        wait_for(lambda: client.call('the red box').status == ReferringMask.STALE_IMAGE)
        at(10)  # the bag starts anew: what came before is of another time
        wait_for(lambda: client.call('the red box').status == ReferringMask.NO_IMAGE)
        client.publish('image', image(stamp=10))
        wait_for(lambda: client.call('the red box').status in ANSWERED)
    finally:
        assert node.stop() == 0


def test_the_rate_of_answers_to_a_standing_expression_is_bounded(client):
    node = NodeProcess({'max_rate': 2.0})
    try:
        client.wait_until('active')
        start_s, sent = time.monotonic(), []
        client.say('the red box')

        def answered() -> bool:
            client.publish('image', image())
            sent.append(time.monotonic())
            time.sleep(0.03)
            # At 2 Hz no more than one at once and two in each second that has begun.
            assert len(client.masks) <= 1 + 2 * (time.monotonic() - start_s) + 1
            return len(client.masks) >= 5
        wait_for(answered)
        assert len(sent) > 5
    finally:
        assert node.stop() == 0
