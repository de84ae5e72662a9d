"""Set-up does what is missing and no more, with a Python that only writes down its calls."""

from pathlib import Path
import shutil
import subprocess

import pytest

_ROOT = Path(__file__).parents[2]

# Answers for Python, for `python -m venv` and for the environment's own Python.
_PYTHON = """#!/bin/sh
case "$*" in
*version_info*) echo 3.12 ;;
*_base_executable*) echo "$CHECKOUT/python" ;;
'-m venv --clear '*)
  echo venv >>"$CHECKOUT/calls"
  rm -rf "$4"; mkdir -p "$4/bin" "$4/lib/python3.12"
  cp "$CHECKOUT/python" "$4/bin/python"; echo "#!$4/bin/python" >"$4/bin/pip" ;;
'-m pip '*)
  echo pip >>"$CHECKOUT/calls"; echo "$*" >>"$CHECKOUT/arguments"
  if [ -f "$CHECKOUT/interrupt" ]; then kill -KILL $PPID; fi ;;
*repair_ros_wheels.py*) echo repair >>"$CHECKOUT/calls" ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with all that set-up reads, and a build that is written down."""
    for folder in ('action', 'msg', 'srv', 'refdiff_ros', 'scripts', 'launch', 'config', 'tools'):
        (tmp_path / folder).mkdir()
    for name in ('CMakeLists.txt', 'package.xml', 'action/A.action', 'msg/A.msg',
                 'srv/A.srv', 'refdiff_ros/a.py',
                 'tools/repair_ros_wheels.py'):
        (tmp_path / name).write_text(name)
    shutil.copytree(_ROOT / 'requirements', tmp_path / 'requirements')
    shutil.copy(_ROOT / 'tools/setup.sh', tmp_path / 'tools')
    _program(tmp_path / 'python', _PYTHON)
    _program(tmp_path / 'tools/preflight.sh', '#!/bin/sh\necho "$CHECKOUT/python"\n')
    _program(tmp_path / 'tools/build.sh',
             '#!/bin/sh\necho build >>"$CHECKOUT/calls"\nmkdir -p build install/refdiff_ros\n')
    return tmp_path


def _program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def _set_up(checkout: Path) -> tuple[int, list[str]]:
    """Exit status and the calls of one run."""
    calls = checkout / 'calls'
    calls.unlink(missing_ok=True)
    result = subprocess.run(
        ['bash', str(checkout / 'tools/setup.sh')], capture_output=True, text=True, timeout=250,
        env={'PATH': '/usr/bin:/bin', 'CHECKOUT': str(checkout)}, stdin=subprocess.DEVNULL)
    return result.returncode, calls.read_text().split() if calls.exists() else []


def test_the_first_run_does_all_and_the_second_nothing(checkout: Path) -> None:
    assert _set_up(checkout) == (0, ['venv', 'pip', 'pip', 'repair', 'build'])
    assert _set_up(checkout) == (0, [])


def test_pip_takes_only_what_has_a_known_hash_and_fetches_no_build_tools(checkout: Path) -> None:
    _set_up(checkout)
    tools, rest = (checkout / 'arguments').read_text().splitlines()
    for arguments in (tools, rest):
        assert '--require-hashes' in arguments and '--no-deps' in arguments
    assert tools.endswith('--require-hashes --requirement=requirements/build.txt')
    assert '--no-build-isolation' in rest and 'requirements/kilted.txt' in rest


def test_an_interrupted_run_is_not_taken_for_a_finished_one(checkout: Path) -> None:
    (checkout / 'interrupt').touch()
    status, calls = _set_up(checkout)
    assert status != 0
    assert calls == ['venv', 'pip']
    (checkout / 'interrupt').unlink()
    # From the start: what pip was writing when it died may be there by half.
    assert _set_up(checkout) == (0, ['venv', 'pip', 'pip', 'repair', 'build'])


def test_a_changed_pin_is_installed_into_the_same_environment(checkout: Path) -> None:
    _set_up(checkout)
    with (checkout / 'requirements/sim.txt').open('a') as pins:
        pins.write('another==1.0\n')
    assert _set_up(checkout) == (0, ['pip', 'pip', 'repair', 'build'])


def test_another_python_version_makes_the_environment_anew(checkout: Path) -> None:
    _set_up(checkout)
    text = (checkout / 'python').read_text()
    _program(checkout / 'python', text.replace('3.12', '3.13'))
    assert _set_up(checkout) == (0, ['venv', 'pip', 'pip', 'repair', 'build'])


def test_a_moved_checkout_makes_the_environment_anew(checkout: Path) -> None:
    _set_up(checkout)
    moved = checkout.parent / 'moved'
    checkout.rename(moved)
    assert _set_up(moved) == (0, ['venv', 'pip', 'pip', 'repair', 'build'])


@pytest.mark.parametrize('name', ['msg/A.msg', 'CMakeLists.txt', 'refdiff_ros/new.py'])
def test_what_colcon_must_see_is_built(checkout: Path, name: str) -> None:
    _set_up(checkout)
    (checkout / name).write_text('changed')
    assert _set_up(checkout) == (0, ['build'])


def test_a_changed_module_needs_no_build(checkout: Path) -> None:
    # The workspace links to the sources.
    _set_up(checkout)
    (checkout / 'refdiff_ros/a.py').write_text('changed')
    assert _set_up(checkout) == (0, [])
