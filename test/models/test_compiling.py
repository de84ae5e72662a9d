"""torch.compile: the same answers, nothing compiled while somebody waits, nothing paid twice."""

from functools import partial
import json
import os
import subprocess
import sys
import threading

import pytest
import torch
from torch._dynamo.utils import counters

from refdiff_ros.benchmark.asked import draw_picture
from refdiff_ros.errors import BundleError
from refdiff_ros.models.compiling import compile_models
from refdiff_ros.models.manager import load_bundle
from refdiff_ros.models.untrained import build_untrained
from refdiff_ros.presets import get_preset
from refdiff_ros.proposals.sam_embedding import embed
from refdiff_ros.results import Frame
from refdiff_ros.warming import warm_up

_WARM = """
import json, threading
import torch
from torch._dynamo.utils import counters
from refdiff_ros.benchmark.asked import draw_picture
from refdiff_ros.models.compiling import compile_models
from refdiff_ros.warming import warm_up
from refdiff_ros.models.untrained import build_untrained
from refdiff_ros.presets import get_preset
from refdiff_ros.results import Frame
from refdiff_ros.proposals.sam_embedding import embed

models, preset = build_untrained(), get_preset('onboard')
frame = Frame(draw_picture((480, 640)))
plain = embed(models.sam, frame, preset.proposals).features
compile_models(models)
warm_up(models, preset)
graphs, found = counters['stats']['unique_graphs'], []
thread = threading.Thread(
    target=lambda: found.append(embed(models.sam, frame, preset.proposals).features))
thread.start()
thread.join()
print(json.dumps({
    'graphs': graphs, 'later': counters['stats']['unique_graphs'] - graphs,
    'hits': counters['inductor']['fxgraph_cache_hit'],
    'misses': counters['inductor']['fxgraph_cache_miss'],
    'off_by': float((found[0] - plain).abs().max()),
    'large': float(plain.abs().max())}))
"""


def warmed(home):
    """What a new process tells of its warm-up."""
    clean = {name: value for name, value in os.environ.items()
             if not name.startswith(('TORCHINDUCTOR', 'TRITON'))}
    done = subprocess.run(
        [sys.executable, '-c', _WARM], capture_output=True, text=True, timeout=300, check=False,
        env={**clean, 'REFDIFF_HOME': str(home)})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_configure_compiles_and_a_restart_finds_it_on_disk(tmp_path):
    first = warmed(tmp_path)
    assert first['graphs'] == first['misses'] == 2  # blocks with windows, and across the picture
    assert first['later'] == 0
    assert first['off_by'] < 1e-4 < first['large']
    assert any((tmp_path / '.compiled').iterdir())
    again = warmed(tmp_path)
    assert (again['hits'], again['misses'], again['later']) == (2, 0, 0)
    assert again['off_by'] < 1e-4


def test_what_was_warmed_up_is_not_compiled_again_in_another_thread(monkeypatch, tmp_path):
    monkeypatch.setenv('TORCHINDUCTOR_CACHE_DIR', str(tmp_path))
    # The code that torch finds is run as it is: no compiler is waited for.
    monkeypatch.setattr('refdiff_ros.proposals.sam_encoder.torch.compile',
                        partial(torch.compile, backend='eager'))
    models, preset = build_untrained(), get_preset('onboard')
    frame, found = Frame(draw_picture((240, 320))), []
    plain = embed(models.sam, frame, preset.proposals).features
    compile_models(models)
    before = counters['stats']['unique_graphs']
    warm_up(models, preset)
    warmed_up = counters['stats']['unique_graphs']
    assert warmed_up == before + 2
    thread = threading.Thread(
        target=lambda: found.append(embed(models.sam, frame, preset.proposals).features))
    thread.start()
    thread.join()
    assert counters['stats']['unique_graphs'] == warmed_up
    torch.testing.assert_close(found[0], plain)


def test_without_a_compiler_the_error_says_what_to_do(tmp_path, monkeypatch):
    import torch._inductor.config

    monkeypatch.setenv('TORCHINDUCTOR_CACHE_DIR', str(tmp_path))
    monkeypatch.setattr(torch._inductor.config.cpp, 'cxx', (None, str(tmp_path / 'none')))
    models = build_untrained()
    compile_models(models)
    with pytest.raises(BundleError) as error:
        warm_up(models, get_preset('onboard'))
    for words in ('torch.compile', 'C++ compiler', "'compile' to false"):
        assert words in str(error.value)


@pytest.mark.parametrize('asked', [False, True])
def test_a_bundle_is_compiled_where_it_is_asked_for(asked, tmp_path, monkeypatch):
    monkeypatch.setenv('TORCHINDUCTOR_CACHE_DIR', str(tmp_path))
    seen = []
    monkeypatch.setattr('refdiff_ros.proposals.sam_encoder.torch.compile',
                        lambda function, **_: seen.append(function) or function)
    models = load_bundle('untrained_mini', device='cpu', compile=asked)
    warm_up(models, get_preset('onboard'))
    assert len(seen) == asked
