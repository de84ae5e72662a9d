"""From nothing to an answer and back: the way of a real bundle, with random weights.

Files have the published layouts: old names of weights, a pickled CLIP, tokenizers as vocabulary
and merges, a checkpoint of segment-anything. At true sizes (slow) that takes 15 GB of disk, 12 GB
of memory and six minutes of one core. Run it alone; -s shows seconds and memory of each step:

    pytest -m slow -s test/models/test_dry_run.py
"""

from contextlib import contextmanager
import hashlib
import json
import mmap
import os
from pathlib import Path
import shutil
import signal
import subprocess
import sys
import time

from hub_server import COMMIT, hub_server, use_hub
import numpy as np
import pytest
from safetensors.torch import load_file, save_file
import torch

from refdiff_ros.benchmark.machine import free_bytes
from refdiff_ros.engine import Engine, resolve_preset
from refdiff_ros.models import memory
from refdiff_ros.models.located import Located
from refdiff_ros.models.lock_file import check_files, lock_path, missing_files
from refdiff_ros.models.manager import load_bundle, unload
from refdiff_ros.models.sizes import size_text
from refdiff_ros.models.store import locate
from refdiff_ros.models.untrained import build_untrained
from refdiff_ros.models.writer import write_bundle
from refdiff_ros.presets import Mode
from refdiff_ros.results import Frame
from refdiff_ros.warming import warm_up

# What a size needs of the disk, for the files and their copy, and of memory.
NEEDED = {'mini': (0, 0), 'full': (16e9, 12.5e9)}
OLD_ATTENTION = {'to_q': 'query', 'to_k': 'key', 'to_v': 'value', 'to_out.0': 'proj_attn'}


def publish(folder: Path, size: str) -> None:
    """Files of a bundle as the hub has those of Stable Diffusion, CLIP and SAM."""
    models = build_untrained(size=size)
    write_bundle(models, folder, name='dry')
    rewrite(folder / 'diffusion/vae/diffusion_pytorch_model.safetensors', old_vae_name)
    clip = folder / 'clip/model.safetensors'
    weights = load_file(clip)
    weights['text_model.embeddings.position_ids'] = torch.arange(77)[None]
    torch.save(weights, folder / 'clip/pytorch_model.bin')
    clip.unlink()
    for tokenizer in (folder / 'clip', folder / 'diffusion/tokenizer'):
        old_tokenizer(tokenizer)
    if size == 'full':  # the others have sizes that segment-anything itself does not know
        torch.save(models.sam.state_dict(), folder / 'sam/sam_vit_h.pth')
        for name in ('config.json', 'model.safetensors'):
            (folder / 'sam' / name).unlink()
    values = json.loads((folder / 'bundle.json').read_text())
    for name, part in values['parts'].items():
        part['hub'] = {'repo': f'acme/{name}', 'revision': COMMIT}
        part['files'] = [
            {'path': str(path.relative_to(folder / name)), 'sha256': digest(path),
             'size': path.stat().st_size}
            for path in sorted((folder / name).rglob('*')) if path.is_file()]
    if size == 'full':
        values['parts']['sam'].update(layout='segment-anything', type='vit_h')
    (folder / 'bundle.json').write_text(json.dumps(values))


def rewrite(path: Path, rename) -> None:
    save_file({rename(name): value for name, value in load_file(path).items()}, path)


def old_vae_name(name: str) -> str:
    for new, old in OLD_ATTENTION.items():
        if '.attentions.' in name:
            name = name.replace(f'.{new}.', f'.{old}.')
    return name


def old_tokenizer(folder: Path) -> None:
    bpe = json.loads((folder / 'tokenizer.json').read_text())['model']
    (folder / 'tokenizer.json').unlink()
    (folder / 'vocab.json').write_text(json.dumps(bpe['vocab']))
    (folder / 'merges.txt').write_text(
        '#version: 0.2\n' + '\n'.join(' '.join(pair) for pair in bpe['merges']) + '\n')


def digest(path: Path) -> str:
    with path.open('rb') as stream:
        return hashlib.file_digest(stream, 'sha256').hexdigest()


def serve(hub, published: Path) -> None:
    """Large files stay on the disk."""
    for name, part in json.loads((published / 'bundle.json').read_text())['parts'].items():
        for file in part['files']:
            path = published / name / file['path']
            content = path.read_bytes() if file['size'] < 1 << 20 else memoryview(mmap.mmap(
                os.open(path, os.O_RDONLY), 0, access=mmap.ACCESS_READ))
            hub.files[f'acme/{name}/{file["path"]}'] = content


def pull(folder: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, '-m', 'refdiff_ros.cli', 'models', 'pull', str(folder)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def pull_with_a_kill(folder: Path, hub) -> None:
    """The first try is killed in the middle of a large file, the second goes on there."""
    hub.cuts, hub.cut_after = 1, 50_000
    first = pull(folder)
    deadline = time.monotonic() + 120
    while not any(path.stat().st_size for path in folder.rglob('*.part')):
        assert time.monotonic() < deadline and first.poll() is None
        time.sleep(0.005)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert missing_files(locate(str(folder)))
    second = pull(folder)
    output, _ = second.communicate(timeout=1800)
    assert second.returncode == 0, output
    assert any(request[2].startswith('bytes=') for request in hub.gets())


def verify(located: Located) -> None:
    """Also as a folder that some other tool has filled."""
    assert missing_files(located) == []
    lock_path(located.folder).unlink()
    assert missing_files(located) == []
    assert check_files(located, everything=True) == []


def need_room(size: str, folder: Path) -> None:
    disk, memory_needed = NEEDED[size]
    free = shutil.disk_usage(folder).free
    if free < disk:
        pytest.skip(f'needs {size_text(disk)} of disk at {folder}, {size_text(free)} are free')
    free = free_bytes(torch.device('cpu'))
    if free is not None and free < memory_needed:
        pytest.skip(f'needs {size_text(memory_needed)} of memory, {size_text(free)} are free')


@contextmanager
def step(name: str):
    """Tell what a step took; without -s only where the test fails."""
    memory.free_caches()
    # See proc(5): the peak begins anew.
    Path('/proc/self/clear_refs').write_text('5')
    start, computed = time.perf_counter(), time.process_time()
    yield
    peak, kept = memory.host_rss()[1], memory.anonymous_bytes()
    print(f'{name}: {time.perf_counter() - start:.1f} s, of which this process computed '
          f'{time.process_time() - computed:.1f}; at most {size_text(peak)} resident, '
          f'{size_text(kept)} anonymous at its end', flush=True)


@pytest.mark.parametrize('size', [
    'mini', pytest.param('full', marks=[pytest.mark.slow, pytest.mark.timeout(7200)])])
def test_pull_kill_resume_verify_load_answer_and_free(size, tmp_path, monkeypatch):
    need_room(size, tmp_path)
    try:
        dry_run(size, tmp_path, monkeypatch)
    finally:  # pytest keeps folders
        shutil.rmtree(tmp_path)


def dry_run(size, tmp_path, monkeypatch):
    published, folder = tmp_path / 'published', tmp_path / 'bundle'
    with step('write the published files'):
        publish(published, size)
    folder.mkdir()
    (folder / 'bundle.json').write_bytes((published / 'bundle.json').read_bytes())
    with hub_server() as hub, step('serve them, pull, kill, pull again'):
        use_hub(monkeypatch, tmp_path / 'home', hub)
        serve(hub, published)
        pull_with_a_kill(folder, hub)
    with step('verify twice, without a lock file as well'):
        verify(locate(str(folder)))
    before = memory.anonymous_bytes()
    with step('load'):
        models = load_bundle(str(folder), device='cpu', offline=True)
        preset = resolve_preset(models, 'onboard')
    with step('warm up'):
        warm_up(models, preset)
    answer_in_each_mode(models, preset)
    with step('clean up'):
        unload(models)
    kept = memory.anonymous_bytes()
    if kept is not None:
        assert kept - before < 0.5e9
        assert kept < 1e9


def answer_in_each_mode(models, preset):
    frame = Frame(np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8))
    engine = Engine(models, preset)
    for mode in Mode:
        with step(f'answer in mode {mode.value}'):
            answer = engine.segment(frame, 'the red mug on the left', mode)
        assert answer.mask.shape == (240, 320)
        assert len(answer.proposals)
    engine.forget_frames()
