"""What the operator page is sent, and what a click on a region means."""

import io
import json

import numpy as np
from PIL import Image as Picture
from pytest import approx, raises
from web_answers import ambiguous, unpack

from refdiff_ros.errors import BadRequestError
from refdiff_ros.grasp.results import PoseStatus
from refdiff_ros.pictures.overlay import inner_point
from refdiff_ros.results import (
    Status,
)
from refdiff_ros.ros.answers import Answer
from refdiff_ros.ros.messages import referring_mask
from refdiff_ros.ros.web.answer_view import answer_message, Shown
from refdiff_ros.ros.web.choice import choose
from refdiff_ros.ros.web.hub import Viewer
from refdiff_ros.ros.web.pictures import jpeg, outlines, pack, to_json


def message(answer, attention=False, candidates=8):
    return unpack(bytes(4) + answer_message(Shown(answer, 7, 12.5, candidates), attention))


def test_an_answer_comes_with_its_own_picture_and_both_regions():
    _, head, (picture,) = message(ambiguous())
    assert Picture.open(io.BytesIO(picture)).size == (160, 120)
    assert (head['status'], head['number'], head['latency_ms']) == ('AMBIGUOUS', 7, 12.5)
    assert head['expression'] == '<b>box</b>'  # text, which the page sets as text
    assert [c['box'] for c in head['candidates']] == [[10, 40, 40, 30], [100, 40, 40, 30]]
    assert [each['number'] for each in head['candidates']] == [1, 2]
    assert head['candidates'][1]['probability'] is None
    u, v = head['candidates'][1]['point']
    assert 110 < u < 130 and 50 < v < 60
    assert len(message(ambiguous(), candidates=1)[1]['candidates']) == 1


def test_attention_comes_only_where_it_is_asked_for_and_is_clear_where_it_is_nothing():
    assert not message(ambiguous())[1]['attention']
    _, head, (_, png) = message(ambiguous(), attention=True)
    assert head['attention']
    alpha = np.asarray(Picture.open(io.BytesIO(png)))[:, :, 3]
    assert alpha[0, 0] == 0 and alpha[-1, -1] > 140


def test_an_answer_without_a_picture_is_told_all_the_same():
    _, head, parts = message(Answer(Status.NO_IMAGE, 'start the camera', 'the box'))
    assert (head['status'], head['reason'], head['picture'], parts) == (
        'NO_IMAGE', 'start the camera', False, [])


def test_numbers_that_are_none_become_null():
    assert json.loads(to_json({'a': float('nan'), 'b': [float('inf'), 1.5]})) == {
        'a': None, 'b': [None, 1.5]}
    assert unpack(bytes(4) + pack({'x': 1}, [b'abc', b'']))[1:] == (
        {'x': 1, 'parts': [3, 0]}, [b'abc', b''])


def test_outlines_have_holes_and_a_point_lies_inside():
    mask = np.zeros((60, 60), bool)
    mask[10:50, 10:50] = True
    mask[20:40, 20:40] = False
    found = outlines(mask)
    assert len(found) == 2
    assert {tuple(found[0][k:k + 2]) for k in range(0, 8, 2)} == {
        (10, 10), (49, 10), (49, 49), (10, 49)}
    u, v = inner_point(mask)
    assert mask[v, u]
    full = np.ones((20, 30), bool)
    assert full[inner_point(full)[::-1]]


def test_wide_pictures_are_made_smaller():
    assert Picture.open(io.BytesIO(jpeg(np.zeros((90, 2560, 3), np.uint8)))).size == (1280, 45)


def test_a_click_makes_the_answer_found_with_that_region():
    answer = ambiguous()
    chosen = choose(answer, (120, 50), (100, 40, 40, 30))
    assert chosen.status is Status.FOUND and chosen.segmentation.index == 1
    assert chosen.reason == 'the operator chose region 2 of 2'
    assert (chosen.segmentation.mask == answer.segmentation.proposals[1]).all()
    assert chosen.grasp.center_u == approx(119.5, abs=1)
    assert chosen.grasp.pose.position[0] == approx((119.5 - 80) / 150 * 0.6, abs=0.01)
    msg = referring_mask(chosen)
    assert (msg.header.frame_id, msg.status, len(msg.candidates)) == ('optical', 1, 1)
    assert answer.segmentation.rivals == (1,)  # the answer itself is left alone


def test_a_click_on_what_has_moved_is_refused():
    for point, box in (((75, 50), (100, 40, 40, 30)), ((120, 50), (10, 40, 40, 30))):
        with raises(BadRequestError, match='the picture has changed since'):
            choose(ambiguous(), point, box)
    with raises(BadRequestError, match='expected a pixel of the 160x120 image'):
        choose(ambiguous(), (160, 5), (0, 0, 1, 1))
    with raises(BadRequestError, match='nothing to choose: the newest answer is FOUND'):
        choose(ambiguous(status=Status.FOUND), (20, 50), (10, 40, 40, 30))


def test_the_chosen_grasp_keeps_the_reason_why_there_is_no_pose():
    chosen = choose(ambiguous(depth=False), (120, 50), (100, 40, 40, 30))
    assert chosen.grasp.valid and chosen.grasp.pose_status is PoseStatus.NO_DEPTH


def test_a_slow_browser_gets_the_newest_picture_once_it_has_shown_the_last():
    viewer = Viewer()
    for k in range(3):
        viewer.show('frame', b'frame %d' % k)
        viewer.show('answer', b'answer %d' % k)
    assert viewer.picture()[4:] == b'answer 2'
    viewer.show('frame', b'frame 3')
    assert viewer.picture() is None
    viewer.ready = True
    assert viewer.picture()[4:] == b'frame 3'
    viewer.ready = True
    assert viewer.picture() is None


def test_of_states_the_newest_is_told_and_of_results_each():
    viewer = Viewer()
    for k in range(3):
        viewer.tell('state', {'k': k})
        viewer.tell('done', {'k': k})
    told = [json.loads(text) for text in viewer.texts()]
    assert [t['k'] for t in told if t['what'] == 'state'] == [2]
    assert [t['k'] for t in told if t['what'] == 'done'] == [0, 1, 2]
    assert viewer.texts() == []
