"""How a node of its own starts and ends: loading, signals, parameters, managers, remappings."""

import hashlib
import json
import signal
import subprocess
import sys
import threading
import time

from hub_server import COMMIT, hub_server
from pytest import fixture, mark
from rclpy.qos import qos_profile_sensor_data
from ros_graph import Gates, image, NodeProcess, ROOT
from sensor_msgs.msg import CompressedImage

from refdiff_ros.msg import ReferringMask

SLOW = ROOT / 'test' / 'slow_node.py'
# What is to end at once, on a machine with a lot to do.
PROMPT_S = 30.0
ANSWERED = (ReferringMask.FOUND, ReferringMask.NOT_FOUND, ReferringMask.AMBIGUOUS)


@fixture
def gates(tmp_path):
    return Gates(tmp_path)


def slow_node(gates: Gates | None = None, **parameters) -> NodeProcess:
    return NodeProcess(parameters, SLOW, environment=gates.environment if gates else None)


def test_while_loading_the_services_answer(client, gates):
    gates.shut('load')
    node = slow_node(gates)
    try:
        client.wait_until('configuring')
        response = client.call('the red box', image())
        assert response.status == ReferringMask.INACTIVE
        assert 'models loading' in response.reason
        assert not client.transition('configure')  # it is under way already
        client.wait_for_silence('models loading')
        gates.open('load')
        client.wait_until('active')
        assert client.call('the red box', image()).status in ANSWERED
    finally:
        assert node.stop() == 0


@mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_inference_ends_before_the_next_stage(client, gates, number):
    node = slow_node(gates, service_timeout=300.0)
    client.wait_until('active')
    gates.shut('segment')
    first = client.call_async('the red box', image())
    gates.wait_reached('segment')
    waiting = client.call_async('the red box', image())
    client.fresh('answers', lambda values: values['calls waiting'] == '1')
    node.signal(number)
    node.wait_for_output('ending')
    assert node.alive and not first.done()
    gates.open('segment')
    # The call that runs hears of the end as soon as its stage is over, and so does the other.
    ended = client.result(first)
    assert ended.status == ReferringMask.INACTIVE
    assert 'the node is ending: stopped before the stage' in ended.reason
    assert node.wait(PROMPT_S) == 0
    assert 'Traceback' not in node.output, node.output
    assert 'a second Ctrl-C ends at once' in node.output
    assert client.result(waiting).status == ReferringMask.INACTIVE


def test_a_signal_while_loading_does_not_wait(gates):
    gates.shut('load')
    node = slow_node(gates)
    gates.wait_reached('load')
    node.signal(signal.SIGINT)
    assert node.wait(PROMPT_S) == 0
    assert 'Traceback' not in node.output, node.output


@mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
@mark.parametrize('started', [
    [sys.executable, '-v', '-m', 'refdiff_ros.cli', 'node'],
    [sys.executable, '-v', str(ROOT / 'scripts' / 'refdiff_node')]])
def test_a_signal_while_the_node_is_imported_ends_quietly(number, started):
    with subprocess.Popen(started, stderr=subprocess.PIPE, text=True) as process:
        lines = []
        for line in process.stderr:  # of -v: what is imported
            lines.append(line)
            if "import 'rclpy." in line:
                process.send_signal(number)
                break
        rest = process.stderr.read()
        assert process.wait(PROMPT_S) == 0
    assert lines
    assert 'Traceback' not in rest and 'KeyboardInterrupt' not in rest


def test_a_download_is_seen_in_diagnostics_and_ends_with_the_node(client, tmp_path):
    content = bytes(4_000_000)
    with hub_server() as hub:
        hub.files, hub.hold = {'acme/mini/w.safetensors': content}, threading.Event()
        digest = hashlib.sha256(content).hexdigest()
        part = {'hub': {'repo': 'acme/mini', 'revision': COMMIT},
                'files': [{'path': 'w.safetensors', 'sha256': digest}]}
        (tmp_path / 'bundle.json').write_text(json.dumps({
            'format': 1, 'name': 'mini', 'trained': True, 'parts': {
                'diffusion': {'layout': 'diffusers', **part},
                'clip': {'layout': 'transformers', **part}}}))
        node = NodeProcess({'bundle': str(tmp_path)}, environment={
            'HF_ENDPOINT': hub.url, 'NO_PROXY': '127.0.0.1,localhost'})
        client.wait_for_silence(
            f"loading: bundle '{tmp_path}', downloading diffusion/w.safetensors: 1.0 MB of 8.0 MB")
        node.wait_for_output('downloading diffusion/w.safetensors: 8.0 MB')
        node.signal(signal.SIGINT)
        assert node.wait(PROMPT_S) == 0
        hub.hold.set()
    assert (tmp_path / 'diffusion/w.safetensors.part').stat().st_size >= 1_000_000


def test_a_mode_that_needs_more_models_is_refused(client):
    node = NodeProcess({'mode': 'G'})
    try:
        client.wait_until('active')
        refused = client.set_parameter('mode', 'full')
        assert not refused.successful
        assert "mode 'full' needs clip and sam, not loaded" in refused.reason
        assert client.call('the red box', image()).status in ANSWERED
    finally:
        assert node.stop() == 0


def test_a_second_signal_does_not_wait(client, gates):
    node = slow_node(gates)
    client.wait_until('active')
    gates.shut('segment')
    client.call_async('the red box', image())
    gates.wait_reached('segment')
    # Two at once are one Ctrl-C, which launch passes on. Of two kinds, since the system makes one
    # of two of the same kind that wait to be handled.
    node.signal(signal.SIGINT)
    node.signal(signal.SIGTERM)
    node.wait_for_output('ending')
    time.sleep(1.5)  # what comes later than a second is another one
    assert node.alive
    node.signal(signal.SIGINT)
    assert node.wait(PROMPT_S) == 128 + signal.SIGINT


@mark.parametrize(('parameters', 'words'), [
    ({'preset': 'papper'}, "got 'papper'"),
    ({'max_rate': -1.0}, 'max_rate'),
    ({'queue_size': 'many'}, 'queue_size'),
])
def test_a_parameter_that_is_not_valid_ends_the_start_in_one_line(parameters, words):
    node = NodeProcess(parameters)
    assert node.wait() == 2
    assert words in node.output
    assert 'Traceback' not in node.output, node.output


def test_without_autostart_a_manager_decides(client):
    node = NodeProcess({'autostart': False})
    try:
        assert client.state() == 'unconfigured'
        client.wait_for_silence("the node is 'unconfigured'")
        assert client.transition('configure')
        assert client.state() == 'inactive'
        assert client.transition('activate')
        client.wait_for_silence('no publisher on /image')
        assert client.transition('deactivate')
        assert client.transition('cleanup')
        assert client.transition('unconfigured_shutdown')
        assert client.state() == 'finalized'
        assert client.call('the red box', image()).status == ReferringMask.INACTIVE
    finally:
        assert node.stop() == 0


def test_why_nothing_comes_through_a_remapped_compressed_topic(client):
    node = NodeProcess({'image_transport': 'compressed', 'reliability': 'reliable'},
                       arguments=['-r', 'image:=/camera/color/image_raw'])
    try:
        client.wait_until('active')
        topic = '/camera/color/image_raw/compressed'  # below the one that image is remapped to
        client.wait_for_silence(f'no publisher on {topic}')
        client.node.create_publisher(CompressedImage, topic, qos_profile_sensor_data)
        client.wait_for_silence('incompatible QoS')
    finally:
        assert node.stop() == 0
