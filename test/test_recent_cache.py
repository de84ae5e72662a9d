"""Results kept by their key."""

from refdiff_ros.recent_cache import RecentCache


def test_the_last_used_are_kept():
    cache, computed = RecentCache(capacity=2), []

    def get(key):
        return cache.get(key, lambda: computed.append(key) or key.upper())
    assert [get(key) for key in 'abacb'] == list('ABACB')
    assert computed == ['a', 'b', 'c', 'b']  # c pushed b out, not a
    assert len(cache) == 2 and 'c' in cache and 'a' not in cache
    cache.clear()
    assert len(cache) == 0 and get('c') == 'C' and computed[-1] == 'c'
