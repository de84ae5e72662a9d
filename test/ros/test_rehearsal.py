"""The first answer of a node finds everything that it needs in memory, and no more."""

import json
import os
import subprocess
import sys

from PIL import Image

from refdiff_ros.sim.render import render_scenes
from refdiff_ros.sim.scene import random_scene

_FIRST_ANSWER = """
import json, sys, time
import numpy as np
from PIL import Image
from ros_graph import camera_info, image
from refdiff_ros.ros.answers import answer, load_engine
from refdiff_ros.ros.conversions import image_message
from refdiff_ros.ros.frame_sync import FrameSet
from refdiff_ros.ros.messages import service_response
from refdiff_ros.ros.parameters import NodeConfig

config = NodeConfig(bundle='tabletop_mini')
engine = load_engine(config, lambda step: None)
pixels = np.asarray(Image.open(sys.argv[1]))
msg = image(pixels)
depth = image_message(np.full(pixels.shape[:2], 0.7, np.float32), '32FC1', msg.header)
frame_set = FrameSet(image=msg, depth=depth, camera_info=camera_info(480, 640, fx=500.0))
before = set(sys.modules)
found = answer(engine, frame_set, sys.argv[2], config, time.monotonic())
response = service_response(found)
print(json.dumps({'status': found.status.name, 'pose': response.grasp.pose_status,
                  'new': sorted(set(sys.modules) - before),
                  'unused': sorted({name.split('.')[0] for name in sys.modules} & {
                      'ray', 'jinja2', 'mujoco', 'triton', 'scipy', 'pandas', 'sympy'})}))
"""


def test_the_first_answer_imports_nothing(tmp_path):
    view, = render_scenes([random_scene(12)], (480, 640))
    Image.fromarray(view.frame.image_rgb).save(tmp_path / 'table.png')
    result = subprocess.run(
        [sys.executable, '-c', _FIRST_ANSWER, str(tmp_path / 'table.png'),
         f'the {view.objects[0].name}'], capture_output=True, text=True, timeout=280,
        stdin=subprocess.DEVNULL, env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)})
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout.splitlines()[-1])
    assert (told['status'], told['pose']) == ('FOUND', 1)
    assert told['new'] == []
    assert told['unused'] == []
