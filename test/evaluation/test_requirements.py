"""Requirements on figures, and the durations that some of them are about."""

import pytest

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.metrics.latency import latency_ms
from refdiff_ros.evaluation.requirements import judge, parse_requirements

FIGURES = {'mean_iou': 0.5, 'precision_at': {'0.7': 0.25}, 'p95_ms': 320.0, 'pointing': None,
           'labels_without_frames': 0}


def test_met_and_missed():
    verdicts = judge(parse_requirements([
        'miou=0.5', 'pr@0.7=0.3', 'p95_ms=300', 'pointing=0.1', 'labels_without_frames=0',
        'oiou=0']), FIGURES)
    assert [verdict.met for verdict in verdicts] == [True, False, False, False, True, False]
    assert [str(verdict) for verdict in verdicts[:4]] == [
        'met     miou: wanted >= 0.5, got 0.5', 'missed  pr@0.7: wanted >= 0.3, got 0.25',
        'missed  p95_ms: wanted <= 300, got 320', 'missed  pointing: wanted >= 0.1, got no figure']
    assert verdicts[1].as_json() == {'name': 'pr@0.7', 'wanted': 0.3, 'got': 0.25, 'met': False}


@pytest.mark.parametrize('text, message', [
    ('mIoU=0.5', 'one of miou, oiou, .*p95_ms.*got .mIoU.'),
    ('miou', 'NAME=NUMBER .*names: miou'), ('miou=half', 'NAME=NUMBER'),
    ('miou=50', '0 to 1 for miou, got 50'), ('p95_ms=-1', '0 or more'),
    ('p95_ms=inf', '0 or more'), ('miou=nan', '0 to 1')])
def test_what_cannot_be_required(text, message):
    with pytest.raises(BadRequestError, match=message):
        parse_requirements(['oiou=0.5', text])


def test_latency_by_hand():
    assert latency_ms([0.1, 0.2, 0.3, 0.4, 0.5]) == {
        'mean_ms': 300.0, 'p50_ms': 300.0, 'p95_ms': 480.0, 'p99_ms': 496.0, 'max_ms': 500.0}
    assert set(latency_ms([]).values()) == {None}
    with pytest.raises(BadRequestError, match='0 or more'):
        latency_ms([0.1, -1])
