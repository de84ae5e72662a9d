"""Sentences of a treebank in CoNLL-U, and the noun phrases inside them.

CoNLL-U: https://universaldependencies.org/format.html. Expressions are mostly noun phrases, which
sentences of the web are not, so each nominal subtree becomes an example of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from refdiff_ros.errors import BadRequestError
from refdiff_ros.optional import require_package

MIN_FRAGMENT, MAX_FRAGMENT = 2, 12
_NOMINAL = frozenset(('NOUN', 'PROPN', 'PRON'))
# Dependents that tie a nominal to its sentence and do not belong to the phrase itself.
_OUTER = frozenset(
    'case cc punct mark cop nsubj csubj aux advcl parataxis discourse expl vocative'.split())


@dataclass(frozen=True)
class TreeToken:
    """One word: `head` is the row of its head in the sentence, its own row for the root."""

    text: str
    pos: str
    tag: str
    morph: str
    head: int
    dep: str
    space_after: bool


Tree = tuple[TreeToken, ...]


def part(folder: Path, name: str) -> Path:
    """The file of the treebank's part `name`: 'train', 'dev' or 'test'.

    Raises:
        BadRequestError: the folder does not hold exactly one such file.
    """
    found = sorted(folder.glob(f'*-{name}.conllu'))
    if len(found) != 1:
        raise BadRequestError(f'expected one file *-{name}.conllu in {folder}, got {len(found)}')
    return found[0]


def read_trees(path: Path) -> Iterator[Tree]:
    """The sentences of a CoNLL-U file, in order."""
    lines: list[str] = []
    for line in path.read_text(encoding='utf-8').splitlines():
        if line and not line.startswith('#'):
            lines.append(line)
        elif not line and lines:
            yield _tree(lines)
            lines = []
    if lines:
        yield _tree(lines)


def _tree(lines: list[str]) -> Tree:
    tokens, no_space_until, joined_until, joined_space = [], 0, 0, True
    for line in lines:
        number, text, _, pos, tag, morph, head, dep, _, misc = line.split('\t')
        space = 'SpaceAfter=No' not in misc
        if '.' in number:  # an empty node of the enhanced graph
            continue
        if '-' in number:  # "don't", written in one and split into the words that follow
            joined_until, joined_space = int(number.split('-')[1]), space
            no_space_until = joined_until - 1
            continue
        row = int(number)
        if row <= no_space_until:
            space = False
        elif row == joined_until:
            space = joined_space
        tokens.append(TreeToken(
            text=text, pos=pos, tag=tag, morph='' if morph == '_' else morph,
            head=row - 1 if head == '0' else int(head) - 1,
            dep='ROOT' if head == '0' else dep, space_after=space))
    return tuple(tokens)


def fragments(tree: Tree) -> Iterator[Tree]:
    """Every nominal subtree of 2 to 12 words, without what ties it to the sentence."""
    children: dict[int, list[int]] = {}
    for row, token in enumerate(tree):
        if token.head != row:
            children.setdefault(token.head, []).append(row)

    def below(row: int) -> list[int]:
        return [row, *(deep for child in children.get(row, ()) for deep in below(child))]

    for row, token in enumerate(tree):
        if token.pos not in _NOMINAL:
            continue
        rows = [row]
        for child in children.get(row, ()):
            if tree[child].dep.split(':')[0] not in _OUTER:
                rows += below(child)
        rows.sort()
        contiguous = rows[-1] - rows[0] + 1 == len(rows)
        if contiguous and MIN_FRAGMENT <= len(rows) <= MAX_FRAGMENT and len(rows) < len(tree):
            yield _cut(tree, rows, row)


def _cut(tree: Tree, rows: list[int], root: int) -> Tree:
    first = rows[0]
    cut = [replace(tree[row], head=tree[row].head - first) for row in rows]
    cut[root - first] = replace(cut[root - first], head=root - first, dep='ROOT')
    cut[-1] = replace(cut[-1], space_after=False)
    return tuple(cut)


def lower(tree: Tree) -> Tree:
    """A copy in lower case: expressions are typed without capitals."""
    return tuple(replace(token, text=token.text.lower()) for token in tree)


def to_doc(tree: Tree, vocab: Any) -> Any:
    """The sentence as a spaCy Doc."""
    return require_package('spacy.tokens', 'parser').Doc(
        vocab, words=[token.text for token in tree],
        spaces=[token.space_after for token in tree], pos=[token.pos for token in tree],
        tags=[token.tag for token in tree], morphs=[token.morph for token in tree],
        heads=[token.head for token in tree], deps=[token.dep for token in tree])


def training_trees(sentences: list[Tree]) -> list[Tree]:
    """Sentences, their noun phrases, and lower-cased copies of both."""
    own = [*sentences, *(cut for tree in sentences for cut in fragments(tree))]
    return [*own, *(lower(tree) for tree in own)]
