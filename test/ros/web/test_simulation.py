"""The operator page in Chromium, with the simulated camera and the trained bundle."""

import json

import chromium
from free_port import free_port
import numpy as np
from PIL import Image as Picture
from PIL import ImageDraw
from pytest import mark
from rclpy.qos import DurabilityPolicy, qos_profile_sensor_data, QoSProfile
from ros_graph import GraphClient, NODE, NodeProcess, wait_for
from sensor_msgs.msg import Image
from std_msgs.msg import String


@mark.slow
@mark.timeout(900)
@mark.skipif(not chromium.find(), reason=chromium.WHY_SKIPPED)
def test_an_object_that_is_asked_for_on_the_page_is_outlined_there(tmp_path):
    port, remap = free_port(), []
    for pair in ('color/image_raw:=image', 'depth/image_raw:=depth',
                 'color/camera_info:=camera_info'):
        remap += ['-r', pair]
    camera = NodeProcess({'rate': 2.0}, NODE.parent / 'tabletop_camera', remap)
    node = NodeProcess({'bundle': 'tabletop_mini', 'web_port': port, 'sync_tolerance': 1.0,
                        'follow': True})
    client, truth, ids = GraphClient(), [], []
    client.node.create_subscription(String, 'tabletop_camera/objects', truth.append, QoSProfile(
        depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL))
    client.node.create_subscription(
        Image, 'tabletop_camera/instances', ids.append, qos_profile_sensor_data)
    browser = chromium.Chromium(tmp_path / 'profile')
    try:
        node.wait_for_output('active: images', 600.0)
        wait_for(lambda: truth and ids)
        asked = {thing['name']: thing['id'] for thing in json.loads(truth[0].data)['objects']}
        browser.open(f'http://127.0.0.1:{port}/')
        browser.wait_for('window.refdiff && refdiff.pictures > 0', 120.0)
        good = 0
        for name, number in list(asked.items())[:4]:
            browser.js('document.getElementById("text").focus()')
            browser.js('document.getElementById("text").value = ""')
            browser.type(f'the {name}')
            browser.press('Enter')
            browser.wait_for(f'refdiff.now.answer && refdiff.now.answer.expression == "the {name}"'
                             ' && refdiff.now.answer.grasp.words', 120.0)
            assert browser.text('status') in ('FOUND', 'AMBIGUOUS')
            assert browser.text('grasp') and browser.text('latency').endswith(' ms')
            good += _iou(browser.js('refdiff.now.answer.mask'), ids[-1], number) > 0.5
        assert good >= 3
        assert browser.trouble == []
        assert node.stop() == 0, node.output
        browser.wait_for('document.getElementById("link").textContent.includes("lost")')
        browser.wait_for('document.getElementById("age").textContent.includes("is old")')
    finally:
        browser.close()
        client.close()
        node.stop()
        camera.stop()


def _iou(outlines: list[list[int]], instances: Image, number: int) -> float:
    """IoU of the outer outline on the page with the simulator's truth."""
    true = np.frombuffer(bytes(instances.data), np.uint16).reshape(
        instances.height, instances.width) == number
    drawn = Picture.new('1', (instances.width, instances.height))
    ImageDraw.Draw(drawn).polygon(outlines[0], fill=1)
    mask = np.asarray(drawn)
    return float((mask & true).sum() / (mask | true).sum())
