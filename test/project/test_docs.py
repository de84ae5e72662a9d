"""The documentation says what the code does."""

import argparse
import ast
from collections.abc import Iterator
from functools import cache
import importlib
from pathlib import Path
import re
import shlex

from pytest import fail, importorskip, mark
from script_modules import load_script

from refdiff_ros.cli import build_parser
from refdiff_ros.pick.ros.parameters import LISTS, NUMBERS
from refdiff_ros.ros.parameters import PARAMETERS

_ROOT = Path(__file__).parents[2]
_DOCS = _ROOT / 'docs'
_OF_ROOT = ('README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'SECURITY.md')
_PAGES = [_ROOT / name for name in _OF_ROOT] + sorted(_DOCS.glob('*.md')) + sorted(
    (_ROOT / 'refdiff_ros' / 'bundles').glob('*/README.md'))
_NODES = ('node', 'camera', 'pick-server', 'follow-server', 'gripper', 'truth')
# Folders whose files a page may name.
_FOLDERS = ('action', 'bench', 'config', 'docs', 'launch', 'msg', 'refdiff_ros', 'requirements',
            'srv', 'test', 'tools', 'training')
_PICTURE_BYTES = 1_500_000


def _name(page: Path) -> str:
    return page.relative_to(_ROOT).as_posix()


pages = mark.parametrize('page', _PAGES, ids=_name)


def _make_reference():
    return load_script('tools/make_reference.py')


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


def _links(page: Path) -> list[str]:
    text = re.sub(r'^```.*?^```', '', page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r'\]\(([^)]+)\)', text)


@pages
def test_each_link_leads_somewhere(page):
    for target in _links(page):
        path, _, anchor = target.partition('#')
        if '://' in path:
            continue
        linked = page.parent / path if path else page
        assert linked.exists(), target
        if anchor:
            heads = re.findall(r'^#+ (.+)$', linked.read_text(), re.MULTILINE)
            slugs = [re.sub(r'[^\w -]', '', head.lower()).replace(' ', '-') for head in heads]
            assert anchor in slugs, target


def test_each_page_is_reached_from_the_index():
    linked = {(_DOCS / target.partition('#')[0]).resolve() for target in _links(_DOCS / 'index.md')
              if '://' not in target}
    missing = [_name(page) for page in _PAGES
               if page.resolve() not in linked and page.name != 'index.md']
    assert missing == []


@pages
def test_each_file_that_a_page_names_exists(page):
    names = re.findall(rf'(?<![\w./])((?:{"|".join(_FOLDERS)})/[\w./-]*\w/?)', page.read_text())
    assert [name for name in names if not _exists(name)] == []


def _exists(name: str) -> bool:
    """Whether a file is there, or an interface that is named as ROS does."""
    interface = re.fullmatch(r'refdiff_ros/(?:(msg|srv|action)/)?([A-Z]\w+)', name)
    if interface:
        return any((_ROOT / kind / f'{interface[2]}.{kind}').exists()
                   for kind in ([interface[1]] if interface[1] else ('msg', 'srv', 'action')))
    return (_ROOT / name).exists()


def test_the_readme_is_short_and_has_pictures():
    text = (_ROOT / 'README.md').read_text()
    assert len(text.splitlines()) <= 150
    pictures = re.findall(r'!\[([^\]]+)\]\(([^)]+)\)', text)
    assert len(pictures) >= 2
    assert all(words for words, _ in pictures), 'a picture without words for who cannot see it'


def test_the_pictures_are_small_and_one_moves():
    picture = importorskip('PIL.Image')
    pictures = sorted((_DOCS / 'images').iterdir())
    assert sum(path.stat().st_size for path in pictures) < _PICTURE_BYTES
    frames = []
    for path in pictures:
        with picture.open(path) as image:
            frames.append(getattr(image, 'n_frames', 1))
    assert max(frames) > 20


def test_each_picture_is_shown_somewhere():
    shown = {(page.parent / target).resolve() for page in _PAGES for target in _links(page)}
    assert set((_DOCS / 'images').resolve().iterdir()) <= shown


def _equations() -> list[tuple[str, str, str]]:
    """Equation, file and function of each row of the table in architecture.md."""
    return re.findall(r'^\| (Eq\. \(\d+\)) \|.*\| `([\w/]+\.py)` \| `(\w+)` \|$',
                      (_DOCS / 'architecture.md').read_text(), re.MULTILINE)


def test_the_table_of_equations_is_whole():
    assert {equation for equation, _, _ in _equations()} == {f'Eq. ({n})' for n in range(1, 11)}


@mark.parametrize(('equation', 'path', 'function'), _equations())
def test_each_equation_has_its_function(equation, path, function):
    tree = ast.parse((_ROOT / path).read_text())
    docs = [ast.get_docstring(node) or '' for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef) and node.name == function]
    number = re.search(r'\d+', equation)[0]
    assert any(re.search(rf'Eq\. \(?{number}\b', text.partition('\n')[0]) for text in docs), docs


def _commands(page: Path) -> Iterator[list[str]]:
    """The words of each command in shell blocks, and of those in the text that have options."""
    text = page.read_text()
    for block in re.findall(r'^```sh\n(.*?)^```', text, re.MULTILINE | re.DOTALL):
        for line in block.replace('\\\n', ' ').splitlines():
            words = shlex.split(line.removesuffix('&'), comments=True)
            if words:
                yield words
    outside = re.sub(r'^```.*?^```', '', text, flags=re.MULTILINE | re.DOTALL)
    for command in re.findall(r'`((?:refdiff|python) [^`]* --[^`]*)`', outside):
        if not re.search(r'\b[A-Z]{2,}\b', command.replace('DS', '').replace('GS', '')):
            yield shlex.split(command)


@pages
def test_each_refdiff_command_is_understood(page, monkeypatch):
    def refuse(_parser: argparse.ArgumentParser, message: str) -> None:
        raise ValueError(message)

    monkeypatch.setattr(argparse.ArgumentParser, 'error', refuse)
    parser = build_parser()
    for words in _commands(page):
        if words[0] == 'refdiff' and words[1] not in _NODES:
            try:
                parser.parse_args(words[1:])
            except (ValueError, SystemExit) as error:
                fail(f'{" ".join(words)}: {error}')


@pages
def test_each_program_that_a_command_runs_exists(page):
    targets = re.findall(r'^([a-z]+):', (_ROOT / 'Makefile').read_text(), re.MULTILINE)
    for words in _commands(page):
        if 'make' in words:
            assert words[words.index('make') + 1] in targets, ' '.join(words)
        elif words[0].startswith('python') and words[1] == '-m':
            module = _ROOT / words[2].replace('.', '/')
            if words[2].split('.')[0] in _FOLDERS:
                assert module.is_dir() or module.with_suffix('.py').exists(), words[2]


@pages
def test_each_import_of_a_python_example_is_there(page):
    for block in re.findall(r'^```python\n(.*?)^```', page.read_text(), re.MULTILINE | re.DOTALL):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(node.module)
                assert [each.name for each in node.names if not hasattr(module, each.name)] == []


def test_parameters_that_the_docs_set_are_parameters():
    names = {spec.name for spec in (*PARAMETERS, *NUMBERS, *LISTS)} | {'use_sim_time'}
    for page in _PAGES:
        for name in re.findall(r'-p (\w+):=', page.read_text()):
            assert name in names, f'{page.name}: -p {name}'


def _sentences() -> list[str]:
    """What troubleshooting.md quotes of /diagnostics and answers, a '...' for what varies."""
    text = (_DOCS / 'troubleshooting.md').read_text()
    return re.findall(r'^> (.+)$', text, re.MULTILINE)


@mark.parametrize('sentence', _sentences())
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
