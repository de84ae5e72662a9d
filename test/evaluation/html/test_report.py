"""The HTML report: what is in the file, that no text becomes markup, and that it stays small."""

from dataclasses import asdict, replace
from html.parser import HTMLParser
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest

from refdiff_ros.cli import main
from refdiff_ros.errors import BadRequestError, OutOfMemoryError, RefDiffError
from refdiff_ros.evaluation.html import case_pictures, charts, gallery
from refdiff_ros.evaluation.html.cases import as_run, read_run
from refdiff_ros.evaluation.html.comparison import compare
from refdiff_ros.evaluation.html.gallery import Gallery
from refdiff_ros.evaluation.html.page import write_report
from refdiff_ros.evaluation.run import Answer, Reply, Sample, UNREADABLE
from refdiff_ros.results import Frame, ReferringExpression, Scores, Segmentation, Status

HOSTILE = '</script><script>alert(1)</script><img src=x onerror=alert(2)> {{data}} & "mug" \u2028'
CASE = {'scene': 3, 'expression': 'the mug', 'kind': 'plain', 'sense': '', 'half': 'seen',
        'status': 'FOUND', 'iou': 0.5, 'intersection': 10, 'union': 20, 'pointing': 1.0,
        'oracle_iou': 0.8, 'seconds': 0.2, 'error': ''}
SIZE = (48, 64)
SAMPLE = Sample('a', 'b', 'the mug', lambda: None)
_VOID = {'meta', 'input', 'br', 'img', 'link'}


class _Page(HTMLParser):
    """Checks that elements nest, and collects tags, attributes and texts."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.texts, self.attributes = [], [], {}, []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in _VOID:
            self.open.append(dict(attrs).get('id', tag))
            self.texts.setdefault(self.open[-1], '')

    def handle_startendtag(self, tag, attrs):
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        self.open.pop()

    def handle_data(self, data):
        if self.open:
            self.texts[self.open[-1]] += data

    @property
    def data(self):
        return json.loads(self.texts['data'])


def answer(number, iou=0.5, **changes):
    return replace(Answer(
        f'case {number}', f'image {number // 2}', f'the mug {number}', 'FOUND', iou,
        round(100 * iou), 100, 1.0, 0.9, 0.2, tags={'kind': 'plain'}), **changes)


def run(*answers, name='run', **settings):
    written = {'what': 'bag', **settings, 'results': [asdict(each) for each in answers]}
    return as_run(json.loads(json.dumps(written)), name)


def page(tmp_path, *runs, **options):
    write_report(tmp_path / 'out' / 'report.html', *runs, **options)
    return _Page((tmp_path / 'out' / 'report.html').read_text(encoding='utf-8'))


class _Engine:
    """Gives each word of an expression a map."""

    def __init__(self, error=None):
        self.asked, self._error = 0, error
        self.preset = SimpleNamespace(generative=SimpleNamespace(words='root'))
        self.models = SimpleNamespace(diffusion=SimpleNamespace(tokenizer=None))

    def token_attention(self, frame, expression):
        self.asked += 1
        if self._error is not None:
            raise self._error
        words = tuple(expression.text.split())
        return words, np.zeros((len(words), *frame.size_hw), np.float32)


@pytest.fixture
def tokens(monkeypatch):
    monkeypatch.setattr(case_pictures, 'root_token_indices', lambda tokenizer, expression: (2,))


def shown(size_hw=SIZE, text='the mug'):
    """A frame, a truth and an answer with three proposals, of which the second is chosen."""
    truth = np.zeros(size_hw, bool)
    truth[10:30, 20:44] = True
    proposals = np.stack([~truth, truth, np.roll(truth, 8, axis=1)])
    total = np.array([np.nan, 0.7, 0.6], np.float32)
    expression = ReferringExpression(text, text[-3:], (len(text) - 3, len(text)))
    return Frame(np.full((*size_hw, 3), 90, np.uint8)), truth, Segmentation(
        Status.AMBIGUOUS, 'two fit', expression, truth, 0.7, 0.5, 1, (2,), proposals,
        Scores(total, total / 2, total / 4), truth.astype(np.float32), notes=('a note',))


def reply(**options):
    """`shown` as a reply."""
    return Reply(SAMPLE, *shown(**options))


def test_the_page_holds_everything_and_asks_for_nothing(tmp_path):
    found = page(tmp_path, run(*[answer(k, k / 10) for k in range(11)], preset='onboard'))
    assert {'summary', 'charts', 'breakdown', 'gallery', 'cases', 'data'} <= set(found.texts)
    assert found.tags.count('svg') == 3 and found.tags.count('script') == 2
    assert not {'link', 'img', 'iframe'} & set(found.tags)
    assert not [each for each in found.attributes if each[1] in ('src', 'srcset', 'data')
                or each[1].startswith('on')]
    policy = next(value for _, name, value in found.attributes
                  if name == 'content' and 'default-src' in value)
    assert "default-src 'none'" in policy and 'unsafe' not in policy
    text = (tmp_path / 'out' / 'report.html').read_text()
    assert not re.findall(r'(?:src|href)="?https?:|url\(|@import|fetch\(|innerHTML', text)
    assert '0.500' in text and 'onboard' in text


def test_the_embedded_cases_are_those_of_the_run(tmp_path):
    answers = [answer(0, 0.123456, intersection=12), answer(1, tags={'distractors': '2'}),
               answer(2, 0.0, status='INTERNAL', error='expected memory', pointing=None),
               answer(3, 0.0, intersection=0, status=UNREADABLE, union=0, error='no picture')]
    columns = page(tmp_path, run(*answers)).data['runs'][0]
    assert columns['id'] == ['case 0', 'case 1', 'case 2', 'case 3']
    assert columns['iou'] == [0.1235, 0.5, 0.0, None]
    assert columns['error'] == {'2': 'expected memory', '3': 'no picture'}
    status = columns['status']
    assert [status['values'][code] for code in status['codes']] == [
        'FOUND', 'FOUND', 'INTERNAL', 'UNREADABLE']
    assert columns['tags']['distractors'] == {'values': ['', '2'], 'codes': [0, 1, 0, 0]}
    assert columns['pointing'][2] is None and columns['ms'][0] == 200.0


def test_no_text_becomes_markup(tmp_path, tokens):
    hostile = answer(0, sample_id=HOSTILE, image_id=HOSTILE, expression=HOSTILE, error=HOSTILE,
                     status=HOSTILE, tags={HOSTILE: HOSTILE, 'kind': '\ud800'})
    kept = Gallery(_Engine(OutOfMemoryError(HOSTILE)))
    kept.add(HOSTILE, 0.5, reply(text=HOSTILE + ' mug'))
    found = page(tmp_path, run(hostile, name=HOSTILE, bundle=HOSTILE, stopped=HOSTILE),
                 run(hostile, name=HOSTILE), gallery=kept)
    assert found.tags.count('script') == 2 and 'img' not in found.tags
    assert not [each for each in found.attributes if each[1].startswith('on')]
    data = found.data
    assert data['runs'][0]['expression'] == [HOSTILE]
    assert data['runs'][0]['tags']['kind']['values'] == ['?']  # half of a surrogate pair
    assert data['pictures']['0']['tokens']['error'] == HOSTILE
    assert HOSTILE in found.texts['h1']


def test_cases_of_a_tabletop_run_and_names_that_repeat():
    other = {**CASE, 'sense': 'left'}
    found = as_run({'results': [CASE, other]}, 'run').answers
    assert [each.sample_id for each in found] == [
        'scene 3: the mug', 'scene 3: the mug (2)']
    assert found[0].image_id == 'scene 3'
    assert found[0].tags == {'kind': 'plain', 'half': 'seen'}
    assert found[1].tags['sense'] == 'left'


@pytest.mark.parametrize('text, message', [
    ('{', 'expected the JSON'), ('[]', 'got something else'),
    ('{"what": "proposals"}', "its 'results'"), ('{"results": [3]}', 'as result 1'),
    ('{"results": [{"sample_id": "a"}]}', 'as result 1')])
def test_what_no_run_wrote_is_refused(tmp_path, text, message):
    (tmp_path / 'run.json').write_text(text)
    with pytest.raises(BadRequestError, match=message):
        read_run(tmp_path / 'run.json')
    with pytest.raises(BadRequestError, match='expected the JSON'):
        read_run(tmp_path / 'none.json')


@pytest.mark.parametrize('field, value', [('iou', float('nan')), ('iou', 1.5), ('iou', 'much'),
                                          ('union', 1), ('seconds', float('inf'))])
def test_figures_that_none_can_be_are_refused(field, value):
    with pytest.raises(BadRequestError, match='as result 1'):
        as_run({'results': [{**asdict(answer(0)), field: value}]}, 'run')


def test_two_runs_are_paired_by_case():
    first = run(answer(0, 0.2), answer(1, 0.5), answer(2, 0.9), answer(3, 0.4))
    second = run(answer(3, 0.4), answer(0, 0.6), answer(2, 0.8), answer(9, 0.1))
    found = compare(first, second)
    assert found.rows == ((0, 1), (1, None), (2, 2), (3, 0), (None, 3))
    assert found.differences == pytest.approx((0.4, -0.1, 0.0))
    assert (found.better, found.worse, found.alone) == (1, 1, (1, 1))
    assert found.mean == pytest.approx(0.1) and found.interval[0] <= 0.1 <= found.interval[1]


def test_two_runs_stand_side_by_side(tmp_path):
    first, second = run(answer(0, 0.2), answer(1, 0.5)), run(answer(0, 0.6), answer(1, 0.5))
    found = page(tmp_path, first, second)
    assert found.data['pairs'] == [[0, 0], [1, 1]]
    assert [columns['iou'] for columns in found.data['runs']] == [[0.2, 0.5], [0.6, 0.5]]
    assert found.tags.count('svg') == 4
    assert '+0.200' in found.texts['strong']


def test_runs_without_a_case_in_common_or_any_case(tmp_path):
    found = page(tmp_path, run(answer(0)), run(answer(1)))
    assert 'no case in common' in found.texts['p']
    assert found.data['pairs'] == [[0, None], [None, 0]]
    assert page(tmp_path, run()).data['runs'][0]['id'] == []


def test_what_limits_a_run_is_said(tmp_path):
    missed = {'name': 'miou', 'wanted': 0.9, 'got': 0.5, 'met': False}
    found = page(tmp_path, run(answer(0), trained=False, stopped='interrupted', unverified=2,
                               requirements=[missed]))
    for words in ('weights are random', 'interrupted', "2 labels are a model's own",
                  'Requirement missed: miou, wanted 0.9, got 0.5'):
        assert words in found.texts['p']


def test_a_long_run_stays_small(tmp_path):
    answers = [answer(k, k / 5000, expression=f'the {"very " * 12}red mug {k}')
               for k in range(5000)]
    assert len(page(tmp_path, run(*answers)).data['runs'][0]['id']) == 5000
    assert (tmp_path / 'out' / 'report.html').stat().st_size < 2e6


def test_a_report_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / 'out').write_text('a file')
    with pytest.raises(RefDiffError, match='expected to write the report'):
        write_report(tmp_path / 'out' / 'report.html', run(answer(0)))


def test_histograms_count_each_case_once():
    drawn = charts.iou_chart([[0.0, 0.02, 0.5, 1.0]])
    titles = re.findall(r'<title>(.*?)</title>', drawn)
    assert titles == ['0.00 to 0.05: 2 cases (50.0%)', '0.50 to 0.55: 1 cases (25.0%)',
                      '0.95 to 1.00: 1 cases (25.0%)']
    slow = re.findall(r'<title>.*?: (\d+) cases', charts.latency_chart([[0.1] * 99 + [60.0]]))
    assert sum(map(int, slow)) == 100 and slow[-1] == '1'


def test_the_precision_curve_marks_the_published_thresholds():
    drawn = charts.precision_chart([[0.5, 0.75], [0.95, 0.2]])
    assert 'A: Pr@0.5: 100.0%' in drawn and 'A: Pr@0.8: 0.0%' in drawn
    assert 'B: Pr@0.9: 50.0%' in drawn and drawn.count('<polyline') == 2
    assert 'no cases' in charts.precision_chart([[]])
    assert 'no cases' in charts.latency_chart([[]])


def test_pictures_of_a_case(tokens):
    frame, truth, found = shown()
    drawn = case_pictures.case_pictures(_Engine(), frame, truth, found)
    assert drawn['size'] == [64, 48] and drawn['still'].startswith('data:image/webp;base64,')
    assert drawn['truth'] == drawn['answer'] == 'M20 10l0 19l23 0l0 -19z'
    assert [(token, root) for token, _, root in drawn['tokens']['shown']] == [
        ('the', False), ('mug', True)]
    best, rival = drawn['candidates']['shown']
    assert best['chosen'] and best['iou'] == 1.0 and best['scores']['total'] == 0.7
    assert rival['rival'] and rival['iou'] == 0.5 and 'spatial' not in rival['scores']
    assert (drawn['candidates']['scored'], drawn['candidates']['all']) == (2, 3)
    known = replace(found.scores, probability=np.where(
        np.isfinite(found.scores.total), 1 - found.scores.total, np.nan))
    drawn = case_pictures.case_pictures(_Engine(), frame, truth, replace(found, scores=known))
    likeliest, less = drawn['candidates']['shown']
    assert likeliest['rival'] and likeliest['scores']['probability'] > less['scores'][
        'probability'] > 0
    assert drawn['grasp']['valid'] and len(drawn['grasp']['corners']) == 4
    assert drawn['notes'] == ['a note']
    assert set(case_pictures.case_pictures(_Engine(), frame, truth, None)) == {
        'size', 'still', 'truth'}
    json.dumps(drawn, allow_nan=False)


def test_without_attention_no_token_is_asked_for():
    frame, truth, found = shown()
    engine = _Engine()
    drawn = case_pictures.case_pictures(engine, frame, truth, replace(found, correlation=None))
    assert drawn['attention'] is drawn['tokens'] is None and engine.asked == 0


def test_a_ragged_mask_makes_no_long_path():
    noise = np.random.default_rng(0).random((480, 640)) < 0.5
    assert 0 < len(case_pictures.mask_path(noise)) <= 6000
    assert case_pictures.mask_path(np.zeros(SIZE, bool)) == ''


def test_the_gallery_keeps_the_ends_and_draws_the_middle(monkeypatch):
    monkeypatch.setattr(gallery, 'case_pictures', lambda *_: {})
    drawn = []
    for seed in range(40):
        kept = Gallery(_Engine(), cases=3, seed=seed)
        order = np.random.default_rng(seed).permutation(30)
        for k in order:
            kept.add(f'case {k}', k / 30, reply())
        sorts = {name: [each.sample_id for each in some] for name, some in kept.sorts().items()}
        assert sorts['worst'] == ['case 0', 'case 1', 'case 2']
        assert sorts['best'] == ['case 29', 'case 28', 'case 27']
        drawn += sorts['middle']
    assert len(drawn) == 120
    # Whatever was pushed out of an end has its chance as well.
    assert set(drawn) <= {f'case {k}' for k in range(3, 27)} and len(set(drawn)) > 20


def test_a_short_run_shows_each_case_once(monkeypatch):
    monkeypatch.setattr(gallery, 'case_pictures', lambda *_: {})
    for count in (0, 1, 4, 5, 7):
        kept = Gallery(_Engine(), cases=3)
        for k in range(count):
            kept.add(f'case {k}', 0.5, reply())
        found = [each.sample_id for some in kept.sorts().values() for each in some]
        assert sorted(found) == [f'case {k}' for k in range(count)]


def test_a_gallery_does_not_grow_with_the_run_or_its_pictures(tokens, tmp_path):
    engine = _Engine()
    kept = Gallery(engine, cases=2)
    answers = [answer(k, k % 10 / 10) for k in range(40)]
    large = 480, 640
    noise = np.random.default_rng(0).integers(0, 256, (*large, 3)).astype(np.uint8)
    _, truth, found = shown(large)
    for each in answers:
        kept.add(each.sample_id, each.iou, Reply(SAMPLE, Frame(noise), truth, found))
    kept.add('case 40', 0.0, Reply(SAMPLE))  # nothing to show
    assert sum(len(some) for some in kept.sorts().values()) == 6
    assert engine.asked < 30 and kept.seconds > 0
    found = page(tmp_path, run(*answers), gallery=kept).data
    assert sorted(map(int, found['pictures'])) == sorted(
        row for rows in found['gallery'].values() for row in rows)
    # The worst case for a picture, which is noise, and still no raw frame (0.9 MB).
    assert (tmp_path / 'out' / 'report.html').stat().st_size < 6 * 500_000


def test_a_run_writes_its_report_and_its_json_gives_one_without_pictures(tmp_path, capsys):
    written = tmp_path / 'run.json'
    assert main(['evaluate', 'tabletop', '--bundle', 'untrained_mini', '--limit', '1', '--mode',
                 'G', '--json', str(written), '--html', str(tmp_path / 'run.html')]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out.splitlines()[-1])['cases'] == 1
    found = _Page((tmp_path / 'run.html').read_text())
    assert set(found.data['pictures']) == {'0'}
    first = found.data['pictures']['0']
    words = found.data['runs'][0]['expression'][0].split()
    assert ''.join(token for token, _, _ in first['tokens']['shown']) == ''.join(words)
    assert any(root for _, _, root in first['tokens']['shown'])
    assert 'weights are random' in found.texts['p']
    assert main(['evaluate', 'html', str(written), str(written), '--out',
                 str(tmp_path / 'both.html')]) == 0
    both = _Page((tmp_path / 'both.html').read_text()).data
    assert both['pictures'] == {} and both['pairs'] == [[0, 0]]
    assert main(['evaluate', 'html', str(written), '--out', str(written)]) == 2
    assert 'expected another file' in capsys.readouterr().err
