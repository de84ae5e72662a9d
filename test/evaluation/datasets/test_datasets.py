"""Readers of public data sets and `refdiff evaluate check`, on tiny folders in their layouts."""

import json
import pickle

import numpy as np
from PIL import Image
import pytest

from refdiff_ros.cli import main
from refdiff_ros.errors import BadRequestError, RefDiffError
from refdiff_ros.evaluation.datasets import published
from refdiff_ros.evaluation.datasets.catalog import read_samples
from refdiff_ros.evaluation.datasets.check import check_dataset
from refdiff_ros.evaluation.datasets.published import PUBLISHED, Size

SIZE = (6, 8)  # height, width
SQUARE = [1, 1, 4, 1, 4, 4, 1, 4]
PIXELS = SIZE[0] * SIZE[1]


def _ref(ref_id, ann_id, image_id, split, *texts):
    return {
        'ref_id': ref_id, 'ann_id': ann_id, 'image_id': image_id, 'category_id': 1,
        'split': split, 'file_name': f'COCO_train2014_{image_id:012}_{ann_id}.jpg',
        'sent_ids': [10 * ref_id + k for k in range(len(texts))],
        'sentences': [
            {'sent_id': 10 * ref_id + k, 'sent': text, 'raw': text.title(),
             'tokens': text.split()} for k, text in enumerate(texts)]}


def _annotation(row, image_id, category_id, segmentation, iscrowd=0):
    return {'id': row, 'image_id': image_id, 'category_id': category_id, 'iscrowd': iscrowd,
            'segmentation': segmentation, 'area': 9.0, 'bbox': [1, 1, 3, 3]}


def _runs(counts):
    return {'size': list(SIZE), 'counts': counts}


REFS = [
    _ref(3, 31, 9, 'val', 'left cup', 'cup behind the plate'),
    _ref(1, 11, 7, 'val', 'the cup'),
    _ref(2, 92, 9, 'val', 'red plate'),
    _ref(4, 12, 7, 'testA', 'a fork')]
INSTANCES = {
    'images': [{'id': row, 'file_name': f'COCO_train2014_{row:012}.jpg', 'height': SIZE[0],
                'width': SIZE[1]} for row in (7, 9)],
    'annotations': [
        _annotation(31, 9, 1, [SQUARE]), _annotation(32, 9, 1, [SQUARE]),
        _annotation(33, 9, 1, [SQUARE]), _annotation(34, 9, 1, _runs([PIXELS]), iscrowd=1),
        _annotation(92, 9, 2, _runs([0, 2, PIXELS - 2])),
        _annotation(11, 7, 1, _runs('12]1')), _annotation(12, 7, 3, [SQUARE])],
    'categories': [{'id': 1, 'name': 'cup'}, {'id': 2, 'name': 'plate'}]}


def _write_image(path, size_hw=SIZE):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', size_hw[::-1], (200, 10, 10)).save(path)


def _write_refer(root, refs=REFS, instances=INSTANCES, folder='refcoco', maker='unc',
                 images='images/mscoco/images/train2014'):
    (root / folder).mkdir(parents=True)
    # Protocol 2 is what Python 2 wrote.
    (root / folder / f'refs({maker}).p').write_bytes(pickle.dumps(refs, 2))
    (root / folder / 'instances.json').write_text(json.dumps(instances))
    for image in instances['images']:
        _write_image(root / images / image['file_name'])
    return root


def _task(task_id, image_id, phrase, polygons, name='cup', kind='attribute', ann_ids=(1,)):
    return {'task_id': task_id, 'image_id': image_id, 'ann_ids': list(ann_ids),
            'phrase': phrase, 'Polygons': polygons, 'instance_boxes': [[1, 1, 3, 3]],
            'phrase_structure': {'name': name, 'attributes': [], 'relation_ids': [],
                                 'relation_descriptions': [], 'type': kind}}


LEFT, RIGHT = [[[0, 0], [1, 0], [1, 1], [0, 1]]], [[[5, 2], [6, 2], [6, 4], [5, 4]]]
TASKS = [
    _task('5__1', 5, 'white cups', [LEFT, RIGHT], ann_ids=(1, 2)),
    _task('4__9', 4, 'plate', [LEFT], name='plate', kind='name', ann_ids=(9,)),
    _task('5__3', 5, 'cup on table', [RIGHT], kind='relation', ann_ids=(3,))]


def _write_phrasecut(root, tasks=TASKS):
    root.mkdir(exist_ok=True)
    (root / 'refer_val.json').write_text(json.dumps(tasks))
    (root / 'image_data_split.json').write_text(json.dumps([
        {'image_id': row, 'height': SIZE[0], 'width': SIZE[1], 'split': 'val', 'coco_id': None,
         'url': 'https://example.org', 'flickr_id': None} for row in (4, 5)]))
    for row in (4, 5):
        _write_image(root / 'images' / f'{row}.jpg')
    return root


@pytest.fixture
def tiny(monkeypatch):
    """Published sizes of what the fixtures hold."""
    sizes = {'refcoco': {'val': Size(2, 3, 4), 'testA': Size(1, 1, 1)},
             'phrasecut': {'val': Size(2, 3, 3)}}
    for name, of_split in sizes.items():
        monkeypatch.setitem(published.PUBLISHED, name, of_split)


def test_every_sentence_is_a_sample_and_a_pictures_samples_follow_each_other(tmp_path):
    found = read_samples('refcoco', _write_refer(tmp_path), 'val')
    assert [(each.sample_id, each.image_id, each.expression) for each in found] == [
        ('1_10', '7', 'the cup'), ('2_20', '9', 'red plate'), ('3_30', '9', 'left cup'),
        ('3_31', '9', 'cup behind the plate')]
    # Three cups stand on picture 9; the crowd of them is no instance.
    assert [dict(each.tags) for each in found] == [
        {'kind': 'plain', 'distractors': '0'}, {'kind': 'attribute', 'distractors': '0'},
        {'kind': 'position', 'distractors': '2'}, {'kind': 'relation', 'distractors': '2'}]
    again = read_samples('refcoco', tmp_path, 'val')
    assert [each.sample_id for each in again] == [each.sample_id for each in found]


def test_polygons_runs_and_compressed_runs_become_masks(tmp_path):
    found = read_samples('refcoco', _write_refer(tmp_path), 'val')
    masks = {each.sample_id: each.load()[1] for each in found}
    frame, _ = found[0].load()
    assert frame.size_hw == SIZE and frame.image_rgb[0, 0, 0] > 150
    assert {mask.shape for mask in masks.values()} == {SIZE}
    assert np.argwhere(masks['1_10']).tolist() == [[1, 0], [2, 0]]
    assert np.argwhere(masks['2_20']).tolist() == [[0, 0], [1, 0]]
    expected = np.zeros(SIZE, bool)
    expected[1:4, 1:4] = True
    assert (masks['3_30'] == expected).all() and (masks['3_31'] == expected).all()


def test_samples_can_be_sent_to_other_processes(tmp_path):
    sample = read_samples('refcoco', _write_refer(tmp_path), 'val')[-1]
    frame, mask = pickle.loads(pickle.dumps(sample)).load()
    assert frame.size_hw == SIZE and mask.sum() == 9


@pytest.mark.parametrize('name, folder, maker, split', [
    ('refcoco+', 'refcoco+', 'unc', 'testA'), ('refcocog_umd', 'refcocog', 'umd', 'test'),
    ('refcocog_google', 'refcocog', 'google', 'val')])
@pytest.mark.parametrize('images', [
    'images/mscoco/images/train2014', 'images/train2014', 'train2014'])
def test_each_variant_and_place_of_pictures(tmp_path, name, folder, maker, split, images):
    _write_refer(tmp_path, [_ref(1, 11, 7, split, 'a')], folder=folder, maker=maker,
                 images=images)
    [sample] = read_samples(name, tmp_path, split)
    assert sample.load()[1].any()


def test_pictures_may_lie_anywhere(tmp_path):
    _write_refer(tmp_path / 'annotations', images='../coco')
    with pytest.raises(BadRequestError, match='the pictures in .*train2014.zip.*--images'):
        read_samples('refcoco', tmp_path / 'annotations', 'val')
    found = read_samples('refcoco', tmp_path / 'annotations', 'val', tmp_path / 'coco')
    assert found[0].load()[1].any()


def test_a_phrase_means_the_union_of_its_instances(tmp_path):
    found = read_samples('phrasecut', _write_phrasecut(tmp_path), 'val')
    assert [(each.sample_id, each.image_id, each.expression) for each in found] == [
        ('4__9', '4', 'plate'), ('5__1', '5', 'white cups'), ('5__3', '5', 'cup on table')]
    assert [dict(each.tags) for each in found] == [
        {'kind': 'plain', 'distractors': '0'}, {'kind': 'attribute', 'distractors': '1'},
        {'kind': 'relation', 'distractors': '2'}]
    frame, mask = found[1].load()
    expected = np.zeros(SIZE, bool)
    expected[0:2, 0:2] = expected[2:5, 5:7] = True
    assert frame.size_hw == SIZE and (mask == expected).all()


def test_one_unreadable_picture_costs_its_samples_alone(tmp_path):
    root = _write_refer(tmp_path)
    picture = root / 'images/mscoco/images/train2014/COCO_train2014_000000000007.jpg'
    for content in (b'', b'no picture', picture.read_bytes()[:-300]):
        picture.write_bytes(content)
        first, *others = read_samples('refcoco', root, 'val')
        with pytest.raises(RefDiffError, match='expected a picture at .*07.jpg'):
            first.load()
        assert len([each.load() for each in others]) == 3
    picture.unlink()
    with pytest.raises(RefDiffError, match='expected a picture at .*07.jpg'):
        read_samples('refcoco', root, 'val')[0].load()


def test_a_picture_of_another_size_is_refused(tmp_path):
    root = _write_phrasecut(tmp_path)
    _write_image(root / 'images/4.jpg', (8, 6))
    with pytest.raises(BadRequestError, match=r'4\.jpg to be 8x6 pixels as annotated, got 6x8'):
        read_samples('phrasecut', root, 'val')[0].load()


def test_a_mask_for_another_size_is_refused_when_it_is_loaded(tmp_path):
    instances = {**INSTANCES, 'annotations': [
        _annotation(11, 7, 1, {'size': [8, 6], 'counts': [PIXELS]})]}
    [sample] = read_samples('refcoco', _write_refer(tmp_path, REFS[1:2], instances), 'val')
    with pytest.raises(BadRequestError, match=r"mask of the image's size \[6, 8\]"):
        sample.load()


@pytest.mark.parametrize('refs, message', [
    ([], 'expected expressions of refcoco val .*got none: .refdiff evaluate check refcoco'),
    ({}, 'expected a list of refs .*got dict'),
    ([_ref(1, 99, 7, 'val', 'a')], r'expected 99 of ref 1 .* among the annotations .*got none'),
    ([_ref(1, 11, 99, 'val', 'a')], r'expected 99 of ref 1 .* among the images'),
    ([_ref(1, 31, 7, 'val', 'a')], 'got annotation 31 of image 9'),
    ([{'split': 'val'}], "expected 'ref_id' as int"),
    ([{'ref_id': 1}], "expected 'split' as str"), ([3], "expected 'split' as str"),
    ([{**REFS[1], 'sentences': [{'sent_id': 1}]}], "expected 'sent' as str in ref 1 .*got none"),
    ([REFS[1], REFS[1]], 'expected ids that are unique, got 1_10 twice')])
def test_references_that_cannot_be_used_are_named(tmp_path, refs, message):
    with pytest.raises(BadRequestError, match=message):
        read_samples('refcoco', _write_refer(tmp_path, refs), 'val')


@pytest.mark.parametrize('content, message', [
    ('', 'expected JSON at .*instances.json'), ('[' * 100000, 'expected JSON at'),
    ('[]', 'expected a dict in .*got list'), ('{"images": 3}', "expected 'images' as list"),
    ('{"images": [{"id": 7}]}', 'expected id, file_name, height, width in each of the images'),
    ('{"images": [3]}', 'got 3 in place 0')])
def test_instances_that_cannot_be_used_are_said(tmp_path, content, message):
    root = _write_refer(tmp_path)
    (root / 'refcoco/instances.json').write_text(content)
    with pytest.raises(BadRequestError, match=message):
        read_samples('refcoco', root, 'val')


@pytest.mark.parametrize('task, message', [
    (_task('1', 99, 'a', [LEFT]), 'expected image 99 of task 1 .*image_data_split.json, got none'),
    ({**TASKS[0], 'Polygons': None}, "expected 'Polygons' as list in task 5__1"),
    ({**TASKS[0], 'image_id': [1], 'ann_ids': [[2]]}, "expected 'image_id' as int"),
    (3, "expected 'task_id' as str")])
def test_phrases_that_cannot_be_used_are_named(tmp_path, task, message):
    with pytest.raises(BadRequestError, match=message):
        read_samples('phrasecut', _write_phrasecut(tmp_path, [task]), 'val')


def test_what_is_not_there_is_said(tmp_path):
    (tmp_path / 'train2014').mkdir()
    with pytest.raises(BadRequestError, match=r'expected a pickle at .*refs\(unc\).p'):
        read_samples('refcoco', tmp_path, 'val')
    with pytest.raises(BadRequestError, match=r'expected a split of refcocog_umd.*got .testA.'):
        read_samples('refcocog_umd', tmp_path, 'testA')
    with pytest.raises(BadRequestError, match='expected a data set of .*got .coco.'):
        read_samples('coco', tmp_path, 'val')
    with pytest.raises(BadRequestError, match='expected expressions of phrasecut val .*got none'):
        read_samples('phrasecut', _write_phrasecut(tmp_path, []), 'val')


def test_published_splits_sum_to_the_published_totals():
    totals = {name: [sum(getattr(size, count) for size in of_split.values())
                     for count in ('images', 'masks', 'expressions')]
              for name, of_split in PUBLISHED.items()}
    assert totals == {
        'refcoco': [19994, 50000, 142210], 'refcoco+': [19992, 49856, 141564],
        'refcocog_umd': [25799, 49822, 95010],
        'refcocog_google': [29348, 49822, 95010],  # pictures of both splits count twice
        'phrasecut': [77262, 345486, 345486]}


def test_a_complete_folder_passes_the_check(tmp_path, tiny, capsys):
    assert main(['evaluate', 'check', 'refcoco', '--root', str(_write_refer(tmp_path))]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ['val', *'2 / 2 3 / 3 4 / 4'.split()]
    assert lines[3].split() == ['testA', *'1 / 1 1 / 1 1 / 1'.split()]
    assert lines[-1] == 'complete'
    root = _write_phrasecut(tmp_path / 'phrasecut')
    assert main(['evaluate', 'check', 'phrasecut', '--root', str(root), '--split', 'val']) == 0


def test_the_check_names_pictures_masks_and_references(tmp_path, tiny, capsys):
    instances = json.loads(json.dumps(INSTANCES))
    instances['annotations'][-2]['segmentation'] = _runs([PIXELS])  # of ref 1
    instances['annotations'][4]['segmentation'] = [[1, 2]]  # of ref 2
    refs = [*REFS, _ref(5, 98, 7, 'testA', 'a')]
    root = _write_refer(tmp_path, refs, instances)
    folder = root / 'images/mscoco/images/train2014'
    (folder / 'COCO_train2014_000000000009.jpg').unlink()
    _write_image(folder / 'COCO_train2014_000000000007.jpg', (3, 4))
    assert main(['evaluate', 'check', 'refcoco', '--root', str(root)]) == 1
    out = capsys.readouterr().out
    assert 'val: 1 of 2 pictures are missing in' in out and '00009.jpg. Get the originals' in out
    assert '00007.jpg (4x3 instead of 8x6)' in out
    assert 'val: 2 of 3 masks cannot be used: 1 (no pixel), 2 (expected polygons' in out
    assert 'testA: 1 of 2 references cannot be used: expected 98 of ref 5' in out
    assert out.splitlines()[2].split() == ['val', *'0 / 2 1 / 3 4 / 4'.split()]
    assert out.splitlines()[-1] == 'not complete'


def test_the_check_names_files_and_what_was_published(tmp_path, capsys):
    assert main(['evaluate', 'check', 'refcocog_umd', '--root', str(tmp_path / 'no')]) == 1
    out = capsys.readouterr().out
    assert 'val: files are missing: ' in out and 'refs(umd).p' in out and 'lichengunc/refer' in out
    root = _write_refer(tmp_path)
    assert main(['evaluate', 'check', 'refcoco', '--root', str(root), '--split', 'val']) == 1
    out = capsys.readouterr().out
    assert ('val: the annotation files tell of 2 images where 1500 were published, 3 masks where '
            '3811 were published, 4 expressions where 10834 were published. Get the') in out
    assert main(['evaluate', 'check', 'refcoco', '--root', str(root), '--split', 'test']) == 2
    assert 'expected a split of refcoco' in capsys.readouterr().err


def test_the_check_says_which_file_cannot_be_read(tmp_path, tiny):
    root = _write_refer(tmp_path)
    (root / 'refcoco/refs(unc).p').write_bytes(pickle.dumps(np.arange(3)))
    found = check_dataset('refcoco', root, ['val'])
    assert not found.complete and not found.counts
    line = found.problems[0].line()
    assert 'got numpy' in line and 'lichengunc/refer' in line


def test_the_check_counts_what_pictures_are_needed_where_there_are_none(tmp_path, tiny):
    root = _write_refer(tmp_path, images='elsewhere')
    [problem] = check_dataset('refcoco', root, ['val']).problems
    assert '2 pictures are needed' in problem.line()
    assert check_dataset('refcoco', root, ['val'], root / 'elsewhere').complete


def test_five_names_are_shown_and_all_when_asked(tmp_path, tiny, capsys):
    tasks = [_task(f'{k}', 4, 'a', [[]]) for k in range(8)]
    arguments = ['evaluate', 'check', 'phrasecut', '--root',
                 str(_write_phrasecut(tmp_path, tasks))]
    assert main(arguments) == 1
    shown = capsys.readouterr().out
    assert '4 (expected' in shown and '5 (expected' not in shown and 'and 3 more. Get' in shown
    assert main([*arguments, '--all']) == 1
    assert '7 (expected' in capsys.readouterr().out
