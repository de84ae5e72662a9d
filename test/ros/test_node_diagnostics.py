"""What `/diagnostics` counts and measures, against what was sent to a node with slow models."""

import time

from pytest import approx, fixture
from ros_graph import GraphClient, image, ROOT, running, wait_for

from refdiff_ros.msg import ReferringMask

ANSWERED = (ReferringMask.FOUND, ReferringMask.NOT_FOUND, ReferringMask.AMBIGUOUS)
SEGMENT_S = 0.7


@fixture(scope='module')
def node_and_client():
    with running({'service_timeout': 60.0}, ROOT / 'test' / 'slow_node.py',
                 environment={'REFDIFF_TEST_SEGMENT_S': str(SEGMENT_S)}) as both:
        yield both


@fixture
def client(node_and_client):
    return node_and_client[1]


def report(client, part, when=lambda values: True):
    """Values of a part in the first report stamped from now on of which `when` holds."""
    since_ns = time.time_ns()

    def told():
        stamp = client.diagnostics[-1].header.stamp
        values = client.diagnosis(part)[1]
        return values if (stamp.sec * 10**9 + stamp.nanosec > since_ns and when(values)) else None
    client.diagnosis(part)
    return wait_for(told, 30.0, lambda: f'never so in {client.diagnosis(part)[1]}')


def test_rates_are_those_of_what_was_sent(client):
    client.say('the red box')
    sent, start = [], time.monotonic()
    while time.monotonic() - start < 6.0:  # rates are of the last 5 s
        client.publish('image', image())
        sent.append(time.monotonic())
        time.sleep(0.1)
    answers, inputs = report(client, 'answers'), client.diagnosis('inputs')[1]
    lately = sum(1 for at in sent if at > time.monotonic() - 5.0) / 5
    assert float(answers['images per second']) == approx(lately, rel=0.5)
    assert 0 < float(answers['answers per second']) <= 1 / SEGMENT_S + 0.2
    assert float(answers['last model ms']) >= SEGMENT_S * 1e3
    assert float(answers['last latency ms']) >= float(answers['last model ms'])
    assert 0 < int(inputs['image received']) <= len(sent)
    assert float(inputs['image last s ago']) < 3.0
    assert inputs['depth last s ago'] == 'never'
    client.say('')


def test_the_age_of_the_last_frame_grows(client):
    client.publish('image', image())
    sent = time.monotonic()
    first, second = (float(report(client, 'inputs', lambda values, age=age: float(
        values['image last s ago']) > age)['image last s ago']) for age in (0.0, 1.5))
    assert first < second <= time.monotonic() - sent
    client.wait_for_silence('the last image came')


def test_calls_of_a_client_that_goes_away_are_worked_off(client):
    before = int(report(client, 'answers').get('count service', 0))
    leaving = GraphClient()
    futures = [leaving.call_async('the red box', image()) for _ in range(5)]
    # The node has them: one is in the models, and the others wait.
    report(client, 'answers', lambda values: int(values['calls waiting']) >= 2)
    leaving.close()
    assert not all(future.done() for future in futures)
    after = report(client, 'answers', lambda values: values['calls waiting'] == '0' and int(
        values['count service']) == before + 5)
    assert after['last status'] in ('FOUND', 'NOT_FOUND', 'AMBIGUOUS')
    assert client.call('the red box', image()).status in ANSWERED
    report(client, 'answers', lambda values: int(values['count service']) == before + 6)
