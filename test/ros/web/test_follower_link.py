"""What the operator page makes of the messages of the node that follows."""

import math
from typing import Any

from builtin_interfaces.msg import Time as TimeMsg
from pytest import approx
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.time import Time
from ros_graph import spun_nodes, wait_for
from sensor_msgs.msg import RegionOfInterest
from unique_identifier_msgs.msg import UUID

from refdiff_ros.follow.results import FollowStatus, QuestionKind, State, StepStatus
from refdiff_ros.msg import FollowQuestion, FollowState, QuestionOption, StepResult
from refdiff_ros.ros.web import follower_link
from refdiff_ros.ros.web.follower_link import FollowerLink, question_view, state_view

NOW = Time(seconds=100)


def test_the_names_are_those_of_the_follower():
    for names, kind, before in ((follower_link.STATES, State, ()),
                                (follower_link.STEPS, StepStatus, ()),
                                (follower_link.OUTCOMES, FollowStatus, ('',)),
                                (follower_link.KINDS, QuestionKind, ('',))):
        assert names == (*before, *kind.__members__)
        assert all(names[member] == name for name, member in kind.__members__.items())


def test_a_state_shows_its_plan_with_what_became_of_each_step():
    view = state_view(FollowState(
        state=State.LIFTING, instruction='take both', outcome=0, note='going up',
        holding='the mug', elapsed=3.26, plan=['pick up the mug', 'put it down'],
        steps=[StepResult(status=StepStatus.RUNNING, reason='')]), NOW)
    assert (view['state'], view['outcome'], view['holding']) == ('LIFTING', '', 'the mug')
    assert view['elapsed_s'] == 3.3 and view['question'] is None
    assert [(step['text'], step['status']) for step in view['plan']] == [
        ('pick up the mug', 'RUNNING'), ('put it down', 'OPEN')]


def test_a_question_shows_its_options_and_how_long_it_waits():
    option = QuestionOption(id=1, label='the left mug', probability=0.9,
                            box=RegionOfInterest(x_offset=3, y_offset=4, width=5, height=6))
    bare = QuestionOption(id=2, label='the right mug', probability=math.nan)
    question = FollowQuestion(id=7, kind=FollowQuestion.WHICH_ONE, text='Which?', tries_left=3,
                              options=[option, bare], deadline=TimeMsg(sec=130))
    view = question_view(question, NOW)
    assert (view['id'], view['kind'], view['left_s']) == (7, 'WHICH_ONE', 30.0)
    assert view['options'][0]['box'] == [3, 4, 5, 6]
    assert view['options'][0]['probability'] == approx(0.9)
    assert view['options'][1]['probability'] is None and view['options'][1]['box'] is None
    # Without a deadline nobody waits for an answer yet.
    question.deadline = TimeMsg()
    assert question_view(question, NOW) is None
    assert question_view(FollowQuestion(), NOW) is None


def _ended(goal: int, text: str, note: str) -> FollowState:
    return FollowState(goal_id=UUID(uuid=[goal] * 16), instruction=text, note=note,
                       outcome=FollowStatus.REFUSED)


def test_an_order_of_which_the_end_alone_is_heard_is_in_the_history():
    with spun_nodes('page') as (node,):
        publisher = node.create_publisher(FollowState, 'follower/state', QoSProfile(
            depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL))
        told: dict[str, Any] = {}
        publisher.publish(_ended(1, 'pick up the mug', 'of yesterday'))
        link = FollowerLink(node, 'follower', told.__setitem__)
        try:
            def publish(state: FollowState) -> list[tuple[str, str]]:
                publisher.publish(state)
                wait_for(lambda: told.get('follow', {}).get('note') == state.note)
                return [(order['text'], order['reason'])
                        for order in dict(link.messages)['orders']['orders']]
            wait_for(lambda: told.get('follow', {}).get('note') == 'of yesterday')
            assert publish(_ended(1, 'pick up the mug', 'a word later')) == []
            dragon = ('pick up the dragon', 'none is there')
            assert publish(_ended(2, *dragon)) == [dragon]
            wait_for(lambda: 'orders' in told)  # is told after the state
            assert told['orders']['orders'][0]['outcome'] == 'REFUSED'
            assert publish(_ended(2, dragon[0], 'a word later')) == [dragon]
            again = ('pick up the dragon', 'still none')
            assert publish(_ended(3, *again)) == [again, dragon]
        finally:
            link.destroy()
