"""The operator page of a running node: over HTTP, over its websocket, and in a real browser."""

import asyncio
from contextlib import contextmanager
import http.client
import json
import socket
import threading

import aiohttp
import chromium
from free_port import free_port
from pytest import fixture, mark, raises
from ros_graph import camera_info, GraphClient, image, NODE, NodeProcess, wait_for
from web_answers import ambiguous
from web_page import browse, of, page, request, TOKEN, token_file

from refdiff_ros.errors import BadRequestError
from refdiff_ros.msg import GraspRegion, ReferringMask
from refdiff_ros.ros import topics
from refdiff_ros.ros.parameters import NodeConfig


@fixture(scope='module')
def port():
    return free_port()


@fixture(scope='module')
def client(port):
    node = NodeProcess({'bundle': 'untrained_mini', 'max_rate': 100.0, 'max_age': 60.0,
                        'web_port': port}, NODE.parents[1] / 'test' / 'undecided_node.py')
    client = GraphClient()
    try:
        client.wait_until('active')
        yield client
    finally:
        client.close()
        ended = node.stop()
    assert ended == 0, node.output
    assert 'Traceback' not in node.output, node.output


@fixture
def nothing_asked(client):
    """No standing expression before and after."""
    client.say('')
    yield client
    client.say('')


@contextmanager
def showing(client, msg):
    """Publish an image again and again: the node may just be following the publisher's QoS."""
    client.publish('image', msg)
    timer = client.node.create_timer(0.2, lambda: client.publish('image', msg))
    try:
        yield
    finally:
        client.node.destroy_timer(timer)


def test_the_page_is_served_with_all_its_files_and_no_foreign_ones(client, port):
    status, headers, body = request(port)
    assert status == 200 and '<title>refdiff operator</title>' in body
    assert "default-src 'none'" in headers['Content-Security-Policy']
    for name in ('page.css', 'page.js', 'follow.js', 'link.js', 'picture.js', 'icon.svg'):
        status, headers, text = request(port, path=f'/assets/{name}')
        assert status == 200 and text
        assert headers['X-Content-Type-Options'] == 'nosniff'
        assert 'https://' not in text
    for path in ('/assets/server.py', '/assets/..%2fserver.py', '/assets/%2e%2e/hub.py', '/other'):
        assert request(port, path=path)[0] == 404


def test_the_node_has_the_topics_and_services_of_the_table(client):
    node, there = client.node, {}
    for kind, ask in (('out', node.get_publisher_names_and_types_by_node),
                      ('in', node.get_subscriber_names_and_types_by_node),
                      ('service', node.get_service_names_and_types_by_node)):
        there[kind] = {name: types[0] for name, types in ask('refdiff', '/')}
    for row in topics.NODE:
        name = row.name.replace('~', '/refdiff') if row.name.startswith('~') else \
            '/' + row.name.lstrip('/')
        assert there[row.kind].get(name) == row.type, row
    # And nothing of ours is missing from it.
    named = {row.name.replace('~', '/refdiff') for row in topics.NODE}
    ours = {name for kind in there.values() for name, type_ in kind.items()
            if '/_action/' not in name and (
                'refdiff_ros' in type_ or name.startswith('/refdiff/') and kind is there['out'])}
    assert {name for name in ours if 'transition_event' not in name} <= named


def test_other_names_and_other_sites_are_turned_away(client, port):
    assert request(port, Host='evil.example')[0] == 403
    assert request(port, Host=f'localhost:{port}')[0] == 200
    with raises(aiohttp.WSServerHandshakeError, match='403'):
        browse(port, None, Origin='http://evil.example')
    browse(port, lambda b: b.hear(of('said')), Origin=f'http://127.0.0.1:{port}')


def test_the_camera_is_shown_without_a_question(nothing_asked, port):
    async def steps(browser):
        assert (await browser.hear(of('said')))['text'] == ''
        return await browser.hear(of('frame'))
    with showing(nothing_asked, image()):
        frame = browse(port, steps)
    assert frame['size'] == [128, 96]
    assert frame['parts'][0].startswith(b'\xff\xd8')
    assert frame['age_ms'] > 0


def test_what_is_asked_is_answered_and_what_is_clicked_is_published(nothing_asked, port):
    client, masks, grasps = nothing_asked, [], []
    client.listen(ReferringMask, 'refdiff/selected', masks)
    client.listen(GraspRegion, 'refdiff/selected_grasp', grasps)
    sent = image()
    client.publish('camera_info', camera_info())

    async def steps(browser):
        await browser.tell(do='look', live=False, attention=True)
        await browser.tell(do='say', text='  the red   box <script>alert(1)</script>')
        stamp = [sent.header.stamp.sec, sent.header.stamp.nanosec]
        answer = await browser.hear(lambda h: h['what'] == 'answer' and h['stamp'] == stamp)
        assert answer['standing']
        assert answer['expression'] == 'the red box <script>alert(1)</script>'
        assert answer['status'] == 'AMBIGUOUS'
        assert len(answer['parts']) == 2 and answer['attention']
        assert len(answer['candidates']) >= 2
        assert 0 < answer['model_ms'] <= answer['latency_ms']
        second = answer['candidates'][1]
        await browser.tell(do='choose', point=second['point'], box=second['box'])
        done = await browser.hear(lambda h: h.get('for') == 'choose')
        assert done['ok'] and done['text'].endswith('sent on /refdiff/selected'), done
        return second
    with showing(client, sent):
        second = browse(port, steps)
    wait_for(lambda: masks and grasps)
    assert masks[0].status == grasps[0].status == ReferringMask.FOUND
    assert masks[0].header == grasps[0].header == sent.header
    box = masks[0].box
    assert [box.x_offset, box.y_offset, box.width, box.height] == second['box']
    # The answer on ~/mask itself stays what it was.
    assert client.masks[-1].status == ReferringMask.AMBIGUOUS


def test_what_is_said_on_the_graph_is_seen_on_the_page(nothing_asked, port):
    client = nothing_asked

    async def steps(browser):
        await browser.hear(of('said'))
        client.say('the blue box')
        await browser.hear(lambda h: h['what'] == 'said' and h['text'] == 'the blue box')
        await browser.tell(do='say', text='')
        await browser.hear(lambda h: h['what'] == 'said' and h['text'] == '')
        state = await browser.hear(lambda h: h['what'] == 'state')
        assert state['node'] == '/refdiff' and state['lifecycle'] == 'active'
    browse(port, steps)


@mark.parametrize(('text', 'words'), [
    ('no json', 'cannot be read'),
    ('[1]', 'cannot be read'),
    ('{"do": "dance"}', "expected 'do' as one of shown, look, say, choose, order"),
    ('{"do": "order", "text": "pick up the mug"}', "the node 'refdiff_follow' is not there"),
    ('{"do": "order"}', 'cannot be read'),
    ('{"do": "order", "text": " "}', 'expected an order of 1 to'),
    ('{"do": "answer", "id": -1, "text": "left"}', 'cannot be read'),
    ('{"do": "answer", "id": 1, "text": "left"}', 'is not there'),
    ('{"do": "stop"}', 'nobody confirms it'),
    ('{"do": "cancel"}', 'is not there'),
    ('{"do": "say", "text": 5}', 'at most 500 characters'),
    (json.dumps({'do': 'say', 'text': 'x' * 501}), 'at most 500 characters'),
    ('{"do": "choose", "point": [1], "box": []}', ''),
    ('[' * 2000, 'cannot be read'),
])
def test_messages_that_make_no_sense_get_a_sentence_and_end_nothing(
        nothing_asked, port, text, words):
    async def steps(browser):
        await browser.send_text(text)
        done = await browser.hear(of('done'))
        assert not done['ok'] and words in done['text'], done
        await browser.tell(do='say', text='')
        await browser.hear(lambda h: h.get('for') == 'say')
    browse(port, steps)


def test_a_browser_too_many_is_sent_away_and_finds_a_place_later(client, port):
    async def run():
        async with aiohttp.ClientSession() as session:
            url = f'http://127.0.0.1:{port}/ws'
            links = [await session.ws_connect(url) for _ in range(8)]
            with raises(aiohttp.WSServerHandshakeError, match='503'):
                await session.ws_connect(url)
            await links[0].close()
            async with asyncio.timeout(200):
                while True:
                    try:
                        links[0] = await session.ws_connect(url)
                        break
                    except aiohttp.WSServerHandshakeError:
                        await asyncio.sleep(0.05)
            for link in links:
                await link.close()
    asyncio.run(run())


@mark.skipif(not chromium.find(), reason=chromium.WHY_SKIPPED)
def test_in_a_browser_a_question_is_typed_and_a_region_is_clicked(
        nothing_asked, port, tmp_path):
    client = nothing_asked
    masks = []
    client.listen(ReferringMask, 'refdiff/selected', masks)
    camera = NodeProcess(
        {'width': 160, 'height': 120, 'rate': 4.0}, NODE.parent / 'tabletop_camera',
        ['-r', 'color/image_raw:=image', '-r', 'depth/image_raw:=depth',
         '-r', 'color/camera_info:=camera_info'])
    browser = chromium.Chromium(tmp_path / 'profile')
    try:
        camera.wait_for_output('scene 0')
        browser.open(f'http://127.0.0.1:{port}/')
        browser.wait_for('window.refdiff && refdiff.pictures > 0')
        browser.js('document.getElementById("text").focus()')
        browser.type('<img src=x onerror=alert(1)>')
        browser.press('Enter')
        browser.wait_for('refdiff.answers > 0')
        assert browser.text('status') == 'AMBIGUOUS'
        assert 'separate regions' in browser.text('reason')
        assert browser.text('said') == '<img src=x onerror=alert(1)>'
        assert browser.js('document.querySelectorAll("img").length') == 0
        regions = browser.js('document.querySelectorAll(".candidate").length')
        assert regions == browser.js('document.querySelectorAll("#candidates button").length') > 1
        # By keyboard, from the box over the two buttons to the first region.
        for _ in range(3):
            browser.press('Tab')
        browser.press('Enter')
        browser.wait_for('document.getElementById("done").textContent.includes("region 1 of")')
        wait_for(lambda: masks)
        assert browser.js('document.querySelectorAll(".candidate.chosen").length') == 1
        browser.js('document.getElementById("clear").click()')
        browser.wait_for('document.querySelectorAll(".candidate").length === 0')
        browser.resize(375, 800)
        assert browser.js('document.documentElement.scrollWidth') <= 375
        assert browser.trouble == []
    finally:
        browser.close()
        camera.stop()


def test_an_address_that_others_reach_fails_configure_without_a_token(client, port, tmp_path):
    for step in ('deactivate', 'cleanup'):
        assert client.transition(step)
    with raises(ConnectionRefusedError):
        request(port)
    assert client.set_parameter('web_address', '0.0.0.0').successful
    assert not client.transition('configure')
    client.wait_for_silence("models failed: not loaded: expected web_token_file with web_address "
                            "'0.0.0.0'")
    token = token_file(tmp_path)
    token.chmod(0o644)
    assert client.set_parameter('web_token_file', str(token)).successful
    assert not client.transition('configure')
    client.wait_for_silence('with mode 0600, so that nobody else reads it, got 0644')
    token.chmod(0o600)
    assert client.transition('configure')
    assert request(port)[0] == 401
    assert request(port, Authorization=f'Bearer {TOKEN}')[0] == 200
    # The page is there while the node is not active, and says why nothing happens.

    async def steps(browser):
        await browser.tell(do='say', text='the box')
        done = await browser.hear(of('done'))
        assert "the node is 'inactive'" in done['text']
    browse(port, steps, Authorization=f'Bearer {TOKEN}')
    assert client.transition('activate')


# The server alone

def test_a_token_opens_the_page_and_a_wrong_one_does_not(tmp_path):
    port = free_port()
    served = page(web_port=port, web_token_file=str(token_file(tmp_path)))
    try:
        own = {'Origin': f'http://127.0.0.1:{port}',
               'Content_Type': 'application/x-www-form-urlencoded'}
        status, _, body = request(port)
        assert status == 401 and 'action="/login"' in body and 'id="text"' not in body
        with raises(aiohttp.WSServerHandshakeError, match='401'):
            browse(port, None)
        status, headers, body = request(port, 'POST', '/login', 'token=wrong', **own)
        assert status == 401 and 'not the token' in body and not headers['Set-Cookie']
        right = 'token=' + TOKEN.replace(' ', '+')
        foreign = {**own, 'Origin': 'http://evil.example'}
        assert request(port, 'POST', '/login', right, **foreign)[0] == 403
        status, headers, _ = request(port, 'POST', '/login', right, **own)
        assert status == 303
        cookie = headers['Set-Cookie']
        assert 'HttpOnly' in cookie and 'SameSite=Strict' in cookie and TOKEN not in cookie
        status, _, body = request(port, Cookie=cookie.split(';')[0])
        assert status == 200 and 'id="text"' in body
        assert request(port, Cookie='refdiff_session=guess')[0] == 401
    finally:
        served.stop()


@mark.skipif(not chromium.find(), reason=chromium.WHY_SKIPPED)
def test_in_a_browser_the_token_is_typed_and_stays_known(tmp_path):
    port = free_port()
    served = page(web_port=port, web_token_file=str(token_file(tmp_path)))
    browser = chromium.Chromium(tmp_path / 'profile')
    try:
        browser.open(f'http://127.0.0.1:{port}/')
        for token, there in (('a wrong token', '.error'), (TOKEN, '#stage')):
            browser.wait_for('document.activeElement.id === "token"')
            browser.type(token)
            browser.press('Enter')
            browser.wait_for(f'document.querySelector("{there}") !== null')
        browser.wait_for('refdiff.now.link === "open"')
        assert browser.js('document.cookie') == ''  # not for scripts
        browser.open(f'http://127.0.0.1:{port}/')
        browser.wait_for('window.refdiff && refdiff.now.link === "open"')
    finally:
        browser.close()
        served.stop()


@mark.skipif(not chromium.find(), reason=chromium.WHY_SKIPPED)
def test_in_a_browser_an_answer_whose_question_was_cleared_is_not_shown(tmp_path):
    port = free_port()
    served = page(web_port=port)
    browser = chromium.Chromium(tmp_path / 'profile')
    try:
        browser.open(f'http://127.0.0.1:{port}/')
        browser.wait_for('window.refdiff && refdiff.now.link === "open"')
        for said, standing, shown in (('', True, 0), ('another', True, 0), ('another', False, 0),
                                      ('<b>box</b>', True, 1), ('', False, 2)):
            before = browser.js('refdiff.pictures')
            served.said(said)
            served.offer(ambiguous(), 8, standing)
            browser.wait_for(f'refdiff.pictures > {before}')
            browser.wait_for(f'refdiff.now.said === {json.dumps(said)}')
            browser.wait_for(f'refdiff.answers === {shown}')
            assert browser.js('refdiff.now.answer !== null') == bool(shown), (said, standing)
        assert browser.js('document.querySelectorAll("b").length') == 0
    finally:
        browser.close()
        served.stop()


def test_a_port_that_is_taken_is_said_and_a_page_that_stands_stays():
    with socket.socket() as other:
        other.bind(('127.0.0.1', 0))
        other.listen()
        taken = other.getsockname()[1]
        with raises(BadRequestError, match=f'127.0.0.1 port {taken} .*set web_port to another'):
            page(web_port=taken)
    port = free_port()
    served = page(web_port=port)
    try:
        kept = http.client.HTTPConnection('127.0.0.1', port, timeout=250)
        kept.connect()  # would be closed with its server
        served.apply(NodeConfig(web_port=port))
        kept.auto_open = 0
        kept.request('GET', '/')
        assert kept.getresponse().status == 200
        kept.close()
    finally:
        served.stop()
    with raises(ConnectionRefusedError):
        request(port)


def test_without_a_port_there_is_no_server():
    before = set(threading.enumerate())
    served = page()
    assert set(threading.enumerate()) <= before
    served.said('the box')
    served.frame_came()
    served.stop()
