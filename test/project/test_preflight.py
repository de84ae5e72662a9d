"""The preflight check answers in one line, before anything is downloaded."""

from pathlib import Path
import shutil
import subprocess
import sys

import pytest

_ROOT = Path(__file__).parents[2]
_TOOLS = ('awk', 'cat', 'df', 'dirname', 'sh', 'uname')


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A bare checkout whose `bin` is the PATH: Python 3.12 of /usr, and a user who is not root."""
    (tmp_path / 'tools').mkdir()
    shutil.copy(_ROOT / 'tools/preflight.sh', tmp_path / 'tools')
    programs = tmp_path / 'bin'
    programs.mkdir()
    for name in _TOOLS:
        found = shutil.which(name, path='/usr/bin:/bin:/usr/sbin:/sbin')
        assert found, name
        (programs / name).symlink_to(found)
    _program(programs / 'id', 'echo 1000')
    _program(programs / 'ldconfig', 'echo libEGL.so.1')
    _program(programs / 'apt-get', 'exit 1')
    for name in ('cc', 'c++', 'make', 'cmake', 'chromium'):
        _program(programs / name, 'exit 0')
    _python(tmp_path, 'python3', 'CPython 3.12')
    return tmp_path


def _program(path: Path, body: str) -> None:
    # Without this the text would go through the link into the system's own program.
    path.unlink(missing_ok=True)
    path.write_text(f'#!/bin/sh\n{body}\n')
    path.chmod(0o755)


def _python(
        checkout: Path, name: str, version: str, prefix: str = '/usr', modules: bool = True,
        headers: bool = True) -> None:
    """A program that answers the questions which the check asks a Python."""
    include = checkout / ('include' if headers else 'no_headers')
    include.mkdir(exist_ok=True)
    if headers:
        (include / 'Python.h').touch()
    _program(checkout / 'bin' / name, f"""case $2 in
*python_implementation*) echo '{version}' ;;
*base_prefix*) echo '{prefix}' ;;
*ensurepip*) exit {0 if modules else 1} ;;
*) echo '{include}' ;;
esac""")


def _preflight(checkout: Path, **environment: str) -> subprocess.CompletedProcess:
    environment = {'PATH': str(checkout / 'bin'), 'REFDIFF_MIN_FREE_GB': '0', **environment}
    return subprocess.run(
        ['/bin/sh', str(checkout / 'tools/preflight.sh')], env=environment, capture_output=True,
        text=True, stdin=subprocess.DEVNULL, timeout=250)


def _says(result: subprocess.CompletedProcess, *words: str) -> None:
    assert result.returncode == 1, result.stdout + result.stderr
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert result.stdout == ''
    for word in words:
        assert word in result.stderr


def _answers(result: subprocess.CompletedProcess, python: str) -> None:
    assert result.returncode == 0, result.stderr
    assert result.stdout == f'{python}\n'


def test_complete_machine(checkout: Path) -> None:
    result = _preflight(checkout)
    _answers(result, 'python3')
    assert result.stderr == ''


def test_the_running_python_is_supported(checkout: Path) -> None:
    # Real answers of a real interpreter instead of the fixture's.
    _answers(_preflight(checkout, PYTHON=sys._base_executable), sys._base_executable)


def test_no_python_at_all(checkout: Path) -> None:
    (checkout / 'bin/python3').unlink()
    _says(_preflight(checkout), 'expected CPython 3.11 to 3.13, found none', 'install', 'PYTHON')


@pytest.mark.parametrize('version', ['CPython 3.9', 'CPython 3.10', 'CPython 3.14', 'PyPy 3.11'])
def test_unsupported_python(checkout: Path, version: str) -> None:
    _python(checkout, 'python3', version)
    _says(_preflight(checkout), f'found {version}', 'install python3.12')


def test_another_python_on_the_path_is_found(checkout: Path) -> None:
    _python(checkout, 'python3', 'CPython 3.10')
    # A version manager's program for a version that is not switched on.
    _program(checkout / 'bin/python3.12', 'echo "not installed" >&2; exit 127')
    _python(checkout, 'python3.11', 'CPython 3.11')
    _answers(_preflight(checkout), 'python3.11')


def test_chosen_python_must_run(checkout: Path) -> None:
    _says(_preflight(checkout, PYTHON='python9'), "PYTHON='python9' does not run")


def test_chosen_python_must_be_supported(checkout: Path) -> None:
    _python(checkout, 'old', 'CPython 3.8')
    _says(_preflight(checkout, PYTHON='old'), "PYTHON='old' is CPython 3.8")


def test_other_processor(checkout: Path) -> None:
    _program(checkout / 'bin/uname', 'echo Linux aarch64')
    _says(_preflight(checkout), 'Linux aarch64', 'colcon')


def test_missing_packages_are_named_with_the_command(checkout: Path) -> None:
    for name in ('c++', 'cmake'):
        (checkout / 'bin' / name).unlink()
    _program(checkout / 'bin/ldconfig', 'echo libc.so.6')
    _python(checkout, 'python3', 'CPython 3.12', modules=False, headers=False)
    _says(_preflight(checkout),
          'sudo apt-get install -y python3.12-venv python3.12-dev build-essential cmake libegl1')


def test_missing_packages_without_apt(checkout: Path) -> None:
    (checkout / 'bin/cmake').unlink()
    (checkout / 'bin/apt-get').unlink()
    _says(_preflight(checkout), 'missing: cmake', "system's package manager")


def test_python_built_without_headers(checkout: Path) -> None:
    # No Debian package brings the headers of a Python that Debian did not install.
    _python(checkout, 'python3', 'CPython 3.12', prefix='/opt/python', headers=False)
    _says(_preflight(checkout), "without Python's headers", 'PYTHON')


def test_root_installs_and_updates_the_lists_only_when_needed(checkout: Path) -> None:
    (checkout / 'bin/cmake').unlink()
    _program(checkout / 'bin/id', 'echo 0')
    calls = checkout / 'calls'
    _program(checkout / 'bin/apt-get', f'echo "$*" >>{calls}')
    _answers(_preflight(checkout), 'python3')
    assert calls.read_text() == 'install -y -qq cmake\n'

    calls.unlink()
    lists = checkout / 'lists'
    _program(checkout / 'bin/apt-get',
             f'echo "$1" >>{calls}; [ "$1" = update ] && : >{lists}; [ -f {lists} ]')
    _answers(_preflight(checkout), 'python3')
    assert calls.read_text().split() == ['install', 'update', 'install']


def test_root_without_network(checkout: Path) -> None:
    (checkout / 'bin/cmake').unlink()
    _program(checkout / 'bin/id', 'echo 0')
    result = _preflight(checkout)
    assert result.returncode == 1
    assert "run 'apt-get update && apt-get install -y cmake'" in result.stderr.splitlines()[-1]


def test_a_browser_is_installed_by_root(checkout: Path) -> None:
    (checkout / 'bin/chromium').unlink()
    _program(checkout / 'bin/id', 'echo 0')
    calls = checkout / 'calls'
    _program(checkout / 'bin/apt-get', f'echo "$*" >>{calls}')
    result = _preflight(checkout)
    _answers(result, 'python3')
    assert result.stderr == 'preflight: installing chromium\n'
    assert calls.read_text() == 'install -y -qq --no-install-recommends chromium\n'


@pytest.mark.parametrize('name', ['chromium-browser', 'google-chrome', 'google-chrome-stable'])
def test_another_browser_will_do(checkout: Path, name: str) -> None:
    (checkout / 'bin/chromium').rename(checkout / 'bin' / name)
    result = _preflight(checkout)
    _answers(result, 'python3')
    assert result.stderr == ''


@pytest.mark.parametrize(('user', 'words'), [
    (1000, "run 'sudo apt-get install -y chromium'"), (0, 'apt-get install -y chromium\' failed')])
def test_without_a_browser_the_set_up_goes_on_and_says_so(
        checkout: Path, user: int, words: str) -> None:
    (checkout / 'bin/chromium').unlink()
    _program(checkout / 'bin/id', f'echo {user}')  # apt-get fails
    result = _preflight(checkout)
    _answers(result, 'python3')
    assert 'tests of the operator page will be skipped' in result.stderr.splitlines()[-1]
    assert words in result.stderr.splitlines()[-1]


def test_no_browser_where_none_is_wanted(checkout: Path) -> None:
    (checkout / 'bin/chromium').unlink()
    result = _preflight(checkout, REFDIFF_BROWSER='no')
    _answers(result, 'python3')
    assert result.stderr == ''


def test_full_disk(checkout: Path) -> None:
    _program(checkout / 'bin/df', 'echo header; echo disk 100 90 3145728 97% /')
    _says(_preflight(checkout, REFDIFF_MIN_FREE_GB='10'), 'expected 10 GB', 'found 3 GB')


def test_full_disk_is_said_before_packages_are_installed(checkout: Path) -> None:
    (checkout / 'bin/cmake').unlink()
    _program(checkout / 'bin/id', 'echo 0')
    _program(checkout / 'bin/df', 'echo header; echo disk 100 90 3145728 97% /')
    _says(_preflight(checkout, REFDIFF_MIN_FREE_GB='10'), 'found 3 GB')


def test_a_finished_environment_keeps_its_python(checkout: Path) -> None:
    environment = checkout / '.venv'
    (environment / 'bin').mkdir(parents=True)
    (environment / '.complete').touch()
    _python(checkout, 'python3.11', 'CPython 3.11')
    (checkout / 'bin/python3.11').rename(environment / 'bin/python')
    # Nor does it need the space that the installation took.
    _answers(_preflight(checkout, REFDIFF_MIN_FREE_GB='1000000'), '.venv/bin/python')


def test_unknown_distro(checkout: Path) -> None:
    _says(_preflight(checkout, ROS_DISTRO='foxy'), 'kilted or jazzy', "'foxy'")
