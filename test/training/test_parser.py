import json
from pathlib import Path
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from refdiff_ros.errors import BadRequestError, BundleError

# Behind the built workspace, which the source folder must not shadow.
sys.path.append(str(Path(__file__).parents[2]))

from training.parser import checkpoint, ship
from training.parser.report import read_list, relations_are_right, root_is_right
from training.parser.train import main
from training.parser.treebank import fragments, lower, read_trees, training_trees

SENTENCE = """# text = We don't see the old goat of Anna.
1\tWe\twe\tPRON\tPRP\t_\t4\tnsubj\t_\t_
2-3\tdon't\t_\t_\t_\t_\t_\t_\t_\t_
2\tdo\tdo\tAUX\tVBP\t_\t4\taux\t_\t_
3\tn't\tnot\tPART\tRB\t_\t4\tadvmod\t_\t_
4\tsee\tsee\tVERB\tVB\t_\t0\troot\t_\t_
5\tthe\tthe\tDET\tDT\t_\t7\tdet\t_\t_
6\told\told\tADJ\tJJ\t_\t7\tamod\t_\t_
7\tgoat\tgoat\tNOUN\tNN\t_\t4\tobj\t_\t_
7.1\tempty\tempty\tNOUN\tNN\t_\t_\t_\t_\t_
8\tof\tof\tADP\tIN\t_\t9\tcase\t_\t_
9\tAnna\tAnna\tPROPN\tNNP\t_\t7\tnmod\t_\tSpaceAfter=No
10\t.\t.\tPUNCT\t.\t_\t4\tpunct\t_\t_

"""


@pytest.fixture
def treebank(tmp_path):
    folder = tmp_path / 'treebank'
    folder.mkdir()
    for part in ('train', 'dev', 'test'):
        (folder / f'en-{part}.conllu').write_text(SENTENCE * 20)
    return folder


def written(tree):
    return ''.join(token.text + ' ' * token.space_after for token in tree)


def test_a_sentence_keeps_its_text_and_heads(treebank):
    trees = list(read_trees(treebank / 'en-train.conllu'))
    assert len(trees) == 20
    assert written(trees[0]).strip() == "We don't see the old goat of Anna."
    assert [token.head for token in trees[0]] == [3, 3, 3, 3, 6, 6, 3, 8, 6, 3]
    assert trees[0][3].dep == 'ROOT'


def test_a_noun_phrase_is_cut_out_with_its_noun_as_root(treebank):
    tree = next(read_trees(treebank / 'en-train.conllu'))
    cuts = list(fragments(tree))
    assert [written(cut) for cut in cuts] == ['the old goat of Anna']
    assert [(token.head, token.dep) for token in cuts[0]] == [
        (2, 'det'), (2, 'amod'), (2, 'ROOT'), (4, 'case'), (2, 'nmod')]


def test_training_has_every_example_in_lower_case_too(treebank):
    tree = next(read_trees(treebank / 'en-train.conllu'))
    trees = training_trees([tree])
    assert len(trees) == 4 and trees[2] == lower(tree)
    assert written(trees[3]) == 'the old goat of anna'


def run(treebank, out, steps):
    main(['--treebank', str(treebank), '--out', str(out), '--steps', str(steps), '--every', '2',
          '--words', '20', '--width', '16', '--depth', '1', '--embed-size', '50', '--hidden', '8',
          '--warm-up', '4'])
    with np.load(out / 'checkpoint' / 'optimizer.npz') as arrays:
        return {name: arrays[name] for name in arrays}


def test_a_run_that_was_stopped_ends_where_the_unbroken_run_does(treebank, tmp_path, monkeypatch):
    whole = run(treebank, tmp_path / 'whole', 4)

    def stop(folder, *others, save=checkpoint.save):
        save(folder, *others)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr('training.parser.checkpoint.save', stop)
        with pytest.raises(KeyboardInterrupt):
            run(treebank, tmp_path / 'broken', 4)
    again = run(treebank, tmp_path / 'broken', 4)
    assert whole.keys() == again.keys() and len(whole) > 10
    for name, value in whole.items():
        np.testing.assert_allclose(again[name], value, rtol=1e-5, atol=1e-7, err_msg=name)
    figures = json.loads((tmp_path / 'broken' / 'figures.json').read_text())
    assert figures['steps'] == 4 and 0 <= figures['uas'] <= 100
    assert figures['fragment_root_last_noun'] == 100.0


def test_a_folder_without_a_treebank_is_refused(tmp_path):
    with pytest.raises(BadRequestError, match=r'expected one file \*-train.conllu'):
        main(['--treebank', str(tmp_path), '--out', str(tmp_path / 'out')])


def test_a_parser_that_is_too_large_is_not_shipped(tmp_path, monkeypatch):
    (tmp_path / 'weights').write_bytes(b'12345')
    assert ship.write_manifest(tmp_path) == 5
    monkeypatch.setattr(ship, 'LIMIT', 4)
    with pytest.raises(BundleError, match='at most 4 bytes, got 5'):
        ship.write_manifest(tmp_path)


def test_the_list_is_long_enough_and_points_at_its_roots():
    rows = read_list()
    assert len(rows) >= 200 and {row['style'] for row in rows} == {'refcoco', 'refcocog', 'robot'}
    for row in rows:
        assert row['text'][row['start']:].startswith(row['root']), row


def test_right_means_the_word_at_its_place():
    row = {'root': 'can', 'start': 7, 'has_noun': True, 'relations': [['on', 'the can']]}
    found = SimpleNamespace(root_span=(0, 3), has_noun=True, relations=())
    assert not root_is_right(row, found) and not relations_are_right(row, found)
    assert root_is_right(row, SimpleNamespace(root_span=(7, 10), has_noun=True))
    bare = {**row, 'has_noun': False}
    assert root_is_right(bare, SimpleNamespace(root_span=(0, 3), has_noun=False))
    assert not root_is_right(bare, found)
