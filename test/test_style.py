"""The tree is ruff clean, and the core stands without its optional packages."""

import os
from pathlib import Path
import subprocess
import sys

_ROOT = Path(__file__).parent.parent

_IMPORT_CORE = """
import importlib, importlib.abc, pathlib, sys

class Block(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {'rclpy', 'diffusers', 'mujoco', 'spacy'}:
            raise ModuleNotFoundError(f'{name} is blocked', name=name)

sys.meta_path.insert(0, Block())
root = pathlib.Path(sys.argv[1])
names = []
for path in sorted((root / 'refdiff_ros').rglob('*.py')):
    parts = path.relative_to(root).with_suffix('').parts
    if parts[1] not in {'ros', 'sim'} and parts[-1] not in {'__init__', '__main__'}:
        names.append('.'.join(parts))
assert len(names) > 20, names
for name in names:
    importlib.import_module(name)
"""


def test_ruff_finds_nothing() -> None:
    result = subprocess.run(
        [sys.executable, '-m', 'ruff', 'check', str(_ROOT)], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_core_imports_without_optional_packages() -> None:
    environment = {**os.environ, 'PYTHONPATH': str(_ROOT)}
    result = subprocess.run(
        [sys.executable, '-c', _IMPORT_CORE, str(_ROOT)], env=environment, capture_output=True,
        text=True, timeout=120)
    assert result.returncode == 0, result.stderr
