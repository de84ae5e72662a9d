"""The refdiff node with delays and faults that a test can count on; the models are real.

REFDIFF_TEST_LOAD_S: seconds that loading takes longer.
REFDIFF_TEST_SEGMENT_S: seconds that each answer takes longer.
An expression that begins with 'fault memory' or 'fault bug' raises instead of answering.
"""

import os
import sys
import time

from refdiff_ros import engine
from refdiff_ros.errors import OutOfMemoryError
from refdiff_ros.models import manager
from refdiff_ros.ros.node import main

_segment = engine.Engine.segment
_load = manager.load_bundle


def segment(self, frame, expression, mode=None):
    """As the engine's, later, or not at all."""
    if expression.startswith('fault memory'):
        raise OutOfMemoryError('expected memory, got none: use a smaller bundle')
    if expression.startswith('fault bug'):
        raise ZeroDivisionError('a bug for the test')
    time.sleep(float(os.environ.get('REFDIFF_TEST_SEGMENT_S', 0)))
    return _segment(self, frame, expression, mode)


def load_bundle(*args, **kwargs):
    """As the manager's, later."""
    time.sleep(float(os.environ.get('REFDIFF_TEST_LOAD_S', 0)))
    return _load(*args, **kwargs)


engine.Engine.segment = segment
manager.load_bundle = load_bundle
sys.exit(main())
