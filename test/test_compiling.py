"""torch.compile: the same answers, nothing compiled while somebody waits, nothing paid twice."""

import json
import os
import subprocess
import sys

_WARM = """
import json, sys, threading
from torch._dynamo.utils import counters
from refdiff_ros.benchmark.pictures import draw_picture
from refdiff_ros.engine import Engine, resolve_preset
from refdiff_ros.errors import RefDiffError
from refdiff_ros.models.manager import load_bundle, warm_up
from refdiff_ros.results import Frame
from refdiff_ros.sam_embedding import embed

models = load_bundle('untrained_mini', device='cpu', compile=True)
preset = resolve_preset(models, 'onboard')
try:
    warm_up(models, preset)
except RefDiffError as error:
    print(json.dumps({'error': str(error)}))
    sys.exit()
graphs = counters['stats']['unique_graphs']
frame, found = Frame(draw_picture((480, 640))), []
engine = Engine(models, preset)
thread = threading.Thread(target=lambda: found.append(engine.segment(frame, 'the red mug')))
thread.start()
thread.join()
plain = load_bundle('untrained_mini', device='cpu')
other = Engine(plain, preset).segment(frame, 'the red mug')
features = [embed(each.sam, frame, preset.proposals).features for each in (models, plain)]
print(json.dumps({
    'graphs': graphs, 'later': counters['stats']['unique_graphs'] - graphs,
    'hits': counters['inductor']['fxgraph_cache_hit'],
    'misses': counters['inductor']['fxgraph_cache_miss'],
    'off_by': float((features[0] - features[1]).abs().max()),
    'same': bool((found[0].mask == other.mask).all()) and found[0].status == other.status}))
"""


def warmed(home, **environment):
    """What a new process tells of its warm-up."""
    clean = {name: value for name, value in os.environ.items()
             if not name.startswith(('TORCHINDUCTOR', 'TRITON'))}
    done = subprocess.run(
        [sys.executable, '-c', _WARM], capture_output=True, text=True, timeout=300, check=False,
        env={**clean, 'REFDIFF_HOME': str(home), **environment})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_configure_compiles_and_a_restart_finds_it_on_disk(tmp_path):
    first = warmed(tmp_path)
    assert first['graphs'] == first['misses'] == 2  # blocks with windows, and across the picture
    assert first['later'] == 0
    assert first['off_by'] < 1e-4 and first['same']
    assert any((tmp_path / '.compiled').iterdir())
    again = warmed(tmp_path)
    assert (again['hits'], again['misses'], again['later']) == (2, 0, 0)
    assert again['off_by'] < 1e-4 and again['same']


def test_without_a_compiler_the_error_says_what_to_do(tmp_path):
    error = warmed(tmp_path, CXX=str(tmp_path / 'none'))['error']
    for words in ('torch.compile', 'C++ compiler', "'compile' to false"):
        assert words in error
