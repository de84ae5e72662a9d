"""The paper's tables: published, measured, not measured."""

from dataclasses import asdict
import re

import pytest
from run_folders import answer, keep

from refdiff_ros.cli import main
from refdiff_ros.evaluation.runs.paper_tables import TABLES
from refdiff_ros.presets import PAPER

# oIoU (30 + 10) / (40 + 60) = 0.4, mIoU (0.75 + 1/6) / 2 = 0.4583.
ANSWERS = (answer('a', intersection=30, union=40),
           answer('b', intersection=10, union=60, image_id='q'))


@pytest.fixture
def table(capsys):
    """What `refdiff evaluate table` prints, as lines."""
    def told(number, *runs, markdown=False):
        assert main(['evaluate', 'table', str(number), *map(str, runs),
                     *(['--markdown'] if markdown else [])]) == 0
        return capsys.readouterr().out.splitlines()
    return told


def row(lines, method, after=0):
    """The words of a method's line, or of the one that many lines after it."""
    at = next(k for k, line in enumerate(lines) if line.startswith(f'{method}  '))
    return lines[at + after].split()


def test_each_row_has_a_figure_a_column():
    assert sorted(TABLES) == [1, 2, 4, 5]
    for table in TABLES.values():
        for each in table.rows:
            assert len(each.published) == len(table.columns)
            assert len(each.parts) == len(table.parts)
            assert all(value is None or 0 < value < 100 for value in each.published)


def test_the_ablations_last_rows_are_those_of_the_validation_sets():
    for ablation, whole in ((4, 1), (5, 2)):
        row, full = TABLES[ablation].rows[-1], TABLES[whole].rows[-1]
        assert row.published == tuple(full.published[k] for k in (0, 3, 6))
        assert [(column.dataset, column.split) for column in TABLES[ablation].columns] == [
            (TABLES[whole].columns[k].dataset, TABLES[whole].columns[k].split) for k in (0, 3, 6)]


def test_every_column_is_a_split_that_can_be_read():
    from refdiff_ros.evaluation.datasets.published import require_split
    for table in TABLES.values():
        for column in table.columns:
            require_split(column.dataset, column.split)


@pytest.mark.parametrize('number, method, published', [
    (1, 'Ref-Diff', '35.16 37.44 34.50 35.56 38.66 31.40 38.62 37.50 37.82'),
    (1, 'SAM-CLIP', '25.23 25.86 24.75 25.64 27.76 26.06 33.75 34.80 33.65'),
    (2, 'TSEG (weakly supervised)', '25.95 - - 22.62 - - 23.41 - -'),
    (4, 'Ref-Diff/GS', 'x x published 26.04 26.68 26.84'),
    (5, 'Ref-Diff/G', 'x published 21.53 22.50 27.03')])
def test_without_runs_all_is_published_or_not_measured(table, number, method, published):
    lines = table(number)
    assert ' '.join(row(lines, method)).endswith(published)
    assert row(lines, method, 1) == ['measured', 'not', 'measured']
    assert lines[0].startswith(f'Table {number}: ')
    assert f'arXiv:2308.16777, Table {number}' in lines[-2]
    assert not any('[1]' in line for line in lines)


def test_a_run_is_in_its_place_and_below_is_what_it_is_of(table, tmp_path):
    run = keep(tmp_path / 'run', *ANSWERS, split='testA')
    lines = table(1, run)
    assert row(lines, 'Ref-Diff')[1] == 'published'
    measured = row(lines, 'Ref-Diff', 1)
    assert ' '.join(measured) == 'measured, some, onboard ' + ' '.join(
        ['not measured', '40.00 [1]', *['not measured'] * 7])
    assert row(lines, 'SAM-CLIP', 1) == ['measured', 'not', 'measured']
    note = next(line for line in lines if line.startswith('[1]'))
    assert re.fullmatch(
        r'\[1\] 40.00, 95 % [\d.]+ to [\d.]+: refcoco testA, 2 expressions; some, weights sha256 '
        r'cdcdcdcdcdcd; preset onboard, mode full, seed 0, cpu float32', note)
    assert lines[-1] == '    refdiff evaluate dataset refcoco --split testA'
    assert row(table(2, run), 'Ref-Diff', 1)[-16:-14] == ['45.83', '[1]']


def test_modes_are_rows_and_other_settings_are_lines_of_their_own(table, tmp_path):
    runs = [keep(tmp_path / '0', *ANSWERS, mode='GS'),
            keep(tmp_path / '1', *ANSWERS, mode='GS', dataset='refcoco+'),
            keep(tmp_path / '2', *ANSWERS, mode='GS', preset='paper', values=asdict(PAPER))]
    lines = table(4, *runs, markdown=True)
    at = next(k for k, line in enumerate(lines) if line.startswith('| Ref-Diff/GS |'))
    assert lines[at:at + 3] == [
        '| Ref-Diff/GS | x | x |  | published | 26.04 | 26.68 | 26.84 |',
        '|  |  |  |  | measured, some, onboard | 40.00 [1] | 40.00 [2] | not measured |',
        '|  |  |  |  | measured, some, paper | 40.00 [3] | not measured | not measured |']
    assert lines[at + 4] == '|  |  |  |  | measured | not measured | not measured | not measured |'
    # In Tables 1 and 2 there is no such row.
    left_out = [line for line in table(1, *runs) if line.startswith('left out')]
    assert len(left_out) == 3 and 'mode GS is no row of Table 1' in left_out[0]


def test_data_that_the_paper_has_not_get_a_column(table, tmp_path):
    lines = table(5, keep(tmp_path / 'run', *ANSWERS, dataset='tabletop', split='test',
                          half='seen', mode='G', limit=2, trained=False))
    assert lines[1].split()[-1] == 'tabletop' and lines[2].split() == ['test', 'seen']
    assert row(lines, 'Ref-Diff/G')[-1] == '-'
    assert row(lines, 'Ref-Diff/G', 1)[-2:] == ['45.83', '[1]']
    note = next(line for line in lines if line.startswith('[1]'))
    assert 'tabletop test (seen), 2 expressions, the first 2 only;' in note
    assert 'RANDOM WEIGHTS: the figure means nothing' in note


def test_what_could_not_be_read_or_answered_is_told(table, tmp_path):
    lines = table(1, keep(
        tmp_path / 'run', answer('a', status='UNREADABLE', intersection=0, union=0, error='x'),
        answer('b', status='INTERNAL', intersection=0, error='x'), answer('c')))
    note = next(line for line in lines if line.startswith('[1]'))
    assert '2 expressions, 1 more unreadable, 1 errors scored 0;' in note


def test_a_run_without_a_scored_answer_has_no_figure(table, tmp_path):
    lines = table(1, keep(tmp_path / 'run', answer('a', status='UNREADABLE', error='x')))
    assert any('none scored [1]' in line for line in lines)


def test_what_cannot_stand_in_the_table_is_refused(tmp_path, capsys):
    a, b = (keep(tmp_path / name, *ANSWERS) for name in 'ab')
    assert main(['evaluate', 'table', '1', str(a), str(b)]) == 2
    assert 'expected one run of mode full on refcoco val' in capsys.readouterr().err
    c = keep(tmp_path / 'c', *ANSWERS, samples=9)
    assert main(['evaluate', 'table', '1', str(c)]) == 2
    assert 'got 2 of 9 answers' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(['evaluate', 'table', '3'])
