"""Runs kept in folders: torn lines, other questions, full disks."""

from dataclasses import asdict, replace
import json
import resource

import numpy as np
import pytest
from run_folders import answer, keep, QUESTION
from tiny_models import tiny_model_set

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.figures import tagged_figures
from refdiff_ros.evaluation.run import Sample
from refdiff_ros.evaluation.runs.compare import compared, pair_runs
from refdiff_ros.evaluation.runs.folder import read_run, RunError, RunFolder
from refdiff_ros.evaluation.runs.record import (
    answer_line,
    parse_answers,
    samples_sha256,
)
from refdiff_ros.models.manager import load_bundle
from refdiff_ros.models.model_set import ModelSet
from refdiff_ros.models.store import SHIPPED, TABLETOP
from refdiff_ros.models.weights_digest import weights_sha256
from refdiff_ros.presets import ONBOARD


def test_answers_are_read_to_the_last_digit(tmp_path):
    kept = [answer('a', pointing=1.0, oracle_iou=np.float64(0.1)), answer('b', error='é\n"'),
            answer('c', tags={})]
    run = read_run(keep(tmp_path / 'deep' / 'run', *kept))
    assert list(run.answers.values()) == kept
    assert run.command == 'refdiff evaluate dataset refcoco --split val'
    assert not QUESTION.differences(run.question)


def test_the_order_in_which_answers_came_is_of_no_account(tmp_path):
    kept = [answer(name, image_id=name, intersection=k + 1, union=3 * k + 7)
            for k, name in enumerate('abcdefgh')]
    runs = [read_run(keep(tmp_path / str(k), *some)) for k, some in enumerate((
        kept, kept[::-1], kept[3:] + kept[:3]))]
    assert list(runs[0].answers) == list(runs[1].answers) == list(runs[2].answers)
    other = read_run(keep(tmp_path / 'other', *(replace(each, iou=1.0, intersection=5, union=5)
                                                for each in kept)))
    found = [compared(pair_runs(run, other)) for run in runs]
    assert found[0] == found[1] == found[2]  # to the last digit
    assert tagged_figures(list(runs[0].answers.values())) == tagged_figures(
        list(runs[1].answers.values()))


@pytest.mark.parametrize('cut', [1, 20, len(answer_line(answer('b'))) - 1])
def test_a_torn_line_is_dropped_by_the_run_that_goes_on(tmp_path, cut):
    path = keep(tmp_path, answer('a'), answer('b'), samples=3) / 'answers.jsonl'
    path.write_bytes(path.read_bytes()[:-cut])
    with RunFolder(tmp_path, QUESTION) as run:
        assert list(run.by_id) == ['a']
        run.add(answer('b'))
    assert path.read_bytes() == answer_line(answer('a')) + answer_line(answer('b'))


def test_zeros_at_the_end_as_after_a_power_cut_are_dropped(tmp_path):
    path = keep(tmp_path, answer('a'), samples=3) / 'answers.jsonl'
    path.write_bytes(path.read_bytes() + bytes(300))
    assert list(RunFolder(tmp_path, QUESTION).by_id) == ['a']


def test_the_last_answer_of_a_sample_counts():
    lines = [answer('a', error='no'), answer('b'), answer('a')]
    found, size = parse_answers(b''.join(map(answer_line, lines)), 'file')
    assert list(found) == ['a', 'b'] and not found['a'].error
    assert size == sum(len(answer_line(line)) for line in lines)


@pytest.mark.parametrize('line', [b'{}', b'[1]', b'not JSON', b'{"sample_id": "a", "more": 1}',
                                  b'\xff', answer_line(answer('a')).replace(b'3, ', b'0, ')])
def test_a_whole_line_that_is_no_answer_is_refused_by_its_number(line):
    content = answer_line(answer('a')) + line.strip() + b'\n' + answer_line(answer('b'))
    with pytest.raises(BadRequestError, match='an answer in line 2 of answers.jsonl, got'):
        parse_answers(content, 'answers.jsonl')


def test_a_full_disk_loses_no_answer_and_the_run_goes_on(tmp_path):
    path = tmp_path / 'answers.jsonl'
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with RunFolder(tmp_path, QUESTION) as run:
        run.add(answer('a'))
        size = path.stat().st_size
        # The system then takes the first half of a line, as a disk does that fills up.
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 50, before[1]))
        try:
            with pytest.raises(RunError, match=r'1 answers are kept: make room and run the same'):
                run.add(answer('b'))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert path.stat().st_size == size and list(run.by_id) == ['a']
        run.add(answer('c'))
    assert list(read_run(tmp_path, unfinished=True).answers) == ['a', 'c']


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(RunError, match='expected to write a run to .*file'):
        RunFolder(tmp_path / 'file', QUESTION)


@pytest.mark.parametrize('changes, told', [
    ({'mode': 'DS'}, "mode 'full' there, 'DS' asked"),
    ({'weights_sha256': 'ee'}, "weights_sha256 'cdcd"),
    ({'values': asdict(ONBOARD.override({'selection': {'alpha': 0.25}}))},
     'values.selection.alpha 0.1 there, 0.25 asked'),
    ({'samples': 2, 'limit': 2, 'samples_sha256': 'ff'},
     'limit None there, 2 asked; samples 3 there, 2 asked; samples_sha256')])
def test_another_question_on_the_same_folder_is_refused_with_what_differs(
        tmp_path, changes, told):
    before = (keep(tmp_path, answer('a'), samples=3) / 'run.json').read_bytes()
    with pytest.raises(BadRequestError) as caught:
        RunFolder(tmp_path, replace(QUESTION, **changes))
    assert told in str(caught.value) and 'take another folder' in str(caught.value)
    assert (tmp_path / 'run.json').read_bytes() == before
    assert list(RunFolder(tmp_path, QUESTION).by_id) == ['a']


def test_many_differences_are_shortened():
    other = replace(QUESTION, values={}, split='test')
    with pytest.raises(BadRequestError, match=r"split 'val' there, 'test' asked.*; and \d+ more"):
        other.require_same(QUESTION, 'folder')
    # The name alone and how the values came about make no other question.
    same = replace(QUESTION, overrides={'root': 'rules'}, values={**asdict(ONBOARD), 'name': 'x'})
    same.require_same(QUESTION, 'folder')


def test_one_process_at_a_time(tmp_path):
    with (RunFolder(tmp_path, QUESTION),
          pytest.raises(BadRequestError, match='another process writes to it')):
        RunFolder(tmp_path, QUESTION)
    RunFolder(tmp_path, QUESTION).close()


def test_answers_to_an_unknown_question_are_not_gone_on_with(tmp_path):
    keep(tmp_path, answer('a'), samples=3)
    (tmp_path / 'run.json').unlink()
    with pytest.raises(BadRequestError, match='what they answer is not known'):
        RunFolder(tmp_path, QUESTION)


def test_killed_before_the_question_was_kept_it_starts_anew(tmp_path):
    (tmp_path / 'answers.jsonl').touch()
    (tmp_path / 'run.json.new').write_text('{"form')
    assert read_run(keep(tmp_path, *map(answer, 'abc'))).question.split == 'val'


@pytest.mark.parametrize('content', [
    None, 'no JSON', '[]', '{"format": 2}', '{"format": 1, "question": {"split": "val"}}',
    json.dumps({'format': 1, 'question': asdict(replace(QUESTION)) | {'seed': 'x'},
                'command': ''})])
def test_what_is_no_run_is_said(tmp_path, content):
    if content is not None:
        (tmp_path / 'run.json').write_text(content)
    with pytest.raises(BadRequestError, match='expected the folder of a run of'):
        read_run(tmp_path)


def test_an_unfinished_run_is_read_only_where_that_is_wanted(tmp_path):
    keep(tmp_path, answer('a'), samples=3)
    with pytest.raises(BadRequestError, match='got 1 of 3 answers: go on with it: refdiff'):
        read_run(tmp_path)
    assert list(read_run(tmp_path, unfinished=True).answers) == ['a']


def test_the_digest_of_samples_knows_their_order_and_words():
    def samples(*texts):
        return [Sample(str(k), 'p', text, lambda: None) for k, text in enumerate(texts)]
    digests = {samples_sha256(samples(*texts)) for texts in (('a', 'b'), ('b', 'a'), ('a',))}
    assert len(digests) == 3
    assert samples_sha256(samples('a', 'b')) in digests


def test_the_digest_of_weights_is_of_the_files_or_of_the_tensors():
    models = tiny_model_set()
    first = weights_sha256('untrained_mini', models)
    assert first == weights_sha256('untrained_mini', tiny_model_set())
    assert first != weights_sha256('untrained_mini', tiny_model_set(seed=1))
    whole = weights_sha256('untrained_mini', load_bundle('untrained_mini', device='cpu'))
    assert whole == weights_sha256('untrained_mini', load_bundle(
        'untrained_mini', device='cpu', mode='G'))
    shipped = weights_sha256(TABLETOP, ModelSet('', True, None, None, None, None, None))
    assert len(shipped) == 64 and shipped != first
    assert weights_sha256(str(SHIPPED / TABLETOP), models) == shipped
