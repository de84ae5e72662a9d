import logging
from pathlib import Path
import shutil
import sys

import pytest

from refdiff_ros.errors import BundleError
from refdiff_ros.language import shipped_parser
from refdiff_ros.language.expression import load_parser, parse
from refdiff_ros.models.manager import load_bundle
from refdiff_ros.models.writer import write_bundle

# Behind the built workspace, which the source folder must not shadow.
sys.path.append(str(Path(__file__).parents[2]))

from training.parser.report import accuracy, LIST, read_list

# As in the model card.
MEASURED = {'parser alone': 51.0, 'rules alone': 99.2, 'both': 99.2}


@pytest.fixture
def copied(tmp_path):
    return shutil.copytree(shipped_parser.FOLDER, tmp_path / 'parser')


def test_it_loads_and_says_its_name():
    expression = parse('the red mug on the left', load_parser())
    assert expression.parser == 'spacy:en_ewt_expressions' and expression.root == 'mug'
    by_rules = parse('hand me the red mug', load_parser(), root='rules')
    assert by_rules.parser == 'spacy:en_ewt_expressions+rules' and by_rules.root == 'mug'


def test_every_file_matches_its_checksum_and_the_licence_is_there():
    shipped_parser.check()
    assert 'Attribution-ShareAlike 4.0' in (shipped_parser.FOLDER / 'LICENSE').read_text()
    card = (shipped_parser.FOLDER / 'README.md').read_text()
    assert 'UD_English-EWT' in card and '| both | 98.8 | 98.6 | 100.0 | 99.2 |' in card
    size = sum(path.stat().st_size for path in shipped_parser.FOLDER.rglob('*') if path.is_file())
    assert size < 6_000_000


def test_an_altered_file_is_refused(copied):
    with (copied / 'model' / 'parser' / 'model').open('ab') as stream:
        stream.write(b'x')
    with pytest.raises(BundleError, match='expected sha256'):
        shipped_parser.check(copied)


def test_a_missing_or_added_file_is_refused(copied):
    (copied / 'model' / 'tokenizer').rename(copied / 'model' / 'other')
    with pytest.raises(BundleError, match='model/other.*model/tokenizer'):
        shipped_parser.check(copied)


def test_without_it_rules_answer_and_the_reason_is_logged(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(shipped_parser.check, '__defaults__', (tmp_path,))
    with caplog.at_level(logging.WARNING):
        assert shipped_parser.load_parser.__wrapped__() is None
    assert 'rules find the root word' in caplog.text and 'manifest' in caplog.text


def test_without_spacy_rules_answer_and_the_reason_is_logged(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, 'spacy', None)
    with caplog.at_level(logging.WARNING):
        assert shipped_parser.load_parser.__wrapped__() is None
    assert "the package 'spacy'" in caplog.text


@pytest.mark.parametrize('way', sorted(MEASURED))
def test_roots_are_as_right_as_measured(way):
    found = accuracy(read_list(), way, load_parser())['all']
    assert found['n'] == 247
    assert found['root'] >= MEASURED[way] - 2


def test_it_helps_the_rules_where_words_are_less_common():
    rows = read_list(LIST.with_name('uncommon_expressions.jsonl'))
    by_rules = accuracy(rows, 'rules alone', None)['all']['root']
    both = accuracy(rows, 'both', load_parser())['all']['root']
    assert both >= 94.3 - 2 and both >= by_rules + 5


@pytest.mark.parametrize('text, root', [
    ('the shiny folded towel', 'towel'), ('muddy running shoe', 'shoe'),
    ('wet painted bench', 'bench'), ('clean mixing bowl', 'bowl'),
])
def test_it_knows_words_that_the_rules_do_not(text, root):
    assert parse(text, root='rules').root != root
    assert parse(text, load_parser(), root='rules').root == root


def test_bundles_without_a_parser_use_it_and_do_not_copy_it(tmp_path):
    models = load_bundle('untrained_mini', device='cpu')
    assert models.nlp is load_parser()
    bundle = write_bundle(models, tmp_path / 'bundle')
    assert bundle.part('parser') is None
    assert load_bundle(str(tmp_path / 'bundle'), device='cpu').nlp is load_parser()
