"""The operating page in Chromium, on the simulated gripper with the trained bundle: an order with
a question is answered and done, and another one is stopped."""

from contextlib import ExitStack
import os
from pathlib import Path

import chromium
from free_port import free_port
from pytest import fixture, mark

from refdiff_ros.follow.ros.client import FollowClient
from refdiff_ros.pick.graph import GraphOptions, show_scene, start

# Two bananas, a plate, a box and a mug.
SEED = 660000030
ORDER = 'put the banana on the plate, then put the box next to the plate'
# On a machine with a lot to do, models and physics are slow.
PATIENCE_S = 900.0
pytestmark = [mark.slow, mark.timeout(3000),
              mark.skipif(not chromium.find(), reason=chromium.WHY_SKIPPED)]


@fixture(scope='module')
def browser(tmp_path_factory):
    """A browser on the page of a running simulation, with an empty and free hand."""
    port = free_port()
    with ExitStack() as stack:
        client = start(GraphOptions(
            SEED, (240, 320), False, 'tabletop_mini', 'onboard', 'full', 'cpu', PATIENCE_S,
            Path(os.environ['ROS_LOG_DIR']), server='follow-server', web_port=port), stack,
            FollowClient)
        show_scene(client, SEED, PATIENCE_S)
        shown = chromium.Chromium(tmp_path_factory.mktemp('browser') / 'profile')
        stack.callback(shown.close)
        shown.open(f'http://127.0.0.1:{port}/')
        shown.wait_for('window.refdiff && refdiff.following.known && refdiff.pictures > 0',
                       PATIENCE_S)
        yield shown


def state(browser, wanted, timeout_s=PATIENCE_S):
    """Until the state is one of those."""
    browser.wait_for(f'{list(wanted)}.includes(refdiff.following.now.state)', timeout_s)


def order(browser, text):
    browser.js('document.getElementById("text").focus()')
    browser.type(text)
    browser.press('Enter')


def in_view(browser, name):
    """Whether an element lies within the window."""
    return browser.js(
        f'(() => {{ const r = document.getElementById("{name}").getBoundingClientRect();'
        ' return r.width > 0 && r.top >= 0 && r.bottom <= innerHeight'
        ' && r.left >= 0 && r.right <= innerWidth; })()')


def test_an_order_is_asked_about_answered_and_done(browser):
    assert browser.js('document.body.dataset.mode') == 'do'
    order(browser, ORDER)
    browser.wait_for('refdiff.following.question', PATIENCE_S)
    assert browser.text('asked-text') == 'Do you mean the left one or the right one?'
    rows = browser.js('[...document.querySelectorAll("#options button")].map(b => b.innerText)')
    assert [row.split('\n')[:2] for row in rows[:2]] == [
        ['1', 'the left banana'], ['2', 'the right banana']]
    assert all('fits' in row and row.endswith('%') for row in rows[:2])
    assert rows[2] == 'None of these'
    numbers = browser.js('[...document.querySelectorAll("#overlay .number")].map(n => [n.textCo'
                         'ntent, n.getBoundingClientRect().x])')
    assert sorted(numbers)[0][0] == '1' and sorted(numbers)[0][1] < sorted(numbers)[1][1]
    for size in ((1280, 900), (390, 844)):
        browser.resize(*size)
        for name in ('stop', 'text', 'asked-text', 'options'):
            assert in_view(browser, name), (name, size)
        assert browser.js('document.documentElement.scrollWidth') <= size[0]
    # At the thumb: the box is the lowest thing on a telephone.
    assert browser.js('innerHeight - document.getElementById("text").getBoundingClientRect()'
                      '.bottom') < 40
    browser.resize(1280, 900)
    order(browser, 'the left one')
    state(browser, ['LIFTING', 'CARRYING', 'PLACING'])
    browser.wait_for('refdiff.following.now.holding === "the banana"', PATIENCE_S)
    assert browser.text('hand') == 'In the hand: the banana'
    assert browser.js('[...document.querySelectorAll("#plan li")].map(s => s.className)') == [
        'running', 'open']
    browser.wait_for('refdiff.following.now.outcome', PATIENCE_S)
    assert browser.text('work-state') == 'DONE', browser.text('work-note')
    assert browser.js('[...document.querySelectorAll("#plan li")].map(s => s.className)') == [
        'done', 'done']
    assert browser.text('hand') == 'The hand is empty.'
    browser.wait_for('document.querySelector("#orders .became").textContent === "done"')
    assert browser.trouble == []


def test_escape_stops_in_the_middle_and_what_is_held_is_put_back(browser):
    order(browser, 'pick up the mug')
    state(browser, ['LIFTING'])
    browser.press('Escape')
    state(browser, ['STOPPED'], 60.0)
    browser.wait_for('document.getElementById("told").textContent.includes("holds its pose")')
    browser.wait_for('refdiff.following.now.outcome === "STOPPED"', 60.0)
    assert browser.text('work-state') == 'STOPPED'
    for size in ((390, 844), (1280, 900)):
        browser.resize(*size)
        assert in_view(browser, 'stop'), size
    order(browser, 'pick up the box')
    browser.wait_for('document.querySelector("#orders .became").textContent === "refused"')
    browser.js('document.getElementById("put-back").click()')
    state(browser, ['IDLE'])
    assert browser.text('hand') == 'The hand is empty.'
    words = browser.js('[...document.querySelectorAll("#orders .became")].map(o => o.innerText)')
    assert words == ['refused', 'stopped', 'done']
    assert browser.trouble == []


def test_what_finding_refuses_can_be_followed_instead(browser):
    browser.js('document.getElementById("mode-find").click()')
    order(browser, 'pick up the mug and put it on the table')
    browser.wait_for('!document.getElementById("instead").hidden', PATIENCE_S)
    assert 'follows instructions' in browser.text('reason')
    browser.js('document.getElementById("instead").click()')
    browser.wait_for('document.body.dataset.mode === "do" && refdiff.following.busy', PATIENCE_S)
    browser.js('document.getElementById("stop").click()')
    state(browser, ['STOPPED'], 60.0)
    browser.wait_for('!document.getElementById("resume").closest("[hidden]")')
    browser.js('document.getElementById("resume").click()')
    state(browser, ['IDLE'], 60.0)
    assert browser.trouble == []
