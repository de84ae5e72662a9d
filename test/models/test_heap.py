"""Freed memory that stays with the process."""

import json
import os
import subprocess
import sys

import pytest

# Pieces of 2 MB (for larger ones NumPy asks for huge pages), taken and freed again and again: page
# faults of the rounds after the first.
_PROGRAM = """
import json, resource, sys
import numpy as np
from refdiff_ros.models.heap import keep_freed_memory
from refdiff_ros.models.memory import trim_heap
if sys.argv[1] == 'keep':
    keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def take():
    pieces = [np.ones(1 << 18) for _ in range(48)]
take()
before = faults()
for _ in range(5):
    take()
taken = faults() - before
trim_heap()
take()
print(json.dumps([taken, faults() - before - taken]))
"""
_PAGES = 48 * (2 << 20) // os.sysconf('SC_PAGE_SIZE')  # of a round


def page_faults(what, **variables):
    done = subprocess.run(
        [sys.executable, '-c', _PROGRAM, what], env={**os.environ, **variables},
        capture_output=True, text=True, check=True, timeout=120)
    return json.loads(done.stdout)


@pytest.mark.skipif(sys.platform != 'linux', reason='glibc alone has these thresholds')
def test_what_was_freed_is_there_for_the_next_round():
    kept, after_trim = page_faults('keep')
    assert kept < _PAGES / 4
    assert after_trim > _PAGES / 2  # `trim_heap` did hand it back


@pytest.mark.skipif(sys.platform != 'linux', reason='glibc alone has these thresholds')
@pytest.mark.parametrize('variables', [
    {'MALLOC_TRIM_THRESHOLD_': '131072', 'MALLOC_MMAP_THRESHOLD_': '131072'},
    {'GLIBC_TUNABLES': 'glibc.malloc.trim_threshold=131072:glibc.malloc.mmap_threshold=131072'}])
def test_who_sets_the_thresholds_keeps_them(variables):
    kept, _ = page_faults('keep', **variables)
    assert kept > 4 * _PAGES
