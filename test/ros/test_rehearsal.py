"""The first answer of a node finds everything that it needs in memory."""

import json
import subprocess
import sys

_FIRST_ANSWER = """
import json, sys, time
import numpy as np
from ros_graph import camera_info, image
from refdiff_ros.ros.answers import answer, load_engine
from refdiff_ros.ros.conversions import image_message
from refdiff_ros.ros.frame_sync import FrameSet
from refdiff_ros.ros.messages import service_response
from refdiff_ros.ros.parameters import NodeConfig
from refdiff_ros.sim.scene import random_scene
from refdiff_ros.sim.render import render_scenes

view, = render_scenes([random_scene(12)], (480, 640))
config = NodeConfig(bundle='tabletop_mini')
engine = load_engine(config, lambda step: None)
msg = image(view.frame.image_rgb)
depth = image_message(view.frame.depth_m, '32FC1', msg.header)
frame_set = FrameSet(image=msg, depth=depth, camera_info=camera_info(480, 640, fx=500.0))
before = set(sys.modules)
found = answer(engine, frame_set, 'the ' + view.objects[0].name, config, time.monotonic())
response = service_response(found)
print(json.dumps({'status': found.status.name, 'pose': response.grasp.pose_status,
                  'new': sorted(set(sys.modules) - before)}))
"""


def test_the_first_answer_imports_nothing():
    result = subprocess.run(
        [sys.executable, '-c', _FIRST_ANSWER], capture_output=True, text=True, timeout=280,
        stdin=subprocess.DEVNULL)
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout.splitlines()[-1])
    assert (told['status'], told['pose']) == ('FOUND', 1)
    assert told['new'] == []
