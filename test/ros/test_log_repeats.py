"""One traceback, then a count every 5 s."""

import logging

import pytest

from refdiff_ros.ros.log_repeats import RepeatFilter


class Clock:
    """Seconds that a test sets."""

    now_s = 100.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def log():
    clock, lines, logger = Clock(), [], logging.getLogger('repeats_test')

    class Lines(logging.Handler):
        def emit(self, record):
            lines.append(self.format(record))
    handler = Lines()
    handler.addFilter(RepeatFilter(clock))
    logger.addHandler(handler)
    logger.propagate, logger.level = False, logging.INFO
    yield logger, clock, lines
    logger.removeHandler(handler)


def fail(logger, number, where='a'):
    try:
        if where == 'a':
            raise ValueError(f'frame {number}')
        raise ValueError('elsewhere')
    except ValueError:
        logger.exception('while answering %d', number)


def test_an_error_for_every_frame_has_one_traceback_and_a_count_every_five_seconds(log):
    logger, clock, lines = log
    for number in range(301):  # 30 s of 10 frames a second
        fail(logger, number)
        clock.now_s += 0.1
    assert sum('Traceback' in line for line in lines) == 1
    assert len(lines) in (6, 7)
    assert all('more in 5 s, not logged one by one)' in line for line in lines[1:])
    assert 'ValueError: frame 50' in lines[1] or 'ValueError: frame 51' in lines[1]
    assert sum(len(line) for line in lines) < 3000


def test_another_error_and_another_place_are_logged_at_once(log):
    logger, _, lines = log
    fail(logger, 1)
    fail(logger, 2)
    fail(logger, 3, 'b')
    logger.warning('something else')
    assert [line.splitlines()[0] for line in lines] == [
        'while answering 1', 'while answering 3', 'something else']


def test_what_comes_again_after_a_minute_is_logged_anew_and_what_is_told_always_is(log):
    logger, clock, lines = log
    fail(logger, 1)
    clock.now_s += 61
    fail(logger, 2)
    for _ in range(3):
        logger.info('told')
    assert sum('Traceback' in line for line in lines) == 2
    assert lines[-3:] == ['told'] * 3
