"""`. tools/env.sh` in the shells that people use, on a stand-in checkout."""

from pathlib import Path
import shutil
import subprocess

import pytest

_ROOT = Path(__file__).parents[2]
_SHELLS = [
    pytest.param(name, marks=pytest.mark.skipif(not shutil.which(name), reason=f'no {name} here'))
    for name in ('bash', 'zsh')]


@pytest.fixture(params=['kilted', 'jazzy'])
def distro(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def checkout(tmp_path: Path, distro: str) -> Path:
    """A set-up checkout for `distro`, in a folder whose name has a space."""
    root = tmp_path / 'my checkout'
    suffix = '' if distro == 'kilted' else f'-{distro}'
    programs = root / f'.venv{suffix}/bin'
    programs.mkdir(parents=True)
    (programs / 'python').write_text('#!/bin/sh\n')
    (programs / 'python').chmod(0o755)
    (root / f'install{suffix}/refdiff_ros/lib/python3.12/site-packages').mkdir(parents=True)
    (root / 'tools').mkdir()
    shutil.copy(_ROOT / 'tools/env.sh', root / 'tools')
    return root


def _run(shell: str, script: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess:
    environment = {'PATH': '/usr/bin:/bin', **environment}
    return subprocess.run(
        [shutil.which(shell), '-c', script], cwd=cwd, env=environment, capture_output=True,
        text=True, stdin=subprocess.DEVNULL, timeout=250)


@pytest.mark.parametrize('shell', _SHELLS)
def test_paths_from_any_folder_and_only_once(shell: str, checkout: Path, distro: str) -> None:
    suffix = '' if distro == 'kilted' else f'-{distro}'
    elsewhere = checkout.parent
    # Without nounset or errexit surprises for shells that have them on.
    script = ('set -eu; . "$CHECKOUT/tools/env.sh"; . "$CHECKOUT/tools/env.sh"; '
              'printf "%s\\n" "$PATH" "$PYTHONPATH" "$AMENT_PREFIX_PATH" "$LD_LIBRARY_PATH" '
              '"$VIRTUAL_ENV" "$ROS_DISTRO"; command -v python; set | grep -c ^_refdiff_ || :')
    result = _run(shell, script, elsewhere, CHECKOUT=str(checkout), ROS_DISTRO=distro,
                  PYTHONPATH='/theirs')
    assert result.returncode == 0, result.stderr
    venv = f'{checkout}/.venv{suffix}'
    install = f'{checkout}/install{suffix}/refdiff_ros'
    assert result.stdout.splitlines() == [
        f'{checkout}/tools/bin:{venv}/bin:/usr/bin:/bin',
        f'{install}/lib/python3.12/site-packages:/theirs',
        f'{install}:{venv}',
        f'{install}/lib',
        venv,
        distro,
        f'{venv}/bin/python',
        '0',
    ]
    assert result.stderr == ''


@pytest.mark.parametrize('shell', _SHELLS)
def test_missing_setup_is_said_in_one_line(shell: str, checkout: Path, distro: str) -> None:
    other = 'jazzy' if distro == 'kilted' else 'kilted'
    script = '. tools/env.sh || echo "status $?"; echo "$PATH"'
    result = _run(shell, script, checkout, ROS_DISTRO=other)
    assert result.stdout.splitlines() == ['status 1', '/usr/bin:/bin']
    assert len(result.stderr.splitlines()) == 1
    assert f'ROS_DISTRO={other}' in result.stderr
    assert "run 'make setup'" in result.stderr
