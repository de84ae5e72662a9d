"""Orders on a real graph: gripper, truth and the node that follows as processes of their own."""

import asyncio
from contextlib import contextmanager, ExitStack
import os
from pathlib import Path

from action_msgs.msg import GoalStatus
import numpy as np
import pytest
from ros_graph import wait_for

from refdiff_ros.action import FollowInstruction
from refdiff_ros.errors import BadRequestError
from refdiff_ros.follow.results import State
from refdiff_ros.follow.ros.client import FollowClient
from refdiff_ros.msg import InstructionReference, InstructionStep
from refdiff_ros.pick.graph import GraphOptions, show_scene, start
from refdiff_ros.ros.web.follower_link import FollowerLink
from refdiff_ros.sim.scene import random_scene

# Two plates, a purple mug and an orange can.
SEED = 60000030
_TIMEOUT_S = 300.0
Result = FollowInstruction.Result


@pytest.fixture(scope='module')
def client():
    log = Path(os.environ['ROS_LOG_DIR'])  # where logs outlive the test
    with ExitStack() as stack:
        client = start(GraphOptions(
            SEED, (192, 256), True, '', 'onboard', 'full', 'cpu', _TIMEOUT_S, log, speed=4.0,
            server='follow-server'), stack, FollowClient)
        show_scene(client, SEED, _TIMEOUT_S)
        yield client


@pytest.fixture
def idle(client):
    """The client, with a hand that is empty and free."""
    assert client.trigger('resume', _TIMEOUT_S).success
    assert client.trigger('put_back', _TIMEOUT_S).success
    return client


def _never(question):
    raise AssertionError(f'no question was expected: {question.text}')


def _order(client, text, answer=_never, **goal):
    sent = client.order(_TIMEOUT_S, instruction=text, **goal)
    return client.watch_order(sent, _TIMEOUT_S, answer)


def _row(client, name):
    return [thing['name'] for thing in client.scene['objects']].index(name)


def _place(client, name):
    return client.places_m[_row(client, name)]


def _gap_m(client, name, plate):
    return np.hypot(*(_place(client, name) - _place(client, plate))[:2])


def test_what_is_not_there_is_found_out_with_empty_hands(idle):
    result = _order(idle, 'put the orange can on the red plate')
    assert result.status == Result.REFUSED and 'red plate' in result.reason
    assert [state.state for state in idle.states if state.instruction] and all(
        state.state in (State.READING, State.GROUNDING, State.IDLE) for state in idle.states
        if state.instruction)
    assert result.holding == ''


@pytest.mark.parametrize('text, told', [
    ('the orange can', 'not said'), (' ', 'empty'), ('xyzzy ' * 400, ''),
    ('if it is clean pick up the can', 'condition')])
def test_what_cannot_be_read_touches_nothing(idle, text, told):
    result = _order(idle, text)
    assert result.status in (Result.NOT_READ, Result.REFUSED), result.reason
    assert told in result.reason


def test_a_dry_run_grounds_and_moves_nothing(idle):
    result = _order(idle, 'put the orange can on the yellow plate', dry_run=True)
    assert result.status == Result.DONE and 'nothing was moved' in result.reason


def test_an_order_with_a_question_is_done(idle):
    asked = []

    def answer(question):
        asked.append(question)
        return 'the left one'
    result = _order(idle, 'put the orange can on the plate', answer)
    assert result.status == Result.DONE, result.reason
    assert len(asked) == 1 and {option.label for option in asked[0].options} == {
        'the left plate', 'the right plate'}
    assert _gap_m(idle, 'orange can', 'black plate') < 0.03
    assert idle.states[-1].state == State.IDLE and idle.states[-1].holding == ''


def test_a_wrong_id_is_refused_and_an_answer_that_fits_nothing_is_asked_again(idle):
    sent = idle.order(_TIMEOUT_S, instruction='put the purple mug on the plate')
    wait_for(lambda: idle.question is not None)
    first = idle.question
    assert not idle.answer(first.id + 7, text='left').accepted
    assert idle.answer(first.id, text='the green one').accepted
    wait_for(lambda: idle.question is not None and idle.question.id != first.id)
    assert idle.question.tries_left == first.tries_left - 1
    box = idle.question.options[1].box
    pixel = (box.x_offset + box.width // 2, box.y_offset + box.height // 2)
    assert idle.answer(idle.question.id, pixel=pixel).option == 2
    cancelled = sent.cancel_goal_async()
    wait_for(cancelled.done)
    done = sent.get_result_async()
    wait_for(done.done)
    assert done.result().status == GoalStatus.STATUS_CANCELED
    assert done.result().result.holding == ''


def test_nobody_answers(idle):
    sent = idle.order(_TIMEOUT_S, instruction='pick up the plate', answer_timeout=0.5)
    done = sent.get_result_async()
    wait_for(done.done)
    assert done.result().result.status in (Result.TIMEOUT, Result.REFUSED)


def test_words_are_heard_and_stop_counts_in_every_state(idle):
    idle.say('pick up the purple mug')
    wait_for(lambda: idle.states[-1].state == State.LIFTING)
    idle.say('stop')
    wait_for(lambda: idle.states[-1].state == State.STOPPED)
    result = _order(idle, 'pick up the orange can')
    assert result.status == Result.REFUSED and 'resume' in result.reason


def test_a_planner_gives_steps_and_skills_know_what_is_in_the_hand(idle):
    step = InstructionStep(action='pick', references=[
        InstructionReference(role='pick', expression='the purple mug')])
    result = _order(idle, 'planned', steps=[step], conversation='a')
    assert result.status == Result.DONE and result.holding == 'the purple mug'
    sent = idle.skill('place_referred', _TIMEOUT_S, relation='on', anchors=['the yellow plate'])
    done = sent.get_result_async()
    wait_for(done.done, _TIMEOUT_S)
    assert done.result().result.status == Result.DONE, done.result().result.reason
    # As `refdiff follow-eval` judges it.
    plate = random_scene(SEED).things[_row(idle, 'yellow plate')].form
    assert _gap_m(idle, 'purple mug', 'yellow plate') < plate.radius


@contextmanager
def _link(client):
    """The operator page's line to the node, and the newest that it has told, by kind."""
    told = {}
    link = FollowerLink(client._node, 'refdiff_follow', told.__setitem__)
    try:
        wait_for(lambda: told.get('follow', {}).get('state') == 'IDLE')
        yield link, told
    finally:
        link.destroy()


def _newest(told):
    return told.get('orders', {'orders': [{}]})['orders'][0]


def test_the_page_shows_its_own_orders_and_those_of_others(idle):
    with _link(idle) as (link, told):
        assert told['follow']['link'] == 'open'
        idle.say('pick up the red dragon')
        wait_for(lambda: _newest(told).get('outcome') == 'REFUSED')
        assert _newest(told)['text'] == 'pick up the red dragon'
        assert 'red dragon' in _newest(told)['reason']
        assert asyncio.run(link.order('the orange can')) == 'ordered'
        wait_for(lambda: _newest(told).get('outcome') == 'NOT_READ')
        assert [order['text'] for order in told['orders']['orders']] == [
            'the orange can', 'pick up the red dragon']
        with pytest.raises(BadRequestError, match='nothing to cancel'):
            asyncio.run(link.cancel())
        with pytest.raises(BadRequestError, match='no question is open'):
            asyncio.run(link.answer({'id': 1, 'text': 'left'}))


def test_a_stop_from_the_page_keeps_the_plan_and_is_taken_back(idle):
    with _link(idle) as (link, told):
        asyncio.run(link.order('pick up the purple mug'))
        wait_for(lambda: told['follow']['state'] == 'LIFTING')
        assert asyncio.run(link.stop()) == 'the hand holds its pose'
        wait_for(lambda: _newest(told).get('outcome') == 'STOPPED')
        wait_for(lambda: told['follow']['outcome'] == 'STOPPED')
        assert told['follow']['state'] == 'STOPPED'
        assert [step['text'] for step in told['follow']['plan']] == ['pick up the purple mug']
        assert asyncio.run(link.trigger('resume')) == 'goals are taken up again'
        wait_for(lambda: told['follow']['state'] == 'IDLE')
        assert asyncio.run(link.order('stop')) == 'ordered'
        wait_for(lambda: told['follow']['state'] == 'STOPPED')
        assert 'back' in asyncio.run(link.trigger('put_back'))
        wait_for(lambda: told['follow']['state'] == 'IDLE')
        assert told['follow']['holding'] == ''
