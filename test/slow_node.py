"""The refdiff node with delays and faults that a test can count on; the models are real.

REFDIFF_TEST_SEGMENT_S: seconds that each answer takes longer.
REFDIFF_TEST_GATES: a folder; loading waits while it has a file 'load', an answer while it has one
called 'segment'. See `ros_graph.Gates`.
An expression that begins with 'fault memory' runs out of memory, with 'fault memory once' in its
first try alone; one that begins with 'fault bug' raises.
"""

import os
from pathlib import Path
import sys
import time

import torch

from refdiff_ros import engine
from refdiff_ros.discriminative import similarity
from refdiff_ros.models import manager
from refdiff_ros.ros.node import main

_answer = engine.Engine.answer
_score = similarity.DiscriminativeFrame.score
_load = manager.load_bundle
_failures = 0


def _pass(name):
    """Wait while the gate is shut, and show that somebody does."""
    folder = os.environ.get('REFDIFF_TEST_GATES')
    if not folder or not Path(folder, name).exists():
        return
    reached = Path(folder, f'{name}_reached')
    reached.touch()
    while Path(folder, name).exists():
        time.sleep(0.005)
    reached.unlink()


def answer(self, ask):
    """As the engine's, later, or not at all."""
    global _failures
    _failures = 0
    expression = ask.expression.text
    if expression.startswith('fault memory'):
        _failures = 1 if expression.startswith('fault memory once') else 1000
    if expression.startswith('fault bug'):
        raise ZeroDivisionError('a bug for the test')
    time.sleep(float(os.environ.get('REFDIFF_TEST_SEGMENT_S', 0)))
    _pass('segment')
    return _answer(self, ask)


def score(*args, **kwargs):
    """As CLIP's, where the device has memory left."""
    global _failures
    if _failures:
        _failures -= 1
        raise torch.OutOfMemoryError('CUDA out of memory (for the test)')
    return _score(*args, **kwargs)


def load_bundle(*args, **kwargs):
    """As the manager's, later."""
    _pass('load')
    return _load(*args, **kwargs)


engine.Engine.answer = answer
similarity.DiscriminativeFrame.score = score
manager.load_bundle = load_bundle
sys.exit(main())
