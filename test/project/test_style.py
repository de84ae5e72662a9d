"""What the project promises of its code is held by tools; the core stands without extras."""

import ast
import os
from pathlib import Path
import re
import subprocess
import sys
import tomllib

import pytest

_ROOT = Path(__file__).parents[2]

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
    need_them = {'ros', 'sim', 'demo', 'published_order', 'replay_graph'}
    if not need_them & set(parts) and parts[-1] not in {'__init__', '__main__'}:
        names.append('.'.join(parts))
assert len(names) > 20, names
for name in names:
    importlib.import_module(name)
"""


_BIN = Path(sys.executable).parent


@pytest.mark.parametrize('command', [
    [sys.executable, '-m', 'ruff', 'check', '.'],
    [str(_BIN / 'lint-imports'), '--no-logo'],
    [sys.executable, '-m', 'mypy'],
], ids=['ruff', 'imports', 'mypy'])
def test_lint_finds_nothing(command: list[str]) -> None:
    result = subprocess.run(
        command, cwd=_ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=280,
        env={**os.environ, 'PYTHONPATH': str(_ROOT)})
    assert result.returncode == 0, result.stdout + result.stderr


def test_core_imports_without_optional_packages() -> None:
    environment = {**os.environ, 'PYTHONPATH': str(_ROOT)}
    result = subprocess.run(
        [sys.executable, '-c', _IMPORT_CORE, str(_ROOT)], env=environment, capture_output=True,
        text=True, timeout=250)
    assert result.returncode == 0, result.stderr


def _tree() -> list[Path]:
    """Every file of the project as it stands, committed or not; ignored ones left out."""
    names = subprocess.run(
        ['git', 'ls-files', '--cached', '--others', '--exclude-standard', '-z'], cwd=_ROOT,
        capture_output=True, text=True, check=True).stdout.split('\0')
    return [_ROOT / name for name in names if name and (_ROOT / name).is_file()]


@pytest.mark.skipif(not (_ROOT / '.git').exists(), reason='not a git checkout')
def test_no_file_names_a_folder_of_one_machine() -> None:
    # A path of this kind works for nobody else.
    own = re.compile('/(?:work|root|home)' + '/')
    found = []
    for path in _tree():
        try:
            text = path.read_text()
        except UnicodeDecodeError:  # a picture or weights
            continue
        found += [f'{path.relative_to(_ROOT)}: {line.strip()}'
                  for line in text.splitlines() if own.search(line)]
    assert found == []


@pytest.mark.skipif(not (_ROOT / '.git').exists(), reason='not a git checkout')
def test_no_file_is_larger_than_one_megabyte() -> None:
    # Weights that come with the package have limits of their own (test_shipped_parser.py).
    bundles = _ROOT / 'refdiff_ros' / 'bundles'
    assert [path for path in _tree() if path.stat().st_size > 1_000_000
            and not path.is_relative_to(bundles)] == []


def test_each_extra_that_an_error_recommends_exists() -> None:
    project = tomllib.loads((_ROOT / 'pyproject.toml').read_text())['project']
    extras = set(project['optional-dependencies'])
    named = set()
    for path in (_ROOT / 'refdiff_ros').rglob('*.py'):
        named |= set(re.findall(r"require_package\(\s*'[\w.]+',\s*'(\w+)'", path.read_text()))
    assert named
    assert named <= extras


def test_each_equation_has_one_function_that_says_so() -> None:
    opening = re.compile(r'Eq\. \((\d+)\):')
    found: dict[int, list[str]] = {}
    for path in (_ROOT / 'refdiff_ros').rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                equation = opening.match(ast.get_docstring(node) or '')
                if equation:
                    found.setdefault(int(equation.group(1)), []).append(node.name)
    assert sorted(found) == list(range(1, 11))
    assert {number: names for number, names in found.items() if len(names) > 1} == {}


def test_equations_are_spelled_in_one_way() -> None:
    # So that one search finds them all.
    other = re.compile(r'\b(?:Eqs\.|[Ee]qn\.?|Eq\.? ?\d|[Ee]quation \d)')
    found = [f'{path.relative_to(_ROOT)}: {line.strip()}'
             for path in _tree() if path.suffix in ('.py', '.md', '.msg', '.srv')
             for line in path.read_text().splitlines()
             if other.search(line) and 'its equation' not in line and 're.compile' not in line]
    assert found == []
