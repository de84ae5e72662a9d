"""Callers as ROS makes them by default, many at once: each hears its answer."""

from pathlib import Path
import sys

from pytest import mark, param
from ros_graph import image, running

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'bench' / 'robustness'))
from rows.simultaneous_callers import Callers  # noqa: E402


@mark.parametrize(('processes', 'clients'), [
    (2, 20), param(20, 10, marks=mark.slow)])
def test_every_caller_hears_its_answer(processes, clients):
    with running({'service_timeout': 600.0, 'max_age': 3600.0}) as (_, client):
        client.publish('image', image())
        client.fresh('inputs', lambda values: values['image received'] != '0')
        callers = Callers(processes, clients)
        try:
            statuses, _ = callers.call()
        finally:
            callers.close()
        assert statuses['lost'] == 0
        assert statuses.total() == processes * clients
