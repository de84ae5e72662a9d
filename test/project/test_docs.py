"""The documentation says what the code does."""

import ast
from functools import cache
import importlib.util
from pathlib import Path
import re

from pytest import mark

from refdiff_ros.ros.parameters import PARAMETERS

_ROOT = Path(__file__).parents[2]
_DOCS = _ROOT / 'docs'
_PAGES = sorted(path.name for path in _DOCS.glob('*.md'))


def _make_reference():
    spec = importlib.util.spec_from_file_location(
        'make_reference', _ROOT / 'tools' / 'make_reference.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_what_the_code_says():
    assert (_DOCS / 'reference.md').read_text() == _make_reference().reference(), (
        'docs/reference.md is stale: run `python tools/make_reference.py`')


def test_the_reference_has_every_parameter_and_message():
    text = (_DOCS / 'reference.md').read_text()
    for spec in PARAMETERS:
        assert f'| `{spec.name}` |' in text
    for kind in ('msg', 'srv', 'action'):
        for path in (_ROOT / kind).iterdir():
            assert path.read_text().strip() in text
    # Those of the other nodes, in a table or not.
    for path in (_ROOT / 'refdiff_ros').rglob('*.py'):
        for name in re.findall(r"(?:declare_parameter|ParameterSpec)\(\s*'(\w+)'",
                               path.read_text()):
            assert f'`{name}`' in text, name


@mark.parametrize('name', _PAGES)
def test_each_link_leads_somewhere(name):
    text = (_DOCS / name).read_text()
    for target in re.findall(r'\]\(([^)]+)\)', text):
        path, _, anchor = target.partition('#')
        if '://' in path:
            continue
        page = _DOCS / path if path else _DOCS / name
        assert page.exists(), target
        if anchor:
            heads = re.findall(r'^#+ (.+)$', page.read_text(), re.MULTILINE)
            slugs = [re.sub(r'[^\w -]', '', head.lower()).replace(' ', '-') for head in heads]
            assert anchor in slugs, target


def test_parameters_that_the_docs_set_are_parameters():
    names = {spec.name for spec in PARAMETERS} | {'use_sim_time'}
    for path in (*_DOCS.glob('*.md'), _ROOT / 'README.md'):
        for name in re.findall(r'-p (\w+):=', path.read_text()):
            assert name in names, f'{path.name}: -p {name}'


def _sentences() -> list[str]:
    """What troubleshooting.md quotes of /diagnostics and answers, a '...' for what varies."""
    text = (_DOCS / 'troubleshooting.md').read_text()
    return re.findall(r'^> (.+)$', text, re.MULTILINE)


@mark.parametrize('sentence', _sentences() if 'troubleshooting.md' in _PAGES else [])
def test_each_sentence_that_is_quoted_stands_in_the_code(sentence):
    # String literals of the package as they are when they run, what varies left out.
    fixed = [_plain(part) for part in re.split(r'\.\.\.', sentence)]
    code = _code()
    for part in fixed:
        assert part in code, f'no longer in the code: {part!r}'


def _plain(text: str) -> str:
    return ' '.join(text.split())


@cache
def _code() -> str:
    texts = []
    for path in (_ROOT / 'refdiff_ros').rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                texts.append(''.join(
                    part.value if isinstance(part, ast.Constant) else '\0'
                    for part in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return _plain(' \1 '.join(texts))
