"""Domains of one's own: nobody else is given them while anybody is on them."""

from collections.abc import Generator
import fcntl
from pathlib import Path
import subprocess
import sys
import tempfile
import textwrap

import pytest
from ros_graph import wait_for

from refdiff_ros.errors import RefDiffError
from refdiff_ros.ros.processes.private_domain import claim_descriptors, claim_domain, environment

# Given to nobody who does not ask for them, so that what a claim finds depends on this file alone.
DOMAINS = range(97, 101)


@pytest.fixture(autouse=True, scope='module')
def _no_other_run_of_these_tests() -> Generator[None, None, None]:
    with Path(tempfile.gettempdir(), 'refdiff_test_domains.lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def test_those_that_are_given_by_default_are_other_ones():
    domain, claim = claim_domain()
    with claim:
        assert domain not in DOMAINS


def test_where_each_is_taken_that_is_said():
    domain, claim = claim_domain(DOMAINS[:1])
    with claim, pytest.raises(RefDiffError, match=r'free ROS domain of 97\.\.97, found none'):
        claim_domain([domain])


def test_two_claims_are_two_domains():
    (one, first), (other, second) = claim_domain(DOMAINS), claim_domain(DOMAINS)
    with first, second:
        assert one != other


def test_a_claim_that_was_closed_is_free_again():
    domain, claim = claim_domain(DOMAINS)
    claim.close()
    assert claim.fileno() not in claim_descriptors()
    again, claim = claim_domain(DOMAINS)
    with claim:
        assert again == domain


def test_a_process_that_was_given_the_claim_holds_it():
    domain, claim = claim_domain(DOMAINS)
    child = subprocess.Popen(['cat'], stdin=subprocess.PIPE, pass_fds=claim_descriptors())
    try:
        claim.close()  # as when this process is killed
        other, claim = claim_domain(DOMAINS)
        claim.close()
        assert other != domain
    finally:
        child.communicate()
    again, claim = claim_domain(DOMAINS)
    with claim:
        assert again == domain


def test_a_domain_on_which_a_foreign_node_listens_is_not_given():
    domain, claim = claim_domain(DOMAINS)
    claim.close()
    node = subprocess.Popen([sys.executable, '-c', textwrap.dedent("""
        import os, sys
        os.environ.update(ROS_DOMAIN_ID=sys.argv[1], ROS_AUTOMATIC_DISCOVERY_RANGE='LOCALHOST')
        import rclpy
        rclpy.init()
        node = rclpy.create_node('foreign')
        print('there', flush=True)
        sys.stdin.read()
        """), str(domain)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert node.stdout.readline() == 'there\n'
        other, claim = claim_domain(DOMAINS)
        claim.close()
        assert other != domain
    finally:
        node.communicate()

    def is_given_again():
        again, claim = claim_domain(DOMAINS)
        claim.close()
        return again == domain
    wait_for(is_given_again)


def test_the_environment_puts_a_process_there():
    assert environment(7) == {
        'ROS_DOMAIN_ID': '7', 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'}
