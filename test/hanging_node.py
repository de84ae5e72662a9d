"""The refdiff node with a step that never ends, goes wrong, or holds the interpreter, on command.

A call whose expression has the form 'fault KIND STAGE' does so as the stage begins. Kinds:
'trace' prints the stages that begin; 'hang' waits for ever and lets other threads run; 'lock' holds Python's interpreter lock; 'slow' waits while the
file named by REFDIFF_TEST_SLOW is there; 'exit' raises SystemExit; 'memory' runs out of memory
each time the stage is tried, 'memory_once' the first time. STAGE is one of `refdiff_ros.stages`,
whose names have no spaces.
"""

import ctypes
import os
from pathlib import Path
import sys
import time

import torch

from refdiff_ros import stages
from refdiff_ros.ros import dispatch
from refdiff_ros.ros.node import main

_serve = dispatch.Dispatch._serve
_fault: dict[str, str] = {}


class Faults:
    """A stage listener that goes wrong."""

    def enter(self, name):
        if _fault.get('kind') == 'trace':
            print(f'stage {name}', flush=True)
        if _fault.get('stage') != name:
            return
        kind = _fault['kind']
        print(f'fault {kind} {name} begins', flush=True)
        if kind == 'memory_once':
            _fault.clear()
        FAULTS[kind]()

    def leave(self, name):
        pass


def _hang():
    while True:
        time.sleep(3600.0)


def _lock():
    # PyDLL, unlike CDLL, keeps the interpreter lock while the C function runs.
    ctypes.PyDLL(None).sleep(3600)


def _slow():
    Path(os.environ['REFDIFF_TEST_SLOW'] + '_reached').touch()
    while Path(os.environ['REFDIFF_TEST_SLOW']).exists():
        time.sleep(0.01)


def _exit():
    raise SystemExit(3)


def _memory():
    raise torch.OutOfMemoryError('CUDA out of memory (for the test)')


FAULTS = {'hang': _hang, 'lock': _lock, 'slow': _slow, 'exit': _exit, 'memory': _memory,
          'memory_once': _memory}


def serve(self, pending):
    """As the dispatcher's, with the fault that the expression asks for."""
    _fault.clear()
    words = pending.request.expression.split()
    if words[:1] == ['fault']:
        _fault.update(kind=words[1], stage=words[2])
        # What the models are asked is a plain expression.
        pending.request.expression = 'the green mug on the left'
    with stages.listen(Faults()):
        _serve(self, pending)


if __name__ == '__main__':
    dispatch.Dispatch._serve = serve
    sys.exit(main())
