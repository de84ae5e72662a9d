"""Samples are asked one by one; what cannot be read or answered costs no other."""

from types import SimpleNamespace

import numpy as np
import pytest

from refdiff_ros.errors import (
    BadRequestError,
    MissingPackageError,
    OutOfMemoryError,
    RefDiffError,
)
from refdiff_ros.evaluation.figures import table, tagged_figures
from refdiff_ros.evaluation.run import Answer, answer_samples, Sample, UNREADABLE
from refdiff_ros.results import Frame, Status

TRUTH = np.zeros((8, 8), bool)
TRUTH[:2] = True
HALF = np.zeros((8, 8), bool)
HALF[:1] = True


class _Engine:
    """Answers with half the truth, or as it is told."""

    def __init__(self, **errors):
        self._errors = errors

    def segment(self, frame, expression, **options):
        if expression in self._errors:
            raise self._errors[expression]
        return SimpleNamespace(mask=HALF, status=Status.FOUND, proposals=TRUTH[None],
                               correlation=TRUTH.astype(np.float32))


def sample(name, load=None, **tags):
    return Sample(name, 'picture', name, load or (lambda: (
        Frame(np.zeros((8, 8, 3), np.uint8)), TRUTH)), tags)


def failing(error):
    def load():
        raise error
    return load


def test_answers_in_order_with_their_figures():
    seen = []
    answers = answer_samples(
        _Engine(), (sample(name, kind=kind) for name, kind in (('a', 'plain'), ('b', 'x'))),
        on_answer=lambda *told: seen.append(told))
    assert [answer.sample_id for answer in answers] == ['a', 'b']
    first = answers[0]
    assert (first.iou, first.intersection, first.union) == (0.5, 8, 16)
    assert (first.pointing, first.oracle_iou, first.status) == (1.0, 1.0, 'FOUND')
    assert first.scored and not first.error and first.seconds >= 0
    reply = seen[0][1]
    assert seen[0][0] == first and reply.frame.size_hw == (8, 8)
    assert reply.truth is TRUTH and reply.segmentation.mask is HALF
    found = tagged_figures(answers)
    assert found['mean_iou'] == 0.5 and list(found['by_kind']) == ['plain', 'x']
    assert 'plain' in table(found)


def test_errors_cost_no_other_sample():
    seen = []
    small = Frame(np.zeros((4, 8, 3), np.uint8))
    answers = answer_samples(
        _Engine(b=BadRequestError('what'), c=OutOfMemoryError('full')),
        [sample('a', failing(RefDiffError('a broken picture'))), sample('b'), sample('c'),
         sample('d', lambda: (small, TRUTH)), sample('e')],
        on_answer=lambda _, reply: seen.append([value is None for value in (
            reply.frame, reply.truth, reply.segmentation, reply.error)]))
    assert [answer.status for answer in answers] == [
        'UNREADABLE', 'BAD_REQUEST', 'OUT_OF_MEMORY', 'UNREADABLE', 'FOUND']
    assert answers[0].error == 'a broken picture'
    assert "of the picture's size (4, 8) (height, width), got (8, 8)" in answers[3].error
    assert answers[1].union == 16 and answers[1].iou == 0
    assert seen[0] == [True, True, True, False] and seen[1] == [False, False, True, False]
    assert seen[4] == [False, False, False, True]
    found = tagged_figures(answers)
    # What has no truth is not scored; what has no answer counts 0.
    assert (found['cases'], found['errors'], found['unreadable']) == (3, 2, 2)
    assert found['mean_iou'] == pytest.approx(0.5 / 3, abs=1e-4)


def test_a_missing_package_is_not_the_pictures_fault():
    with pytest.raises(MissingPackageError):
        answer_samples(_Engine(), [sample('a', failing(MissingPackageError('cv2')))])


def test_counts_that_no_masks_have_are_refused():
    with pytest.raises(BadRequestError, match='intersection <= union'):
        Answer('a', 'b', 'c', 'FOUND', 0.5, 3, 2)


def test_whatever_an_answer_raises_counts_as_one_bad_case(caplog):
    class Faulty:
        """An engine of which two answers fail, one of them by a fault of its own."""

        def segment(self, frame, expression, **options):
            if expression == 'a':
                raise ZeroDivisionError('no word')
            raise BadRequestError('expected another')

    frame = Frame(np.zeros((8, 8, 3), np.uint8))
    truth = np.eye(8, dtype=bool)

    def damaged():
        raise KeyError('no such picture')
    samples = [Sample('1', 'p', 'a', lambda: (frame, truth)),
               Sample('2', 'p', 'b', lambda: (frame, truth)), Sample('3', 'q', 'c', damaged)]
    answers = answer_samples(Faulty(), samples)
    assert [answer.status for answer in answers] == ['INTERNAL', 'BAD_REQUEST', UNREADABLE]
    assert answers[0].error == 'unexpected ZeroDivisionError: no word'
    assert 'KeyError' in answers[2].error
    assert [answer.union for answer in answers] == [8, 8, 0]
    assert sum(record.exc_info is not None for record in caplog.records) == 2
