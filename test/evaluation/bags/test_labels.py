"""Labels as JSON Lines: what is read, what is refused, with the number of the line."""

import json

import numpy as np
from PIL import Image
import pytest

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.bags.labels import Label, label_line, read_labels, write_labels
from refdiff_ros.evaluation.metrics.grasp_error import TrueGrasp

GOOD = {'stamp': 1_700_000_000_050_000_000, 'topic': '/image', 'expression': ' the mug ',
        'mask': {'size': [2, 2], 'counts': '22'}}


def written(tmp_path, *values):
    path = tmp_path / 'labels.jsonl'
    path.write_text('\n'.join(
        value if isinstance(value, str) else json.dumps(value) for value in values))
    return path


def test_both_stamps_both_masks_and_what_is_optional(tmp_path):
    grasp = {'position': [0, 0.5, 1], 'orientation': [0, 0, 0, 1], 'width': 0.05}
    first, second = read_labels(written(
        tmp_path, GOOD, '', {
            **GOOD, 'stamp': {'sec': 1_700_000_000, 'nanosec': 60}, 'grasp': grasp,
            'mask': {'size': [2, 2], 'counts': [2, 2]}, 'tags': {'kind': 'plain'},
            'source': 'person', 'remark': 'other keys are left alone'}))
    assert first == Label(GOOD['stamp'], '/image', 'the mug', GOOD['mask'], line=1)
    assert (second.stamp_ns, second.line, second.source) == (
        1_700_000_000_000_000_060, 3, 'person')
    assert second.grasp == TrueGrasp((0.0, 0.5, 1.0), (0.0, 0.0, 0.0, 1.0), 0.05)
    assert second.tags == {'kind': 'plain'}
    for label in (first, second):
        assert label.mask.tolist() == [[False, True], [False, True]]


def test_a_mask_may_be_a_picture_beside_the_labels(tmp_path):
    mask = np.eye(3, dtype=bool)
    (tmp_path / 'stills').mkdir()
    Image.fromarray(mask.astype(np.uint8) * 255).save(tmp_path / 'stills' / 'm.png')
    (label,) = read_labels(written(tmp_path, {**GOOD, 'mask': 'stills/m.png'}))
    assert np.array_equal(label.mask, mask)
    Image.new('RGB', (3, 3)).save(tmp_path / 'rgb.png')
    for name, message in (('none.png', 'picture of a mask'), ('rgb.png', 'one channel')):
        with pytest.raises(BadRequestError, match=message):
            read_labels(written(tmp_path, {**GOOD, 'mask': name}))


def test_labels_survive_a_file_which_is_never_overwritten(tmp_path):
    labels = [
        Label(5, '/image', 'die Tasse über dem Teller', GOOD['mask'],
              TrueGrasp((0.0, 0.1, 0.2), (0.0, 0.6, 0.8, 0.0), 0.04), {'kind': 'relation'},
              'person', 1),
        Label(1_700_000_000_000_000_001, '/image', 'the mug', GOOD['mask'],
              TrueGrasp((0.0, 0.1, 0.2)), line=2)]
    path = tmp_path / 'new' / 'labels.jsonl'
    write_labels(path, map(label_line, labels))
    assert read_labels(path) == labels
    with pytest.raises(BadRequestError, match='take another name'):
        write_labels(path, [])


@pytest.mark.parametrize('changed, message', [
    ('{"stamp": 1', 'a JSON object on one line'),
    ('[1]', 'got list'),
    ({'mask': ...}, 'got no mask'),
    ({'stamp': 1.5}, r'whole nanoseconds, got 1.5'),
    ({'stamp': True}, 'got True'),
    ({'stamp': {'sec': 1}}, 'a stamp'),
    ({'stamp': {'sec': 1, 'nanosec': 10**9}}, 'a stamp'),
    ({'topic': ''}, "a text as topic, got ''"),
    ({'expression': 3}, 'a text as expression, got 3'),
    ({'mask': None}, 'COCO RLE'),
    ({'mask': {'size': [2, 2], 'counts': '2'}}, '2 x 2 = 4 pixels .*got 2'),
    ({'tags': {'kind': 1}}, 'tags as texts'),
    ({'grasp': {'orientation': [0, 0, 0, 1]}}, 'a grasp as'),
    ({'grasp': {'position': [0, 0, 0], 'width': '5 cm'}}, 'a grasp as'),
    ({'grasp': {'position': [0, 0, 0], 'width': -1}}, 'a width of 0 metres or more'),
    ({'grasp': {'position': [0, 0], 'orientation': [0, 0, 0, 1]}}, 'unit quaternion'),
    ({'grasp': {'position': [0, 0, 0], 'orientation': [0, 0, 0, 2]}}, 'unit quaternion'),
    ({'source': 3}, 'a text as source'),
    ({}, 'each expression once a picture, got .the mug. as in line 1')])
def test_what_is_no_label_is_told_with_its_line(changed, message, tmp_path):
    line = changed if isinstance(changed, str) else {
        key: value for key, value in {**GOOD, **changed}.items() if value is not ...}
    with pytest.raises(BadRequestError, match=rf'labels.jsonl:2: expected .*{message}'):
        read_labels(written(tmp_path, GOOD, line))


def test_no_labels_at_all(tmp_path):
    with pytest.raises(BadRequestError, match="got none: 'refdiff label BAG'"):
        read_labels(written(tmp_path, ''))
    with pytest.raises(BadRequestError, match='No such file'):
        read_labels(tmp_path / 'none.jsonl')
