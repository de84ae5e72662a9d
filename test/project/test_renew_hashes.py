"""The hashes in requirements/: which are missing, and how they are written."""

from pathlib import Path

from pytest import fixture, mark
from script_modules import load_script

_ROOT = Path(__file__).parents[2]
A, B = 'a' * 64, 'b' * 64


@fixture(scope='module')
def renew():
    return load_script('tools/renew_hashes.py')


def test_a_file_is_written_as_pip_reads_it_and_read_again(renew):
    lines = ['# Why.', 'one==1.0', 'two-three==2.0.1']
    text = renew.written(lines, {'one==1.0': {B, A}, 'two-three==2.0.1': {B}})
    assert '\n'.join(text) == (
        f'# Why.\none==1.0 \\\n    --hash=sha256:{A} \\\n    --hash=sha256:{B}\n'
        f'two-three==2.0.1 \\\n    --hash=sha256:{B}')
    again = '\n'.join(text).splitlines()
    assert renew.pins(again) == ['one==1.0', 'two-three==2.0.1']
    assert renew.hashes_of(again) == {'one==1.0': [A, B], 'two-three==2.0.1': [B]}
    # An old hash goes with its pin.
    assert renew.written(again, {'one==1.0': {A}, 'two-three==2.0.1': {A}})[1].count('--hash') == 1


def test_a_pin_without_a_hash_is_found(renew):
    assert renew.hashes_of(['one==1.0', 'two==2.0 \\', f'    --hash=sha256:{A}']) == {
        'one==1.0': [], 'two==2.0': [A]}


@mark.parametrize(('name', 'runs'), [
    ('a-1.0-py3-none-any.whl', True), ('a-1.0.tar.gz', True),
    ('a-1.0-cp311-cp311-manylinux_2_28_x86_64.whl', True),
    ('a-1.0-cp311-cp311-manylinux_2_34_x86_64.whl', False),
    ('a-1.0-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_31_x86_64.whl', True),
    ('a-1.0-cp311-cp311-manylinux2014_x86_64.whl', True)])
def test_wheels_for_a_newer_c_library_alone_are_told_apart(renew, name, runs):
    assert renew.runs_on_old(name) == runs
