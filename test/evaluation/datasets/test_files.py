"""What annotation files are made of: plain pickles, COCO masks, PhraseCut's polygons, words."""

import collections
import os
import pickle
import sys

import numpy as np
import pytest

from refdiff_ros.errors import BadRequestError, MissingPackageError
from refdiff_ros.evaluation.datasets.coco_mask import coco_mask
from refdiff_ros.evaluation.datasets.expression_kind import expression_kind, KINDS
from refdiff_ros.evaluation.datasets.plain_pickle import read_plain_pickle
from refdiff_ros.evaluation.datasets.polygon_mask import polygon_mask

PLAIN = [{'ref_id': 1, 'split': 'val', 'sentences': [{'sent': 'the left mug', 'score': 0.5}],
          'box': (1, -2, 2 ** 40), 'none': None, 'yes': True}]
# [{'ref_id': 1, 'sent': 'mug', 'file_name': u'caf\xe9'}] as Python 2 wrote it, protocols 0 and 2.
PYTHON_2 = (
    b"(lp0\n(dp1\nS'ref_id'\np2\nI1\nsS'sent'\np3\nS'mug'\np4\nsS'file_name'\np5\nVcaf\\u00e9\np6\n"
    b'sa.',
    b'\x80\x02]q\x00}q\x01(U\x06ref_idq\x02K\x01U\x04sentq\x03U\x03mugq\x04U\x09file_nameq\x05'
    b'X\x05\x00\x00\x00caf\xc3\xa9q\x06ua.')


class _Runs:
    """Unpickling it would make a folder."""

    def __init__(self, path):
        self._path = path

    def __reduce__(self):
        return os.mkdir, (str(self._path),)


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_is_read(tmp_path, protocol):
    (tmp_path / 'refs.p').write_bytes(pickle.dumps(PLAIN, protocol))
    assert read_plain_pickle(tmp_path / 'refs.p') == PLAIN


@pytest.mark.parametrize('content', PYTHON_2)
def test_files_of_python_2_are_read(tmp_path, content):
    (tmp_path / 'refs.p').write_bytes(content)
    assert read_plain_pickle(tmp_path / 'refs.p') == [
        {'ref_id': 1, 'sent': 'mug', 'file_name': 'café'}]


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_would_run_something_is_refused_by_name(tmp_path, protocol):
    harmful = [*PLAIN, _Runs(tmp_path / 'made')]
    (tmp_path / 'refs.p').write_bytes(pickle.dumps(harmful, protocol))
    with pytest.raises(BadRequestError, match=r'refs\.p, got \w+\.mkdir: it is not'):
        read_plain_pickle(tmp_path / 'refs.p')
    assert not (tmp_path / 'made').exists()


@pytest.mark.parametrize('content, name', [
    (pickle.dumps(np.arange(3)), r'numpy'),
    (pickle.dumps(collections.OrderedDict(a=1)), r'collections\.OrderedDict'),
    (b"(S'true'\nios\nsystem\n.", r'os\.system'),  # the INST of protocol 0
    (b'Pelsewhere\n.', 'the outside object')])
def test_whatever_is_no_plain_data_is_named(tmp_path, content, name):
    (tmp_path / 'refs.p').write_bytes(content)
    with pytest.raises(BadRequestError, match=f'got {name}'):
        read_plain_pickle(tmp_path / 'refs.p')


@pytest.mark.parametrize('content', [
    b'', b'no pickle', pickle.dumps(PLAIN)[:-5], b'\x80\x02U\x02\xff\xfe.', b"S'a'\n)R.",
    b'\x80\x02\x82\x01.', b'}}b.', b'K\x01K\x02s.', b'\x80\x63.', b'g7\n.'])
def test_a_damaged_pickle_is_told_apart(tmp_path, content):
    (tmp_path / 'refs.p').write_bytes(content)
    with pytest.raises(BadRequestError, match='expected a whole pickle .* get the file again'):
        read_plain_pickle(tmp_path / 'refs.p')


def test_a_missing_pickle_is_said(tmp_path):
    with pytest.raises(BadRequestError, match='expected a pickle at .*refs.p'):
        read_plain_pickle(tmp_path / 'refs.p')


def test_runs_go_down_the_columns():
    mask = coco_mask({'size': [3, 4], 'counts': [3, 2, 7]}, (3, 4))
    assert mask.dtype == bool
    assert mask.astype(int).tolist() == [[0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    assert coco_mask({'size': [2, 1], 'counts': [0, 2]}, (2, 1)).all()


def test_a_rectangle_of_whole_pixels_by_hand():
    mask = coco_mask([[1, 1, 5, 1, 5, 4, 1, 4]], (6, 7))
    expected = np.zeros((6, 7), bool)
    expected[1:4, 1:5] = True
    assert (mask == expected).all()


# pycocotools' own decoder, with NumPy 2; the package does not use it.
@pytest.mark.filterwarnings('ignore:__array__ implementation:DeprecationWarning')
def test_masks_are_those_of_pycocotools():
    coco = pytest.importorskip('pycocotools.mask')
    rng = np.random.default_rng(0)
    for _ in range(100):
        height, width = rng.integers(1, 40, 2).tolist()
        polygons = [(rng.random(2 * rng.integers(3, 8)) * 44 - 2).tolist()
                    for _ in range(rng.integers(1, 4))]
        parts = coco.decode(coco.frPyObjects(polygons, height, width))  # (H, W, polygons)
        assert (coco_mask(polygons, (height, width)) == parts.any(axis=2)).all()
        truth = rng.random((height, width)) > rng.random()
        counts = coco.encode(np.asfortranarray(truth, np.uint8))['counts']
        for text in (counts, counts.decode()):
            assert (coco_mask({'size': [height, width], 'counts': text}, truth.shape)
                    == truth).all()


def test_an_outline_of_two_points_covers_nothing():
    triangle = [1, 1, 5, 1, 5, 5]
    assert (coco_mask([[0, 0, 6, 6], triangle], (7, 7)) == coco_mask([triangle], (7, 7))).all()


@pytest.mark.parametrize('segmentation', [
    None, 3, 'text', [], [[]], [[1, 2, 3, 4]], [[1, 2, 3, 4, 5, 6, 7]], [[1, 2, 3, 4, 5, 'x']],
    [[1, 2, 3, 4, 5, float('nan')]], [[1, 2, 3, 4, 5, 1e300]], [[[1, 2], [3, 4]] * 4]])
def test_what_is_no_outline_is_refused(segmentation):
    with pytest.raises(BadRequestError, match='expected polygons'):
        coco_mask(segmentation, (6, 7))


@pytest.mark.parametrize('counts', [
    None, 12, [], [11], [13], [-1, 13], [6.0, 6.0], ['12'], '', '<1', 'o', 'ÿ', 'P', ' ', b'\xff'])
def test_runs_that_do_not_fill_the_image_are_refused(counts):
    # pycocotools writes beyond its memory with some of these.
    with pytest.raises(BadRequestError, match='expected (a .*counts|runs over)'):
        coco_mask({'size': [3, 4], 'counts': counts}, (3, 4))


@pytest.mark.parametrize('size', [[4, 3], [3], None, '34'])
def test_a_mask_of_another_size_is_refused(size):
    with pytest.raises(BadRequestError, match=r"expected a mask of the image's size \[3, 4\]"):
        coco_mask({'size': size, 'counts': [12]}, (3, 4))


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, 'pycocotools.mask', None)
    with pytest.raises(MissingPackageError, match=r'refdiff_ros\[datasets\]'):
        coco_mask([[1, 1, 5, 1, 5, 5]], (7, 7))


def test_polygons_of_all_instances_are_united():
    square = [[1.9, 1.2], [3.7, 1], [3, 3.9], [1, 3]]  # cut to (1, 1) .. (3, 3)
    line, point = [[5, 0], [5, 4]], [[0, 4]]
    mask = polygon_mask([[square, point], [line]], (5, 7))
    expected = np.zeros((5, 7), bool)
    expected[1:4, 1:4] = expected[0:5, 5] = True
    assert mask.dtype == bool and (mask == expected).all()


@pytest.mark.parametrize('instances', [
    [], [[]], [[[[0, 4]]]], None, [[[[1, 2, 3], [4, 5, 6]]]], [[[[0, 0], [float('nan'), 1]]]]])
def test_what_is_no_polygon_is_refused(instances):
    with pytest.raises(BadRequestError, match='expected .*polygon'):
        polygon_mask(instances, (5, 7))


@pytest.mark.parametrize('text, kind', [
    ('man behind the bus', 'relation'), ('left cup next to the red plate', 'relation'),
    ('dog on the couch', 'relation'), ('left man', 'position'), ('girl on the right', 'position'),
    ('second from the top', 'position'), ('3rd giraffe', 'position'), ('last bike', 'position'),
    ('closest to us', 'position'), ('blue shirt', 'attribute'), ('striped shirt', 'attribute'),
    ('man with a hat', 'attribute'), ('woman in red', 'attribute'), ('biggest bear', 'attribute'),
    ('lady sitting down', 'attribute'), ('guy who waits', 'attribute'), ('the giraffe', 'plain'),
    ('teddy bear', 'plain'), ('king bed', 'plain'), ('', 'plain')])
def test_the_kind_of_an_expression_by_its_words(text, kind):
    assert kind in KINDS and expression_kind(text) == kind
