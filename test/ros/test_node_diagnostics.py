"""What `/diagnostics` counts and measures, against what was sent to a node with slow models."""

import time

from pytest import approx, fixture
from ros_graph import GraphClient, image, ROOT, running, wait_for

from refdiff_ros.msg import ReferringMask

ANSWERED = (ReferringMask.FOUND, ReferringMask.NOT_FOUND, ReferringMask.AMBIGUOUS)
SEGMENT_S = 0.7


@fixture(scope='module')
def node_and_client(gates):
    with running({'service_timeout': 120.0}, ROOT / 'test' / 'slow_node.py', environment={
            'REFDIFF_TEST_SEGMENT_S': str(SEGMENT_S), **gates.environment}) as both:
        yield both


@fixture
def client(node_and_client):
    return node_and_client[1]


def test_rates_are_those_of_what_was_sent(client):
    client.say('the red box')
    sent = []

    def measured():
        """While images are sent: the diagnosis, once it gives the rate at which they are."""
        client.publish('image', image())
        sent.append(time.monotonic())
        time.sleep(0.1)
        values = client.diagnosis('answers')[1] | client.diagnosis('inputs')[1]
        assert float(values['answers per second']) <= 1 / SEGMENT_S + 0.2
        lately = sum(1 for at in sent if at > time.monotonic() - 5.0) / 5  # as the node does
        so = (float(values['images per second']) == approx(lately, rel=0.3)
              and float(values['answers per second']) > 0
              and float(values['image last s ago']) < 1.0)
        return values if so and sent[-1] - sent[0] > 5.0 else None
    values = wait_for(measured, message=lambda: str(client.diagnosis('answers')))
    assert float(values['last model ms']) >= SEGMENT_S * 1e3
    assert float(values['last latency ms']) >= float(values['last model ms'])
    assert 0 < int(values['image received']) <= len(sent)
    assert values['depth last s ago'] == 'never'
    client.say('')


def test_the_age_of_the_last_frame_grows(client):
    before = int(client.fresh('inputs')['image received'])
    sent_s = time.monotonic()
    client.publish('image', image())

    def age_above(least_s):
        values = client.fresh('inputs', lambda values: int(values['image received']) > before
                              and float(values['image last s ago']) > least_s)
        return float(values['image last s ago'])
    first_s = age_above(-1.0)
    second_s = age_above(first_s + 1.0)
    assert second_s <= time.monotonic() - sent_s + 0.005  # ages are rounded to hundredths
    client.wait_for_silence('the last image came')


def test_calls_of_a_client_that_goes_away_are_worked_off(client, gates):
    before = int(client.fresh('answers').get('count service', 0))
    leaving = GraphClient()
    gates.shut('segment')
    futures = [leaving.call_async('the red box', image()) for _ in range(5)]
    # The node has them: one is in the models, and the others wait.
    client.fresh('answers', lambda values: values['calls waiting'] == '4')
    leaving.close()
    assert not any(future.done() for future in futures)
    gates.open('segment')
    after = client.fresh('answers', lambda values: values['calls waiting'] == '0' and int(
        values['count service']) == before + 5)
    assert after['last status'] in ('FOUND', 'NOT_FOUND', 'AMBIGUOUS')
    assert client.call('the red box', image()).status in ANSWERED
    client.fresh('answers', lambda values: int(values['count service']) == before + 6)
