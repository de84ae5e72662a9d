"""The paper's baselines: each score from its definition, and runs of the command."""

import functools
import json

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from refdiff_ros.cli import main
from refdiff_ros.discriminative.clip_vision import encode_images
from refdiff_ros.discriminative.masked_attention import masked_features, patch_masks, patch_memory
from refdiff_ros.discriminative.token_masking import token_masked_features
from refdiff_ros.engine import Engine
from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.baselines import BASELINES, method_mode, method_preset, METHODS
from refdiff_ros.evaluation.runs.folder import read_run
from refdiff_ros.evaluation.runs.paper_tables import TABLES
from refdiff_ros.models import manager
from refdiff_ros.presets import DiscriminativeConfig, get_preset, Mode, PRESETS

# Random weights propose small scattered masks, which hold the nearest pixel of no patch.
SMALL = {'proposals': {'points_per_side': 4, 'pred_iou_thresh': -10.0, 'box_nms_thresh': 0.9,
                       'stability_score_thresh': -1.0, 'min_area_px': 0, 'max_proposals': 2,
                       'largest_part': False},
         'discriminative': {'patch_cover': 'any'}}
TEXT = 'the red mug on the left'  # the tiny CLIP's tokenizer knows all words of it
WHOLE = DiscriminativeConfig(masked_input='square', layer='last', patch_cover='any')


@pytest.fixture(scope='module')
def answered(models, frame):
    """The answer of a method to `TEXT`, and the proposals (n, H, W) that were scored."""
    @functools.cache
    def answer(method, preset='onboard'):
        values = method_preset(get_preset(preset).override(SMALL), method)
        found = Engine(models, values, method_mode(method)).segment(frame, TEXT)
        return found, found.proposals[np.isfinite(found.scores.total)]
    return answer


@torch.no_grad()
def read(models, text):
    """A text through transformers' forward pass."""
    ids = models.clip.tokenizer(text, return_tensors='pt')['input_ids']
    pooled = models.clip.model.text_model(input_ids=ids).pooler_output
    return F.normalize(models.clip.model.text_projection(pooled), dim=-1)[0]


def pixels(frame):
    return torch.from_numpy(frame.image_rgb.transpose(2, 0, 1).copy()).float()


def on_grey(models, frame, masks):
    """A square window, 1.15 times the longer side of each proposal's bounding box, on grey, scaled
    to CLIP's 32 px and encoded."""
    crops = []
    for mask in masks:
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        box = np.s_[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]
        inside = np.where(mask[box][..., None], frame.image_rgb[box], 128)
        height, width = mask[box].shape
        side = round(1.15 * max(height, width))
        # Of an odd pixel that is over, the window has one more to the left and to the top.
        top, left = (side - height + 1) // 2, (side - width + 1) // 2
        window = np.full((side, side, 3), 128.0, np.float32)
        window[top:top + height, left:left + width] = inside
        crops.append(F.interpolate(
            torch.from_numpy(window.transpose(2, 0, 1))[None], (32, 32), mode='bilinear',
            antialias=True)[0])
    return encode_images(models.clip, crops)


def scored(found):
    return found.scores.total[np.isfinite(found.scores.total)]


def check(found, expected):
    """Scores as expected, told apart, and the best of them chosen."""
    np.testing.assert_allclose(scored(found), expected.numpy(), atol=1e-5)
    assert len(expected) == 2 and np.ptp(expected.numpy()) > 1e-4
    assert found.score == scored(found).max()
    assert found.scores.spatial is None and found.correlation is None


def test_region_token_is_the_cosine_of_masked_class_token_and_sentence(models, frame, answered):
    found, masks = answered('region_token')
    memory = patch_memory(models.clip, pixels(frame), WHOLE)
    seen = masked_features(models.clip, memory, patch_masks(masks, (4, 4), 'any'), 'last')
    check(found, seen @ read(models, TEXT))


def test_cropping_is_the_cosine_of_crop_and_sentence(models, frame, answered):
    found, masks = answered('cropping')
    check(found, on_grey(models, frame, masks) @ read(models, TEXT))


def test_global_local_clip_is_the_cosine_of_both_mixes(models, frame, answered):
    found, masks = answered('global_local_clip')
    around = token_masked_features(models.clip, pixels(frame), masks, WHOLE)
    seen = 0.95 * around + 0.05 * on_grey(models, frame, masks)
    told = 0.5 * read(models, TEXT) + 0.5 * read(models, 'the red mug')
    check(found, F.cosine_similarity(seen, told[None]))


def test_sam_clip_is_eq_10_of_the_plain_encoder(models, frame, answered):
    found, masks = answered('sam_clip', 'paper')
    black = [F.interpolate((pixels(frame) * mask)[None], (32, 32), mode='bicubic',
                           antialias=True).clamp(0, 255)[0] for mask in torch.from_numpy(masks)]
    seen = encode_images(models.clip, black)
    told = (read(models, TEXT) + read(models, found.expression.root)) / 2
    check(found, F.cosine_similarity(seen, told[None]))


def test_all_choose_among_the_same_proposals(answered):
    of_ref_diff, _ = answered('DS')
    for method in BASELINES:
        found, _ = answered(method)
        np.testing.assert_array_equal(found.proposals, of_ref_diff.proposals)
        np.testing.assert_array_equal(
            np.isfinite(found.scores.total), np.isfinite(of_ref_diff.scores.total))


def test_a_second_expression_runs_no_image_encoder(models, frame):
    passes = []
    embedding = models.clip.model.vision_model.embeddings.patch_embedding
    hook = embedding.register_forward_hook(lambda *_: passes.append(1))
    preset = method_preset(get_preset('onboard').override(SMALL), 'global_local_clip')
    engine = Engine(models, preset, Mode.DS)
    first = engine.segment(frame, TEXT)
    before = len(passes)
    second = engine.segment(frame, 'the blue box')
    hook.remove()
    assert before == 2 == len(passes)  # the whole image, and the crops together
    assert np.abs(scored(first) - scored(second)).max() > 1e-5


def test_modes_are_left_as_they_are():
    preset = get_preset('onboard')
    assert METHODS == (
        'G', 'GS', 'DS', 'full', 'region_token', 'cropping', 'global_local_clip', 'sam_clip')
    for mode in Mode:
        assert method_preset(preset, mode.value) is preset and method_mode(mode.value) is mode


@pytest.mark.parametrize('dataset, alpha', [
    ('', 0.95), ('tabletop', 0.95), ('refcoco', 0.95), ('refcoco+', 0.95), ('phrasecut', 0.95),
    ('refcocog_umd', 0.85), ('refcocog_google', 0.85)])
def test_published_values_of_global_local_clip(dataset, alpha):
    values = method_preset(get_preset('paper'), 'global_local_clip', dataset).discriminative
    assert (values.beta, values.text_sentence) == (alpha, 0.5)


@pytest.mark.parametrize('preset', sorted(PRESETS))
@pytest.mark.parametrize('method', BASELINES)
def test_what_is_ref_diffs_own_is_off(preset, method):
    made = get_preset(preset)
    found = method_preset(made, method)
    assert found.spatial.kind == 'none' and found.discriminative.positional == 'none'
    assert found.discriminative.text == 'expression' and found.discriminative.mix == 'cosine'
    assert (found.proposals, found.root) == (made.proposals, made.root)


def test_each_row_of_the_tables_has_a_method():
    assert {row.mode for table in TABLES.values() for row in table.rows} - {''} == set(METHODS)


@pytest.mark.parametrize('values, match', [
    ({'masking': 'pixels'}, "'attention' or 'tokens', got 'pixels'"),
    ({'text_local': 'sentence'}, "'root' or 'phrase', got 'sentence'"),
    ({'mix': 'sum'}, "'features', 'cosine' or 'scores', got 'sum'")])
def test_values_that_are_none_are_refused(values, match):
    with pytest.raises(BadRequestError, match=match):
        get_preset('onboard').override({'discriminative': values})


@pytest.fixture
def trained_once(monkeypatch, _trained):
    monkeypatch.setattr(manager, 'load_bundle', _trained)


@pytest.fixture(scope='module')
def _trained():
    return functools.cache(manager.load_bundle)


@pytest.mark.parametrize('method', BASELINES)
def test_the_tabletop_set_is_asked(trained_once, capsys, tmp_path, method):
    assert main(['evaluate', 'tabletop', '--limit', '2', '--mode', method,
                 '--json', str(tmp_path / 'found.json')]) == 0
    lines = capsys.readouterr().out.splitlines()
    found = json.loads(lines[-1])
    assert f'tabletop_mini, onboard, {method}, val (all)' in lines
    assert (found['mode'], found['cases'], found['errors']) == (method, 2, 0)
    # One of the proposals is the answer; nothing points where no attention is.
    assert 0 <= found['mean_iou'] <= found['oracle_mean_iou'] and found['pointing'] is None
    written = json.loads((tmp_path / 'found.json').read_text())['results']
    assert all(case['status'] in ('FOUND', 'AMBIGUOUS') for case in written)


def test_runs_are_kept_compared_and_put_into_the_tables(trained_once, capsys, tmp_path):
    runs = {}
    for method, more in (('region_token', []), ('global_local_clip', [
            '--set', 'discriminative.beta=0.85'])):
        runs[method] = tmp_path / method
        assert main(['evaluate', 'dataset', 'tabletop', '--split', 'val', '--limit', '2', '--mode',
                     method, '--out', str(runs[method]), *more]) == 0
    question = read_run(runs['global_local_clip']).question
    # What is asked comes after what the method itself sets.
    assert question.mode == 'global_local_clip'
    assert question.values['discriminative']['beta'] == 0.85
    assert question.values['discriminative']['masking'] == 'tokens'
    capsys.readouterr()
    assert main(['evaluate', 'compare', *map(str, runs.values())]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])['overall']['pairs'] == 2
    assert main(['evaluate', 'table', '2', *map(str, runs.values())]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = next(k for k, line in enumerate(lines) if line.startswith('Global-Local CLIP'))
    assert 'measured, tabletop_mini, onboard' in lines[at + 1] and '[2]' in lines[at + 1]
    # Another method is another question.
    assert main(['evaluate', 'dataset', 'tabletop', '--split', 'val', '--limit', '2', '--mode',
                 'cropping', '--out', str(runs['region_token'])]) == 2
    assert "mode 'region_token' there, 'cropping' asked" in capsys.readouterr().err


def test_an_unknown_method_is_refused_with_the_known_ones(capsys):
    with pytest.raises(SystemExit, match='2'):
        main(['evaluate', 'tabletop', '--mode', 'tseg'])
    assert 'sam_clip' in capsys.readouterr().err


def test_the_node_is_not_asked_for_a_method_that_it_has_not(capsys, tmp_path):
    assert main(['evaluate', 'bag', str(tmp_path), '--labels', str(tmp_path / 'labels.jsonl'),
                 '--online', '--out', str(tmp_path / 'answers'), '--mode', 'cropping']) == 2
    assert "expected a mode of the node with --online, got 'cropping'" in capsys.readouterr().err
