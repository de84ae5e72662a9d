"""Replies leave one after the other, and again where a caller is not reached yet."""

import threading
import time

from ros_graph import wait_for

from refdiff_ros.ros import paced_replies
from refdiff_ros.ros.paced_replies import PacedReplies, UnreachableError


def test_no_more_leave_at_once_than_a_client_keeps():
    paced, sent_s = PacedReplies(lambda: 0), []
    for _ in range(20):
        paced.refuse(lambda: sent_s.append(time.monotonic()))
    wait_for(lambda: len(sent_s) == 20)
    # Of any nine in a row the last leaves a look later than the first.
    assert all(late - early >= 0.9 * paced_replies._LOOK_S
               for early, late in zip(sent_s, sent_s[8:], strict=False))
    paced.close()


def test_more_clients_have_more_time():
    def seconds(clients):
        paced, done = PacedReplies(lambda: clients), threading.Event()
        began_s = time.monotonic()
        for _ in range(8):
            paced.refuse(lambda: None)
        paced.refuse(done.set)
        assert done.wait(60.0)
        paced.close()
        return time.monotonic() - began_s
    assert seconds(200) >= 0.9 * (paced_replies._LOOK_S + 200 * paced_replies._LOOK_PER_CLIENT_S)


def test_answers_leave_before_refusals_and_take_places():
    paced, sent = PacedReplies(lambda: 2), []
    for _ in range(12):
        paced.refuse(lambda: sent.append(('refusal', time.monotonic())))
    for _ in range(4):
        paced.answer(lambda: sent.append(('answer', time.monotonic())))
    wait_for(lambda: len(sent) == 16)
    # At most the first eight had left when the answers came.
    assert [kind for kind, _ in sent[12:]] == ['refusal'] * 4
    assert sent[15][1] - sent[7][1] >= 0.9 * paced_replies._LOOK_S
    paced.close()


def test_one_client_that_asks_again_after_each_answer_does_not_wait():
    paced, answered = PacedReplies(lambda: 1), threading.Event()
    began_s = time.monotonic()
    for _ in range(200):
        answered.clear()
        paced.answer(answered.set)
        assert answered.wait(60.0)
    assert time.monotonic() - began_s < 200 / 8 * paced_replies._LOOK_S / 2
    paced.close()


def test_a_caller_that_is_not_reached_is_tried_again_behind_the_others():
    paced, heard = PacedReplies(lambda: 0), []

    def late() -> None:
        heard.append('tried')
        if heard.count('tried') < 3:
            raise UnreachableError('not discovered yet')
        heard.append('late')
    paced.refuse(late)
    paced.refuse(lambda: heard.append('other'))
    wait_for(lambda: 'late' in heard)
    assert heard.index('other') < heard.index('late')
    paced.close()


def test_what_waits_leaves_before_the_end():
    paced, heard = PacedReplies(lambda: 1000), []
    for number in range(40):
        paced.refuse(lambda number=number: heard.append(number))
    paced.close()
    assert heard == list(range(40))


def test_the_sender_stays_until_its_last_reply_can_have_been_taken():
    paced, sent_s = PacedReplies(lambda: 1), []
    paced.answer(lambda: sent_s.append(time.monotonic()))
    paced.close()
    assert time.monotonic() - sent_s[0] >= 0.9 * paced_replies.STAY_S


def test_a_reply_that_fails_does_not_silence_the_others():
    paced, heard = PacedReplies(lambda: 0), []
    paced.refuse(lambda: 1 / 0)
    paced.refuse(lambda: heard.append('other'))
    wait_for(lambda: heard)
    paced.close()
