"""Tests of how the C library keeps freed memory, and of how Python looks for more."""

import os
import subprocess
import sys

import pytest

# Two hundred threads take memory from heaps of their own, unless there are few.
_CODE = """
import threading
from refdiff_ros.ros.processes.heap import settle_heap
print(settle_heap())
gate = threading.Barrier(201)
def take():
    kept = [bytes(600) for _ in range(100)]
    gate.wait()
    gate.wait()
threads = [threading.Thread(target=take) for _ in range(200)]
for thread in threads:
    thread.start()
gate.wait()
print(sum(1 for line in open('/proc/self/maps') if line.split()[1] == 'rw-p'
          and not line.rstrip().endswith((']', '.so')) and int(line.split('-')[0], 16) % (64 << 20)
          == 0 and line.split()[4] == '0'))
gate.wait()
"""


def _heaps(**changed: str) -> tuple[bool, int]:
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith('MALLOC_') and name != 'GLIBC_TUNABLES'} | changed
    done = subprocess.run([sys.executable, '-c', _CODE], env=environment, capture_output=True,
                          text=True, check=True, timeout=60)
    said, count = done.stdout.split()
    return said == 'True', int(count)


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='glibc alone has mallopt')
def test_threads_share_few_heaps():
    settled, few = _heaps()
    left, many = _heaps(MALLOC_TRIM_THRESHOLD_='131072')
    assert (settled, left) == (True, False)
    assert few <= 2 < many


def test_garbage_is_searched_for_less_often_and_not_at_the_end():
    code = """
import gc, atexit
from refdiff_ros.ros.processes.heap import seldom_searching, skip_last_search
atexit.register(lambda: print(gc.get_freeze_count() > 0))  # after what is registered later
skip_last_search()
skip_last_search()
before = gc.get_threshold()
with seldom_searching():
    print(gc.get_threshold())
print(gc.get_threshold() == before, gc.get_freeze_count())
"""
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True,
                          check=True, timeout=60)
    assert done.stdout.splitlines() == ['(5000, 20, 20)', 'True 0', 'True']
