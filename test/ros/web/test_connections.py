"""Which connections of the operator page are kept."""

from pytest import mark

from refdiff_ros.ros.web.connections import address_of, Connection, Connections, Limits


def connections(in_all=4, per_address=2):
    return Connections(Limits(in_all, per_address))


def connection(address='a', trusted=False):
    return Connection(address, lambda: None, trusted)


def test_the_oldest_stranger_of_an_address_makes_room_for_the_newest():
    kept, first, second, third = connections(), *(connection() for _ in range(3))
    assert kept.add(first) is None and kept.add(second) is None
    assert kept.add(third) is first
    assert first not in kept and second in kept and third in kept


def test_who_may_see_the_page_stays_and_a_newcomer_goes():
    kept, newest = connections(), connection()
    known = [connection(trusted=True) for _ in range(2)]
    assert [kept.add(each) for each in known] == [None, None]
    assert kept.add(newest) is newest
    assert newest not in kept and len(kept) == 2


def test_over_the_limit_in_all_the_address_that_has_most_gives_one():
    kept = connections(in_all=3)
    lonely, crowd = connection('b'), [connection('a') for _ in range(2)]
    for each in (lonely, *crowd):
        assert kept.add(each) is None
    # `lonely` is older, but it is the only one of its address.
    assert kept.add(connection('c')) is crowd[0]


def test_trusted_ones_of_the_busiest_address_stay_too():
    kept = connections(in_all=3)
    known, lonely = [connection('a', trusted=True) for _ in range(2)], connection('b')
    for each in (*known, lonely):
        kept.add(each)
    assert kept.add(connection('c')) is lonely


def test_what_is_closed_is_forgotten_once_or_twice():
    kept, one = connections(), connection()
    kept.add(one)
    kept.remove(one)
    kept.remove(one)
    assert len(kept) == 0 and kept.all() == []


@mark.parametrize(('host', 'address'), [
    ('192.168.1.7', '192.168.1.7'), ('::ffff:10.0.0.1', '10.0.0.1'),
    ('2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'), ('2001:db8:1:2::9', '2001:db8:1:2::/64'),
    ('fe80::1%eth0', 'fe80::/64'), ('::1', '::/64'),
])
def test_a_visitor_is_an_address_or_an_ipv6_network(host, address):
    assert address_of(host) == address
