"""The preflight check answers in one line, before anything is downloaded."""

import os
from pathlib import Path
import shutil
import subprocess

import pytest

_ROOT = Path(__file__).parent.parent
_TOOLS = ('awk', 'cat', 'df', 'dirname', 'ldconfig', 'sh')


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A bare checkout whose `bin` is the PATH: no compiler there, and a user who is not root."""
    (tmp_path / 'tools').mkdir()
    shutil.copy(_ROOT / 'tools/preflight.sh', tmp_path / 'tools')
    programs = tmp_path / 'bin'
    programs.mkdir()
    for name in _TOOLS:
        found = shutil.which(name, path='/usr/bin:/bin:/usr/sbin:/sbin')
        if found:
            (programs / name).symlink_to(found)
    _program(programs / 'id', 'echo 1000')
    return tmp_path


def _program(path: Path, body: str) -> None:
    # Without this the text would go through the link into the system's own program.
    path.unlink(missing_ok=True)
    path.write_text(f'#!/bin/sh\n{body}\n')
    path.chmod(0o755)


def _preflight(checkout: Path, **environment: str) -> subprocess.CompletedProcess:
    environment = {'PATH': str(checkout / 'bin'), 'REFDIFF_MIN_FREE_GB': '0', **environment}
    return subprocess.run(
        ['/bin/sh', str(checkout / 'tools/preflight.sh')], env=environment, capture_output=True,
        text=True, stdin=subprocess.DEVNULL, timeout=60)


def _says(result: subprocess.CompletedProcess, *words: str) -> None:
    assert result.returncode == 1, result.stdout + result.stderr
    assert len(result.stderr.splitlines()) == 1, result.stderr
    for word in words:
        assert word in result.stderr


def _real_python() -> str:
    # The interpreter of the machine: the one of the environment has no headers of its own.
    found = shutil.which('python3.11', path='/usr/bin:/usr/local/bin:' + os.environ['PATH'])
    if found is None:
        pytest.skip('no python3.11 on the PATH')
    return found


def test_no_python_at_all(checkout: Path) -> None:
    _says(_preflight(checkout), 'expected Python 3.11', 'PYTHON')


@pytest.mark.parametrize('version', ['CPython 3.9', 'CPython 3.13', 'PyPy 3.11'])
def test_unsupported_python(checkout: Path, version: str) -> None:
    _program(checkout / 'bin/python3', f'echo "{version}"')
    _says(_preflight(checkout), f'is {version}', 'install python3.11')


def test_python_that_does_not_run(checkout: Path) -> None:
    _program(checkout / 'bin/python3', 'exit 1')
    _says(_preflight(checkout), 'does not run')


def test_missing_compiler_names_the_command(checkout: Path) -> None:
    _says(_preflight(checkout, PYTHON=_real_python()),
          'sudo apt-get install -y', 'build-essential', 'cmake')


def test_full_disk(checkout: Path) -> None:
    _program(checkout / 'bin/df', 'echo header; echo disk 100 90 3145728 97% /')
    result = _preflight(checkout, PYTHON=_real_python(), REFDIFF_MIN_FREE_GB='10')
    _says(result, 'expected 10 GB', 'found 3 GB')


def test_unknown_distro(checkout: Path) -> None:
    _says(_preflight(checkout, ROS_DISTRO='foxy'), 'kilted or jazzy', "'foxy'")
