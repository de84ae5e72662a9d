import gc
import hashlib
import json
import pickle
import shutil
import weakref

import numpy as np
import pytest
from segment_anything import sam_model_registry
import torch

from refdiff_ros.engine import Engine, resolve_preset
from refdiff_ros.errors import BadRequestError, BundleError, OutOfMemoryError
from refdiff_ros.models import manager, memory
from refdiff_ros.models.bundle import MANIFEST
from refdiff_ros.models.devices import choose_device, choose_dtype
from refdiff_ros.models.manager import load_bundle, unload
from refdiff_ros.models.mini_tokenizer import build_tokenizer, WORDS
from refdiff_ros.models.model_set import ModelSet
from refdiff_ros.models.sam_config import build_sam, config_of
from refdiff_ros.models.untrained import build_untrained, OVERRIDES
from refdiff_ros.models.writer import write_bundle
from refdiff_ros.presets import get_preset, Mode, PRESETS
from refdiff_ros.proposals import sam as sam_proposals
from refdiff_ros.results import Frame
from refdiff_ros.warming import warm_up

CPU = torch.device('cpu')


@pytest.fixture(scope='module')
def models() -> ModelSet:
    return load_bundle('untrained_mini', device='cpu')


@pytest.fixture(scope='module')
def written(models, tmp_path_factory):
    folder = tmp_path_factory.mktemp('written') / 'bundle'
    write_bundle(models, folder, licences={'clip': 'Apache-2.0'})
    return folder


@pytest.fixture
def copied(written, tmp_path):
    return shutil.copytree(written, tmp_path / 'bundle')


def weights(models: ModelSet) -> dict[str, torch.Tensor]:
    return {f'{name}.{key}': value for name, module in memory.modules(models).items()
            for key, value in module.state_dict().items()}


def edit_manifest(folder, change):
    values = json.loads((folder / MANIFEST).read_text())
    change(values)
    (folder / MANIFEST).write_text(json.dumps(values))


def test_untrained_says_so(models):
    assert not models.trained
    assert 'masks mean nothing' in models.notice


def test_same_seed_same_weights_and_random_state_untouched(models):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    again = weights(build_untrained())
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(value, again[key]) for key, value in weights(models).items())
    other = weights(build_untrained(seed=1))
    assert not torch.equal(other['unet.conv_in.weight'], again['unet.conv_in.weight'])


@pytest.mark.parametrize('preset', sorted(PRESETS))
def test_overrides_fit_the_presets(preset):
    assert get_preset(preset).override(OVERRIDES[preset]).generative.image_size == 256


def test_cross_attention_is_named_as_in_stable_diffusion(models):
    names = {name for name, _ in models.diffusion.unet.named_modules()}
    for block in ('down_blocks.2.attentions.1', 'up_blocks.1.attentions.2'):
        assert f'{block}.transformer_blocks.0.attn2' in names


PICTURES = {
    'plain': np.full((480, 640, 3), 128, np.uint8),
    'noise': np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8),
    'gradient': np.repeat(np.linspace(0, 255, 300, dtype=np.uint8)[None, :, None], 200, 0
                          ).repeat(3, 2),
}


@pytest.mark.parametrize('picture', sorted(PICTURES))
def test_untrained_sam_leaves_several_regions_to_choose_from(models, picture):
    config = get_preset('onboard').override(OVERRIDES['onboard']).proposals
    frame = Frame(PICTURES[picture])
    masks = sam_proposals.propose(models.sam, frame, config).masks
    rows = sam_proposals.filter_proposals(masks, config)
    assert len({masks[row].tobytes() for row in rows}) >= 2


@pytest.mark.parametrize('mode', list(Mode))
@pytest.mark.parametrize('preset', sorted(PRESETS))
def test_every_preset_and_mode_answers_on_the_untrained_bundle(models, preset, mode):
    engine = Engine(models, resolve_preset(models, preset), mode)
    answer = engine.segment(Frame(PICTURES['gradient']), 'the red mug on the left')
    assert answer.mask.any()
    assert models.notice in answer.notes


def test_every_listed_word_is_one_token():
    tokenizer = build_tokenizer()
    assert [word for word in WORDS if len(tokenizer(word).input_ids) != 3] == []
    ids = tokenizer('the red kettledrum, \N{BREAD}', padding='max_length', truncation=True,
                    max_length=77).input_ids
    assert len(ids) == 77
    assert ids[0] == tokenizer.bos_token_id
    assert ids[-1] == tokenizer.eos_token_id
    assert tokenizer.decode(ids, skip_special_tokens=True).startswith('the red kettledrum')


def test_written_bundle_loads_the_same(models, written):
    loaded = load_bundle(str(written), device='cpu', offline=True)
    expected, got = weights(models), weights(loaded)
    assert got.keys() == expected.keys()
    for key, value in expected.items():
        assert torch.equal(got[key], value), key
    assert (loaded.name, loaded.trained, loaded.notice, loaded.overrides) == (
        models.name, models.trained, models.notice, models.overrides)
    assert loaded.clip.mean == models.clip.mean
    text = 'the left mug'
    assert loaded.clip.tokenizer(text).input_ids == models.clip.tokenizer(text).input_ids
    assert not any(p.requires_grad for m in memory.modules(loaded).values()
                   for p in m.parameters())
    assert not any(m.training for m in memory.modules(loaded).values())


def test_a_small_model_reads_as_transformers_reads_it(written, monkeypatch):
    made_here = load_bundle(str(written), device='cpu', dtype='bfloat16')
    monkeypatch.setattr(manager, '_SMALL_BYTES', 0)
    theirs = load_bundle(str(written), device='cpu', dtype='bfloat16')
    expected = weights(theirs)
    assert expected.keys() == weights(made_here).keys()
    assert all(torch.equal(value, expected[name]) and value.dtype == expected[name].dtype
               for name, value in weights(made_here).items())
    for one, other in ((made_here.clip.model, theirs.clip.model),
                       (made_here.diffusion.text_encoder, theirs.diffusion.text_encoder)):
        assert one.config._attn_implementation == other.config._attn_implementation
        buffers = dict(other.named_buffers())
        assert all(torch.equal(value, buffers.pop(name)) for name, value in one.named_buffers())
        assert not buffers


def test_written_files_are_safetensors_and_readable_by_others(written):
    files = [path for path in written.rglob('*') if path.is_file()]
    assert {path.suffix for path in files} == {'.json', '.safetensors'}
    manifest = [path for path in files if path.parent != written]
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in manifest)


def test_what_was_loaded_and_is_written_again_does_not_say_from_where(written, tmp_path):
    again = tmp_path / 'again'
    write_bundle(load_bundle(str(written), device='cpu', offline=True), again)
    for path in again.rglob('*.json'):
        text = path.read_text()
        assert str(written) not in text and '/tmp/' not in text, path
        assert '_name_or_path' not in text and 'local_files_only' not in text, path
    assert load_bundle(str(again), device='cpu', offline=True).clip is not None


def test_bundle_is_not_written_over_another(models, written):
    with pytest.raises(BundleError, match='new or empty folder'):
        write_bundle(models, written)


def test_altered_weights_are_refused(copied):
    path = copied / 'sam/model.safetensors'
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    expected = json.loads((copied / MANIFEST).read_text())['parts']['sam']['files'][1]['sha256']
    got = hashlib.sha256(content).hexdigest()
    with pytest.raises(BundleError, match=f'expected sha256 {expected} of {path}, got {got}'):
        load_bundle(str(copied), device='cpu')


def test_missing_file_is_named(copied):
    path = copied / 'clip/config.json'
    path.unlink()
    with pytest.raises(BundleError, match=f'the file {path}, found none.*no source'):
        load_bundle(str(copied), device='cpu')
    with pytest.raises(BundleError, match='1 files are missing.*clip/config.json.*pull'):
        load_bundle(str(copied), device='cpu', offline=True)


def test_offline_environment_is_obeyed(monkeypatch, tmp_path):
    monkeypatch.setenv('REFDIFF_HOME', str(tmp_path))
    monkeypatch.setenv('HF_HUB_OFFLINE', '1')
    with pytest.raises(BundleError, match='sd15_vit_h.*downloads are off'):
        load_bundle('sd15_vit_h', device='cpu')


def test_clip_checkpoint_as_pinned_pickle(models, copied):
    (copied / 'clip/model.safetensors').unlink()
    path = copied / 'clip/pytorch_model.bin'
    torch.save(models.clip.model.state_dict(), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()

    def change(values):
        files = values['parts']['clip']['files']
        files[:] = [f for f in files if not f['path'].endswith('.safetensors')]
        files.append({'path': path.name, 'sha256': digest})
    edit_manifest(copied, change)
    loaded = load_bundle(str(copied), device='cpu')
    expected = models.clip.model.state_dict()
    assert all(torch.equal(v, expected[k]) for k, v in loaded.clip.model.state_dict().items())


def test_files_as_the_hub_has_them_for_stable_diffusion(models, copied, caplog, capfd):
    """Tokenizers as vocab.json and merges.txt, the scheduler's config another class's."""
    for folder in ('clip', 'diffusion/tokenizer'):
        bpe = json.loads((copied / folder / 'tokenizer.json').read_text())['model']
        (copied / folder / 'tokenizer.json').unlink()
        (copied / folder / 'vocab.json').write_text(json.dumps(bpe['vocab']))
        (copied / folder / 'merges.txt').write_text(
            '#version: 0.2\n' + '\n'.join(' '.join(pair) for pair in bpe['merges']) + '\n')
    scheduler = copied / 'diffusion/scheduler/scheduler_config.json'
    scheduler.write_text(json.dumps({
        '_class_name': 'PNDMScheduler', 'beta_end': 0.012, 'beta_schedule': 'scaled_linear',
        'beta_start': 0.00085, 'num_train_timesteps': 1000, 'set_alpha_to_one': False,
        'skip_prk_steps': True, 'steps_offset': 1, 'trained_betas': None, 'clip_sample': False}))

    def change(values):
        for name, part in values['parts'].items():
            paths = [p for p in (copied / name).rglob('*') if p.is_file()]
            part['files'] = [
                {'path': str(p.relative_to(copied / name)),
                 'sha256': hashlib.sha256(p.read_bytes()).hexdigest()} for p in paths]
    edit_manifest(copied, change)
    capfd.readouterr()
    loaded = load_bundle(str(copied), device='cpu')
    assert type(loaded.diffusion.scheduler).__name__ == 'DDIMScheduler'
    assert torch.equal(loaded.diffusion.scheduler.alphas_cumprod,
                       models.diffusion.scheduler.alphas_cumprod)
    for tokenizer in (loaded.clip.tokenizer, loaded.diffusion.tokenizer):
        assert tokenizer.model_max_length == 77
        assert tokenizer('the red mug').input_ids == models.clip.tokenizer(
            'the red mug').input_ids
    assert capfd.readouterr().err == ''


def test_segment_anything_checkpoint(copied):
    """The smallest size that segment-anything itself knows, as its own `.pth`."""
    sam = sam_model_registry['vit_b']()
    path = copied / 'sam/sam.pth'
    torch.save(sam.state_dict(), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()

    def change(values):
        values['parts']['sam'] = {
            'layout': 'segment-anything', 'type': 'vit_b',
            'files': [{'path': 'sam.pth', 'sha256': digest}]}
    edit_manifest(copied, change)
    loaded = load_bundle(str(copied), device='cpu').sam.state_dict()
    path.unlink()
    assert all(torch.equal(value, loaded[key]) for key, value in sam.state_dict().items())


class _Trap:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return eval, ('1 / 0',)


def test_pickle_that_carries_code_is_not_run(copied):
    (copied / 'sam/model.safetensors').unlink()
    (copied / 'sam/sam.pth').write_bytes(pickle.dumps(_Trap(), protocol=2))
    digest = hashlib.sha256((copied / 'sam/sam.pth').read_bytes()).hexdigest()

    def change(values):
        values['parts']['sam'] = {
            'layout': 'segment-anything', 'type': 'vit_b',
            'files': [{'path': 'sam.pth', 'sha256': digest}]}
    edit_manifest(copied, change)
    with pytest.raises(BundleError, match='which cannot be loaded'):
        load_bundle(str(copied), device='cpu')


def test_models_that_do_not_fit_into_memory(copied):
    path = copied / 'sam/config.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | {'embed_dim': 1 << 40}))

    def change(values):
        values['parts']['sam']['files'][0] = {
            'path': 'config.json', 'sha256': hashlib.sha256(path.read_bytes()).hexdigest()}
    edit_manifest(copied, change)
    with pytest.raises(OutOfMemoryError, match="'untrained_mini' to fit into the memory of cpu"):
        load_bundle(str(copied), device='cpu')


@pytest.mark.parametrize('name', ['sam/model.safetensors', 'clip/model.safetensors',
                                  'diffusion/unet/diffusion_pytorch_model.safetensors',
                                  'diffusion/vae/config.json'])
def test_file_that_is_no_model(copied, name):
    part, path = name.split('/', 1)
    (copied / name).write_bytes(b'no model')

    def change(values):
        for file in values['parts'][part]['files']:
            if file['path'] == path:
                file.update(sha256=hashlib.sha256(b'no model').hexdigest(), size=8)
    edit_manifest(copied, change)
    with pytest.raises(BundleError, match=f'expected a model in {copied / part}'):
        load_bundle(str(copied), device='cpu')


def test_sam_config_describes_the_model(models):
    config = config_of(models.sam)
    again = build_sam(config).state_dict()
    assert {k: v.shape for k, v in again.items()} == {
        k: v.shape for k, v in models.sam.state_dict().items()}
    with pytest.raises(BundleError, match="got \\['widht'\\]"):
        build_sam({'widht': 3})
    with pytest.raises(BundleError, match='multiple of patch_size'):
        build_sam({'image_size': 100})


def test_device_names():
    assert choose_device('cpu') == CPU
    assert choose_device('auto').type == ('cuda' if torch.cuda.is_available() else 'cpu')
    with pytest.raises(BadRequestError, match="got 'gpu'"):
        choose_device('gpu')
    with pytest.raises(BadRequestError, match="got 'cuda:x'"):
        choose_device('cuda:x')
    with pytest.raises(BundleError, match="device 'cuda:99'.*nvidia-smi"):
        choose_device('cuda:99')


def test_dtype_names():
    assert choose_dtype('auto', CPU) is torch.float32
    assert choose_dtype('bfloat16', CPU) is torch.bfloat16
    assert choose_dtype(torch.float32, CPU) is torch.float32
    with pytest.raises(BadRequestError, match="got 'int8'"):
        choose_dtype('int8', CPU)
    with pytest.raises(BadRequestError, match='on the CPU'):
        choose_dtype('float16', CPU)


def test_bfloat16_for_all_but_sam():
    models = load_bundle(device='cpu', dtype='bfloat16')
    assert models.diffusion.unet.dtype is torch.bfloat16
    assert models.clip.model.dtype is torch.bfloat16
    assert next(models.sam.image_encoder.parameters()).dtype is torch.bfloat16
    assert next(models.sam.prompt_encoder.parameters()).dtype is torch.float32


def test_warm_up_runs_every_model(models):
    preset = get_preset('onboard').override(models.overrides['onboard'])
    called = []
    hooks = [module.register_forward_hook(lambda *_, name=name: called.append(name))
             for name, module in (('unet', models.diffusion.unet),
                                  ('encoder', models.diffusion.vae.encoder),
                                  ('text', models.diffusion.text_encoder),
                                  ('vision', models.clip.model.vision_model),
                                  ('sam', models.sam.image_encoder.neck))]
    timings = warm_up(models, preset)
    for hook in hooks:
        hook.remove()
    assert sorted(called) == ['encoder', 'sam', 'text', 'unet', 'vision']
    assert set(timings) == {'vae', 'text_encoder', 'unet', 'clip_text', 'clip_vision', 'sam'}


def test_warm_up_notices_values_that_are_not_finite():
    models = build_untrained()
    models.diffusion.unet.conv_out.bias.fill_(float('nan'))
    preset = get_preset('onboard').override(models.overrides['onboard'])
    with pytest.raises(BundleError, match='finite values from unet.*float32'):
        warm_up(models, preset)


def test_unload_frees_every_model():
    models = build_untrained()
    alive = [weakref.ref(module) for module in memory.modules(models).values()]
    unload(models)
    gc.collect()
    assert [ref() for ref in alive] == [None] * 5
    assert memory.modules(models) == {}


def test_memory_report_counts_parameters(models):
    report = memory.report(models)
    expected = sum(p.numel() for p in models.diffusion.unet.parameters()) * 4
    assert report.parameters['unet'] == expected
    assert report.models_bytes == sum(report.parameters.values())
    assert 0 < report.models_bytes < report.host_rss <= report.host_peak_rss
    assert report.device == 'cpu'
    assert 'unet' in str(report)


def test_module_bytes_counts_shared_parameters_once():
    first, second = torch.nn.Linear(2, 2, bias=False), torch.nn.Linear(2, 2, bias=False)
    second.weight = first.weight
    assert memory.module_bytes(torch.nn.Sequential(first, second)) == 16


def test_out_of_memory_is_recognised():
    assert memory.is_out_of_memory(torch.OutOfMemoryError('CUDA out of memory.'))
    assert memory.is_out_of_memory(MemoryError())
    assert memory.is_out_of_memory(
        RuntimeError('DefaultCPUAllocator: can\'t allocate memory: you tried to allocate 1'))
    assert memory.is_out_of_memory(RuntimeError('CUDA error: CUBLAS_STATUS_ALLOC_FAILED'))
    assert not memory.is_out_of_memory(RuntimeError('shape mismatch'))
    assert not memory.is_out_of_memory(ValueError('out of memory'))
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 62, dtype=torch.uint8)
    assert memory.is_out_of_memory(caught.value)
