import contextlib

import numpy as np

from refdiff_ros.caches import FrameCache, RecentCache
from refdiff_ros.results import Frame


def _frame(value, stamp_ns=0):
    return Frame(np.full((4, 4, 3), value, np.uint8), stamp_ns=stamp_ns)


def test_the_same_picture_and_key_compute_once():
    cache, calls = FrameCache(), []
    for stamp_ns in (1, 2):
        result = cache.get(_frame(7, stamp_ns), 'stage', lambda: calls.append(1) or 'result')
    assert (result, len(calls)) == ('result', 1)


def test_another_key_or_picture_computes_again():
    cache, calls = FrameCache(capacity=2), []
    for value, key in ((7, 'a'), (7, 'b'), (8, 'a')):
        cache.get(_frame(value), key, lambda: calls.append(1))
    assert len(calls) == 3


def test_the_picture_used_longest_ago_goes_first():
    cache, calls = FrameCache(capacity=2), []
    for value in (1, 2, 1, 3, 1, 2):
        cache.get(_frame(value), 'stage', lambda value=value: calls.append(value))
    assert calls == [1, 2, 3, 2]
    assert len(cache) == 2


def test_a_failed_computation_keeps_nothing():
    cache = FrameCache()
    with contextlib.suppress(ZeroDivisionError):
        cache.get(_frame(1), 'stage', lambda: 1 / 0)
    assert cache.get(_frame(1), 'stage', lambda: 'fresh') == 'fresh'


def test_pictures_of_equal_bytes_but_another_shape_differ():
    tall, wide = np.zeros((8, 2, 3), np.uint8), np.zeros((2, 8, 3), np.uint8)
    assert Frame(tall).digest != Frame(wide).digest


def test_the_last_used_are_kept():
    cache, computed = RecentCache(capacity=2), []

    def get(key):
        return cache.get(key, lambda: computed.append(key) or key.upper())
    assert [get(key) for key in 'abacb'] == list('ABACB')
    assert computed == ['a', 'b', 'c', 'b']  # c pushed b out, not a
    assert len(cache) == 2 and 'c' in cache and 'a' not in cache
    cache.clear()
    assert len(cache) == 0 and get('c') == 'C' and computed[-1] == 'c'
