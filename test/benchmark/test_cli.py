"""`refdiff bench` on small models: the table, the file, and a run that is cut."""

import json
import time

import numpy as np
import pytest
import torch

from refdiff_ros.benchmark import contestants, line_up, report, session
from refdiff_ros.benchmark.agreement import compare
from refdiff_ros.benchmark.asked import draw_picture, still_frames
from refdiff_ros.benchmark.contestants import Outcome
from refdiff_ros.benchmark.machine import written_out_bytes
from refdiff_ros.benchmark.proposal_count import limit_proposals
from refdiff_ros.benchmark.random_masks import spread_masks
from refdiff_ros.benchmark.scale import scale, ScaleSetup
from refdiff_ros.cli import main
from refdiff_ros.engine import resolve_preset
from refdiff_ros.models.untrained import build_untrained, take_lighter_segmentor
from refdiff_ros.proposals.sam import propose
from refdiff_ros.results import Frame

QUICK = ('bench', '--size', 'mini', '--resolution', '96x64', '--set', 'generative.image_size=64',
         '--repeats', '0', '--frames', '0', '--expressions', '1', '--proposals', '6')


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr('refdiff_ros.benchmark.peak._SIDES', {'cpu': (64,)})
    monkeypatch.setattr('refdiff_ros.benchmark.peak._COPIED', {'cpu': 1 << 20})
    monkeypatch.setattr(line_up, 'load_parser', lambda: None)  # rules are quicker to load


def test_the_table_and_the_file_have_what_they_promise(tmp_path, capsys):
    path = tmp_path / 'new' / 'bench.json'
    assert main([*QUICK, '--preset', 'released', '--baseline', 'published',
                 '--json', str(path)]) == 0
    text, values = capsys.readouterr().out, json.loads(path.read_text())
    parts = {(part['part'], part['contestant']): part for part in values['parts']}
    assert set(parts) == {
        *((part, 'published') for part in ('first', 'prefetched', 'next', 'stream')),
        *((part, 'released') for part in ('first', 'prefetched', 'next'))}
    first = parts['first', 'published']
    assert {'parse', 'vae', 'unet 1', 'unet 2', 'sam_encoder', 'sam_prompts', 'clip_crops',
            'clip_masked', 'clip_text', 'scoring'} <= set(first['stages'])
    assert {'unet 3', 'grasp'} <= set(parts['first', 'released']['stages'])
    unet = first['stages']['unet 1']
    assert unet['flops']['float32'] > 1e6 and unet['bytes'] > 1e6 and unet['peak_bytes'] > 1e6
    assert 1e6 < unet['tensor_bytes'] <= first['tensor_bytes'] < first['peak_bytes']
    assert unet['compute_share'] > 0 and unet['memory_share'] > 0
    assert first['flops'] == sum(
        sum(stage['flops'].values()) for stage in first['stages'].values())
    assert first['seconds']['median'] == pytest.approx(
        sum(stage['seconds'] for stage in first['stages'].values()))
    assert parts['next', 'published']['same_as'] == 'first'
    assert not {'vae', 'sam_encoder', 'sam_prompts'} & set(
        parts['prefetched', 'released']['stages'])
    assert 'unet 1' in parts['prefetched', 'released']['stages']
    assert values['machine']['peak_flops']['float32'] > 0
    (agreement,) = values['agreement']
    assert agreement['agrees'] and agreement['survivors'] == [6, 6]
    for words in ('NOTE: untrained_mini', 'released and published: agree', 'sam_prompts',
                  'faster than published', 'GFLOP', 'most memory in use', 'most in tensors'):
        assert words in text


def test_what_fails_is_told_and_loses_nothing(tmp_path, capsys, monkeypatch):
    path = tmp_path / 'bench.json'

    def broken(*_):
        # What was measured before is on disk by now.
        assert len(json.loads(path.read_text())['parts']) == 3
        raise torch.OutOfMemoryError('no memory left')
    monkeypatch.setattr(contestants.PublishedContestant, 'answer', broken)
    monkeypatch.setattr(session.Session, '_contestants', _presets_first(session.Session))
    assert main([*QUICK, '--preset', 'onboard', '--baseline', 'fused', '--json', str(path)]) == 1
    parts = json.loads(path.read_text())['parts']
    assert [(part['contestant'], 'failed' in part) for part in parts] == [
        *[('onboard', False)] * 3, ('published, fused', True)]
    assert 'not measured: OutOfMemoryError: no memory left' in capsys.readouterr().out


def _presets_first(cls):
    made = cls._contestants
    return lambda self, *args: made(self, *args)[::-1]


def test_several_expressions_and_a_stream_are_measured_too(tmp_path, capsys):
    path = tmp_path / 'bench.json'
    assert main([*QUICK, '--preset', 'onboard', '--baseline', 'none', '--expressions', '2',
                 '--frames', '2', '--json', str(path)]) == 0
    parts = {part['part']: part for part in json.loads(path.read_text())['parts']}
    assert list(parts) == ['first', 'prefetched', 'next', 'expressions', 'batch', 'stream']
    assert parts['expressions']['count'] == parts['batch']['count'] == 2
    assert len(parts['stream']['seconds']['passes']) == 2
    assert 'unet' in parts['batch']['stages'] and 'vae' in parts['stream']['stages']
    assert 'vae' not in parts['next']['stages'] and 'sam_masks' not in parts['next']['stages']
    out = capsys.readouterr().out
    assert '2 expressions on one new frame, in one call' in out and 'frames/s' in out


def test_a_camera_that_stands_is_measured_where_proposals_may_stay(tmp_path, capsys):
    path = tmp_path / 'bench.json'
    asked = [*QUICK, '--preset', 'onboard', '--baseline', 'published', '--json', str(path),
             '--frames', '2', '--set', 'proposals.still_within=8']
    assert main(asked) == 0
    parts = {(part['part'], part['contestant']): part
             for part in json.loads(path.read_text())['parts']}
    assert parts['still', 'published']['same_as'] == 'first'
    pans, stands = (parts[part, 'onboard']['stages'] for part in ('stream', 'still'))
    first = parts['first', 'onboard']['stages']['sam_prompts']['seconds']
    for stages in (pans, stands):
        assert stages.get('sam_prompts', {'seconds': 0})['seconds'] < first
    assert 'a camera that stands' in capsys.readouterr().out


def test_frames_of_a_camera_that_stands_change_where_the_thing_goes():
    frame = Frame(draw_picture((96, 128)))
    one, two, *_ = (each.image_rgb.astype(int) for each in still_frames(frame, 2))
    differ = np.abs(one - two).max(axis=2) > 30
    down, across = np.nonzero(differ)
    assert 0 < differ.mean() < 0.1
    assert 15 < down.min() <= down.max() < 45 and 20 < across.min() <= across.max() < 60
    assert (one != two).mean() > 0.5  # noise


def test_an_answer_offers_as_many_candidates_as_it_is_measured_with(tmp_path, capsys, monkeypatch):
    path, offered = tmp_path / 'bench.json', []
    answer = contestants.Engine.segment

    def noting(self, frame, *args, **options):
        found = answer(self, frame, *args, **options)
        offered.append((self.preset.selection, len(found.regions), found.question))
        return found
    monkeypatch.setattr(contestants.Engine, 'segment', noting)
    # Six proposals are too few regions for the whole table, which is no failure.
    assert main([*QUICK, '--preset', 'onboard', '--baseline', 'fused', '--scale', 'candidates',
                 '--json', str(path)]) == 0
    rows = json.loads(path.read_text())['scale_candidates']
    most = offered[-1][1]
    assert most < 8 and [row['value'] for row in rows] == [n for n in (1, 2, 4) if n <= most]
    assert {row['contestant'] for row in rows} == {'onboard'}
    assert all(row['seconds'] > 0 for row in rows)
    measured = [(count, question) for config, count, question in offered
                if config.decide == 'scores' and 0 < (config.ambiguity_margin or 0) < 1e9]
    assert sorted({count for count, _ in measured}) == [n for n in (2, 4) if n <= most] != []
    assert all(question is not None for _, question in measured)
    out = capsys.readouterr().out
    assert f'separate regions, got one with {most}' in out and 'first expression' in out


def test_lighter_segmentors_are_measured_beside_the_large_one(tmp_path, capsys):
    path = tmp_path / 'bench.json'
    assert main([*QUICK, '--preset', 'onboard', '--baseline', 'fused', '--json', str(path),
                 '--segmentor', 'vit_h', 'vit_b', 'sam2_tiny']) == 0
    values = json.loads(path.read_text())
    firsts = {part['contestant']: part for part in values['parts'] if part['part'] == 'first'}
    assert list(firsts) == [
        'published, fused', 'onboard', 'onboard, vit_b', 'onboard, sam2_tiny']
    encoders = [firsts[name]['stages']['sam_encoder']['flops']['float32']
                for name in list(firsts)[1:]]
    assert len(set(encoders)) == 3
    assert [models['name'] for models in values['models']] == [
        'untrained_mini', 'untrained_mini, vit_b', 'untrained_mini, sam2_tiny']
    assert len({models['parameter_bytes']['sam'] for models in values['models']}) == 3
    assert len({models['parameter_bytes']['unet'] for models in values['models']}) == 1
    out = capsys.readouterr().out
    assert 'onboard, sam2_tiny' in out and 'TFLOP, another expression' in out


def test_a_lighter_segmentor_alone_has_no_baseline(tmp_path, capsys):
    assert main([*QUICK, '--preset', 'onboard', '--baseline', 'fused', '--segmentor',
                 'sam2_tiny']) == 0
    out = capsys.readouterr().out
    assert 'onboard, sam2_tiny: first' in out and 'published' not in out


def test_attention_that_does_not_fit_is_not_written_out(capsys, monkeypatch):
    monkeypatch.setattr(line_up, 'free_bytes', lambda _: 1000)
    assert main([*QUICK, '--preset', 'onboard', '--baseline', 'published']) == 0
    assert 'published: first expression on a new frame: not measured: attention written out' \
        in capsys.readouterr().out


def test_the_largest_attention_is_that_of_the_finest_grid():
    models = build_untrained()
    heads = models.diffusion.unet.down_blocks[0].attentions[0].transformer_blocks[0].attn1.heads
    logits = 2 * heads * (32 * 32) ** 2 * 4  # 256 px, two prompts, float32
    assert written_out_bytes(models.diffusion, 256) == 2 * logits


@pytest.mark.parametrize('arguments,message', [
    (['--resolution', '640'], "expected a width and a height of 32 or more such as '640x480'"),
    (['--proposals', '0'], 'expected a whole number of 1 or more'),
    (['--size', 'mini', '--bundle', 'x'], 'not allowed with'),
    (['--scale', 'time'], 'invalid choice')])
def test_bad_options_are_told_at_once(arguments, message, capsys):
    with pytest.raises(SystemExit):
        main(['bench', *arguments])
    assert message in capsys.readouterr().err


@pytest.mark.parametrize('arguments,message', [
    (['--baseline', 'none', 'fused'], "expected --baseline 'none' alone"),
    (['--set', 'generative.nothing=1'], 'expected one of'),
    (['--device', 'tpu'], "expected device 'auto'"),
    (['--image', 'nowhere.png'], 'expected a picture at nowhere.png')])
def test_bad_values_are_told_with_what_to_do(arguments, message, capsys):
    assert main([*QUICK, *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_bundle_keeps_its_own_segmentor(capsys):
    assert main(['bench', '--bundle', 'tabletop_mini', '--segmentor', 'vit_b']) == 2
    assert "expected --segmentor for random weights alone: bundle 'tabletop_mini'" in (
        capsys.readouterr().err)


def test_a_file_that_cannot_be_written_is_told_before_the_models_are_made(tmp_path, capsys):
    (tmp_path / 'file').write_text('')
    assert main([*QUICK, '--json', str(tmp_path / 'file' / 'bench.json')]) == 2
    assert 'expected a file to write' in capsys.readouterr().err


@pytest.fixture(scope='module', params=['vit_h', 'vit_b', 'sam2_tiny'])
def models(request):
    models = build_untrained()
    if request.param != 'vit_h':
        take_lighter_segmentor(models, 'mini', request.param)
    spread_masks(models.sam, Frame(draw_picture((96, 128))))
    return models


def test_random_masks_are_regions(models):
    frame = Frame(draw_picture((96, 128)))
    preset = resolve_preset(models, 'released')
    shares = propose(models.sam, frame, preset.proposals).masks.mean(axis=(1, 2))
    assert 0.05 < shares.mean() < 0.3
    assert np.mean((shares > 0.01) & (shares < 0.6)) > 0.8


@pytest.mark.parametrize('count', [5, 20, 1000])
def test_presets_are_set_to_a_number_of_proposals(models, count):
    frame = Frame(draw_picture((96, 128)))
    presets = {name: resolve_preset(models, name) for name in ('released', 'onboard')}
    for preset in limit_proposals(models, frame, presets, count).values():
        assert len(propose(models.sam, frame, preset.proposals).masks) == min(count, 48)


class Fake:
    """A contestant that notes what it is asked."""

    name = 'fake'

    def __init__(self, frame, proposals, candidates, log):
        self.asked, self.log = (frame.size_hw, proposals), log
        if candidates is not None:
            self.asked += (candidates,)

    def answer(self, frame, text):
        self.log.append((*self.asked, text))

    def forget(self):
        pass


@pytest.mark.parametrize('axis,values,asked', [
    # All of a value once to warm up, then once to measure.
    ('image', ['64x48', '32x32'], [((48, 64), 7, 'a')] * 2 + [((32, 32), 7, 'a')] * 2),
    ('proposals', [3, 5], [((40, 50), 3, 'a')] * 2 + [((40, 50), 5, 'a')] * 2),
    ('expressions', [1, 3], [((40, 50), 7, t) for t in 'aa' + 'aba' * 2]),
    ('candidates', [2, 4], [((40, 50), 7, 2, 'a')] * 2 + [((40, 50), 7, 4, 'a')] * 2)])
def test_one_thing_is_varied_at_a_time(axis, values, asked):
    log = []
    setup = ScaleSetup(Frame(draw_picture((40, 50))), 7, torch.device('cpu'), 1, time.perf_counter,
                       ('a', 'b'))
    rows = list(scale(axis, lambda frame, n, k: [Fake(frame, n, k, log)], setup, values))
    assert log == asked
    assert [(row['axis'], row['value'], row['contestant']) for row in rows] == [
        (axis, value, 'fake') for value in values]
    assert report.scale_text(rows).splitlines()[0].split() == [axis, 'fake']


def test_memory_of_a_row_is_what_the_answer_took_above_what_was_there():
    class Greedy(Fake):
        def answer(self, frame, text):
            np.ones((frame.size_hw[0] << 20) // 8)

    setup = ScaleSetup(Frame(draw_picture((40, 50))), 7, torch.device('cpu'), 1, time.perf_counter,
                       ('a', 'b'))
    kept = np.ones(100 << 17)  # 100 MB that no answer takes
    rows = list(scale('image', lambda frame, n, k: [Greedy(frame, n, k, [])], setup,
                      ['64x40', '64x80']))
    assert kept[0]
    if rows[0]['memory'] is None:
        pytest.skip('this system cannot forget a peak')
    assert [row['memory'] / 2**20 for row in rows] == pytest.approx([40, 80], abs=8)
    assert report.scale_text(rows).splitlines()[1].split()[-1] == 'MB'
    untold = [{**row, 'memory': None} for row in rows]
    assert not report.scale_text(untold).splitlines()[1].endswith('MB')


def outcome(masks, rows, total, index):
    return Outcome(masks, np.array(rows), {'total': np.array(total)}, index, masks[index],
                   np.zeros(masks.shape[1:]))


def test_answers_are_compared_by_region_and_not_by_row():
    masks = np.zeros((3, 4, 6), bool)
    masks[0, :2], masks[1, 2:], masks[2, :, 3:] = True, True, True
    first = outcome(masks, [0, 1, 2], [0.1, 0.5, 0.2], 1)
    found = compare(first, outcome(masks[[1, 0, 2]], [0, 1, 2], [0.6, 0.1, 0.2], 0), True)
    assert found['agrees'] and found['matched'] == found['identical'] == 3
    assert found['scores']['total'] == pytest.approx(0.1)
    assert not compare(first, outcome(masks, [0, 1], [0.1, 0.5], 1), True)['agrees']
    assert not compare(first, outcome(masks, [0, 1, 2], [0.1, 0.5, 0.6], 2), True)['agrees']
    other = compare(first, outcome(masks, [0, 1, 2], [0.1, 0.5, 0.6], 2), False)
    assert 'agrees' not in other and other['chosen_iou'] == pytest.approx(6 / 18)


@pytest.mark.parametrize('seconds,text', [
    (812.3, '812 s'), (1.234, '1.23 s'), (0.0456, '45.6 ms'), (0.00012, '0.12 ms')])
def test_seconds_are_written_for_people(seconds, text):
    assert report.seconds_text(seconds) == text
