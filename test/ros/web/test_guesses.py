"""How wrong tokens are slowed, and how refusals are told of."""

import logging

from pytest import approx, fixture

from refdiff_ros.ros.web.guesses import FREE, Guesses
from refdiff_ros.ros.web.refusals import http_log, PERIOD_S, Refusals


@fixture
def clock():
    class Clock:
        now_s = 100.0

        def __call__(self):
            return self.now_s
    return Clock()


def test_after_three_wrong_tokens_each_next_one_doubles_the_wait(clock):
    guesses, waits = Guesses(clock), []
    for _ in range(10):
        guesses.wrong('a')
        waits.append(guesses.wait_s('a'))
        clock.now_s += waits[-1]
        assert guesses.wait_s('a') == 0
    assert waits == approx([0, 0, 1, 2, 4, 8, 16, 32, 60, 60])


def test_another_address_does_not_wait(clock):
    guesses = Guesses(clock)
    for _ in range(FREE):
        guesses.wrong('a')
    assert guesses.wait_s('a') > 0 and guesses.wait_s('b') == 0


def test_ten_minutes_later_an_address_begins_anew(clock):
    guesses = Guesses(clock)
    for _ in range(9):
        guesses.wrong('a')
    clock.now_s += 601
    guesses.wrong('a')
    assert guesses.wait_s('a') == 0


def test_a_million_addresses_need_no_more_room_than_some_thousand(clock):
    guesses = Guesses(clock)
    for number in range(10_000):
        guesses.wrong(str(number))
    assert len(guesses._wrong) <= 4096
    assert '9999' in guesses._wrong


def test_fifty_guesses_a_second_are_looked_at_once_a_minute(clock):
    guesses, looked_at = Guesses(clock), 0
    for _ in range(50 * 3600):
        if not guesses.wait_s('a'):
            guesses.wrong('a')
            looked_at += 1
        clock.now_s += 1 / 50
    assert looked_at <= 3 + 6 + 60


def test_a_thousand_refusals_are_one_line(caplog):
    planned = []
    refusals = Refusals(lambda seconds, call: planned.append((seconds, call)))
    for number in range(1000):
        refusals.count('wrong tokens', 'a' if number % 4 else 'b')
    refusals.count('connections over the limit', 'b')
    assert [seconds for seconds, _ in planned] == [PERIOD_S] and caplog.records == []
    with caplog.at_level(logging.WARNING):
        planned[0][1]()
        refusals.report()
    [record] = caplog.records
    assert record.getMessage() == (
        'operator page: turned away in 30 s: 1000 wrong tokens, 1 connections over the limit; '
        '750 of them from a, 2 addresses in all')
    refusals.count('wrong tokens', 'a')
    assert len(planned) == 2


def test_rubbish_on_the_socket_is_counted_and_faults_of_the_server_are_logged(caplog):
    from aiohttp.http_exceptions import BadStatusLine

    refusals = Refusals(lambda seconds, call: None)
    log = http_log(refusals)
    with caplog.at_level(logging.DEBUG):
        log.exception('Error handling request from %s', '10.0.0.9', exc_info=BadStatusLine('\x16'))
        assert caplog.records == []
        log.exception('Error handling request from %s', '10.0.0.9', exc_info=ValueError('ours'))
        assert 'ours' in caplog.text
        caplog.clear()
        refusals.report()
    assert '1 requests that are no HTTP; 1 of them from 10.0.0.9' in caplog.text
