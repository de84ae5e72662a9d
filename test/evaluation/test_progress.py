"""Lines that say how far a run is."""

import pytest

from refdiff_ros.evaluation.progress import Progress, span


@pytest.fixture
def tell(capsys):
    """The lines of `steps` steps of `each_s` seconds."""
    def told(count, steps, each_s, done=0):
        now = [0.0]
        progress = Progress('case', done, clock=lambda: now[0])
        for _ in range(steps):
            now[0] += each_s
            progress.step(count)
        return capsys.readouterr().err.splitlines()
    return told


def test_rate_and_time_left(tell):
    assert tell(100, 50, 0.5) == [
        'case 20 of 100, 10 s, 2/s, 40 s left', 'case 40 of 100, 20 s, 2/s, 30 s left']
    assert tell(3, 3, 20) == [
        'case 1 of 3, 20 s, 20 s each, 40 s left', 'case 2 of 3, 40 s, 20 s each, 20 s left',
        'case 3 of 3, 60 s, 20 s each']


def test_what_an_earlier_run_did_is_no_speed_of_this_one(tell):
    assert tell(1000, 1, 10, done=499) == ['case 500 of 1000, 10 s, 10 s each, 83 min left']


def test_an_unknown_number_and_no_time_at_all(tell):
    assert tell(None, 1, 12) == ['case 1, 12 s, 12 s each']
    assert tell(1, 1, 0) == ['case 1 of 1, 0 s']


def test_spans():
    assert [span(seconds) for seconds in (3.2, 99, 600, 5990, 12600)] == [
        '3 s', '99 s', '10 min', '100 min', '3.5 h']
