"""The parser's accuracy by style of expression: `python -m training.parser.report`.

Three ways to the root word over `test/data/referring_expressions.jsonl`: the tree of the trained
parser alone, rules alone, and the parser mended by the rules. A root is right when it is the
word, at the place, that the list says; where the list says that there is no object noun, when the
answer says so too. `--list test/data/uncommon_expressions.jsonl` takes the expressions on which
the joining of parser and rules was chosen (roots alone), `--treebank FOLDER` the noun phrases of
a treebank's test part.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterable, Iterator
import json
from pathlib import Path
from typing import Any

from refdiff_ros.language.expression import load_parser, parse
from refdiff_ros.language.words import split_words
from refdiff_ros.optional import require_package
from training.parser.treebank import fragments, part, read_trees

LIST = Path(__file__).parents[2] / 'test' / 'data' / 'referring_expressions.jsonl'
WAYS = ('parser alone', 'rules alone', 'both')


def read_list(path: Path = LIST) -> list[dict[str, Any]]:
    """The expressions: text, style, root, start, has_noun, relations."""
    return [json.loads(line) for line in path.read_text(encoding='utf-8').splitlines()]


def treebank_rows(folder: Path) -> Iterator[dict[str, Any]]:
    """The noun phrases of the treebank's test part that hold a word; relations are not known."""
    for tree in read_trees(part(folder, 'test')):
        for cut in fragments(tree):
            texts = [token.text + ' ' * token.space_after for token in cut]
            root = next(row for row, token in enumerate(cut) if token.dep == 'ROOT')
            if split_words(''.join(texts)):
                yield {'style': 'treebank', 'text': ''.join(texts), 'root': cut[root].text,
                       'start': len(''.join(texts[:root])), 'has_noun': True, 'relations': []}


def answer(text: str, way: str, nlp: Any) -> Any:
    """The expression as one of `WAYS` reads it."""
    if way == 'rules alone':
        return parse(text, None, root='rules')
    return parse(text, nlp, root='dependency' if way == 'parser alone' else 'rules')


def root_is_right(row: dict[str, Any], found: Any) -> bool:
    """Whether the root is the word, at the place, that the list says."""
    if not row['has_noun']:
        return not found.has_noun
    return found.has_noun and found.root_span == (row['start'], row['start'] + len(row['root']))


def relations_are_right(row: dict[str, Any], found: Any) -> bool:
    """Whether all relations are found, with the other noun phrase as written, and no others."""
    return [(r.relation, r.other) for r in found.relations] == [
        tuple(relation) for relation in row['relations']]


def accuracy(rows: Iterable[dict[str, Any]], way: str, nlp: Any) -> dict[str, dict[str, float]]:
    """Percent by style, and 'all': right roots, right relations, and the number `n`."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in rows:
        found = answer(row['text'], way, nlp)
        for style in (row['style'], 'all'):
            count = counts[style]
            count[0] += 1
            count[1] += root_is_right(row, found)
            count[2] += relations_are_right(row, found)
    return {style: {'n': n, 'root': round(100 * root / n, 1),
                    'relations': round(100 * relations / n, 1)}
            for style, (n, root, relations) in counts.items()}


def main(arguments: list[str] | None = None) -> None:
    """Print the table in Markdown and, as the last line, as JSON."""
    parser = argparse.ArgumentParser(prog='python -m training.parser.report')
    parser.add_argument('--model', type=Path, help='a spaCy pipeline; default: the shipped one')
    parser.add_argument('--list', type=Path, default=LIST)
    parser.add_argument('--treebank', type=Path, help='a folder with one *-test.conllu')
    options = parser.parse_args(arguments)
    nlp = load_parser() if options.model is None else \
        require_package('spacy', 'parser').load(options.model)
    rows = read_list(options.list) if options.treebank is None else \
        list(treebank_rows(options.treebank))
    ways = WAYS if nlp is not None else WAYS[1:2]
    table = {way: accuracy(rows, way, nlp) for way in ways}
    styles = [*sorted(set(table[ways[0]]) - {'all'}), 'all']
    print('| root right, % | ' + ' | '.join(
        f"{style} ({table[ways[0]][style]['n']})" for style in styles) + ' |')
    print('|---|' + '---|' * len(styles))
    for way in ways:
        print(f'| {way} | ' + ' | '.join(f"{table[way][s]['root']:.1f}" for s in styles) + ' |')
    if not any(row['relations'] for row in rows):  # roots alone are known
        print(json.dumps(table))
        return
    print(f'| relations, {ways[-1]} | ' + ' | '.join(
        f"{table[ways[-1]][s]['relations']:.1f}" for s in styles) + ' |')
    print(json.dumps(table))


if __name__ == '__main__':
    main()
