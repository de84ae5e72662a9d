"""What `pip install .` and colcon take from this tree."""

from pathlib import Path
import re
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ElementTree

import pytest

_ROOT = Path(__file__).parents[2]


def _files(folder: Path) -> set[str]:
    names = (path.relative_to(folder) for path in folder.rglob('*')
             if path.is_file() and path.suffix != '.pyc')
    return {name.as_posix() for name in names if not name.parts[0].startswith('.')}


def test_a_pip_install_carries_every_file(tmp_path: Path) -> None:
    pytest.importorskip('setuptools')
    result = subprocess.run(
        [sys.executable, 'setup.py', '-q', 'build_py', '--build-lib', str(tmp_path)], cwd=_ROOT,
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=250)
    assert result.returncode == 0, result.stderr
    # Weights, manifests and licences as well as modules.
    assert _files(tmp_path / 'refdiff_ros') == _files(_ROOT / 'refdiff_ros')


def test_both_ways_of_packaging_agree_on_name_version_and_licence() -> None:
    package = ElementTree.parse(_ROOT / 'package.xml').getroot()
    project = tomllib.loads((_ROOT / 'pyproject.toml').read_text())['project']
    for field in ('name', 'version'):
        assert project[field] == package.findtext(field)
    assert project['license']['text'] == package.findtext('license')
    assert 'Apache License' in (_ROOT / 'LICENSE').read_text()


def test_each_ros_package_that_the_code_imports_is_a_dependency() -> None:
    package = ElementTree.parse(_ROOT / 'package.xml').getroot()
    declared = {item.text for item in package if item.tag.endswith('depend')}
    pattern = re.compile(
        r'^\s*(?:from|import) (rclpy|launch|launch_ros|cv_bridge|\w+_msgs|\w+_srvs|\w+_interfaces)'
        r'\b', re.MULTILINE)
    imported = set()
    for folder in ('launch', 'refdiff_ros', 'scripts', 'test'):
        for path in (_ROOT / folder).rglob('*'):
            if path.is_file() and path.suffix in ('', '.py'):
                imported |= set(pattern.findall(path.read_bytes().decode(errors='replace')))
    assert 'rclpy' in imported
    assert imported - declared == set()


@pytest.mark.parametrize('distro', ['kilted', 'jazzy'])
def test_pins_are_exact_and_named_once(distro: str) -> None:
    pins = {}
    names = ('build', 'models', 'parser', 'sim', 'ros', 'web', 'datasets', 'ray', 'dev', distro)
    for name in names:
        text = (_ROOT / f'requirements/{name}.txt').read_text()
        for line in text.replace(' \\\n', '').splitlines():
            if line.startswith('#'):
                continue
            found = re.fullmatch(r'([a-z0-9.-]+)==([\w.]+)( +--hash=sha256:[0-9a-f]{64})+', line)
            assert found, f'requirements/{name}.txt: {line[:80]}'
            assert found.group(1) not in pins, line
            pins[found.group(1)] = found.group(2)
    for extra in ('torch', 'spacy', 'mujoco', 'rosbags-image', 'pycocotools', 'scipy',
                  'ray', 'pytest-timeout', 'setuptools', 'aiohttp'):
        assert extra in pins


def test_the_licences_of_all_pins_are_listed() -> None:
    text = (_ROOT / 'docs/licences.md').read_text()
    rows = {tuple(line.strip('| ').split(' | ')[:2]) for line in text.splitlines()
            if line.startswith('| ')}
    for path in sorted((_ROOT / 'requirements').glob('*.txt')):
        for line in path.read_text().splitlines() if path.stem != 'jazzy' else ():
            if found := re.match(r'([a-z0-9.-]+)==([\w.]+)', line):
                assert found.groups() in rows, (
                    f'{line}: docs/licences.md is stale, run `python tools/make_licences.py`')
    proprietary = text.partition('## Proprietary')[2].partition('## All others')[0]
    assert proprietary.count('| nvidia-') > 10
    assert '|  |' not in text
