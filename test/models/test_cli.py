import hashlib
import json
import subprocess
import sys

from hub_server import COMMIT, hub_server, use_hub
import pytest

from refdiff_ros.cli import main
from refdiff_ros.models.progress import Meter, ProgressLine, Step
from refdiff_ros.models.sizes import size_text

WEIGHTS = bytes(range(256)) * 40
DIGEST = hashlib.sha256(WEIGHTS).hexdigest()


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """A bundle folder whose files are on a local hub."""
    hub = {'repo': 'acme/mini', 'revision': COMMIT}
    values = {'format': 1, 'name': 'mini', 'trained': True, 'parts': {
        'diffusion': {'layout': 'diffusers', 'hub': hub,
                      'files': [{'path': 'w.safetensors', 'sha256': DIGEST,
                                 'size': len(WEIGHTS)}]},
        'clip': {'layout': 'transformers', 'hub': hub, 'files': [{'path': 'config.json'}]}}}
    (tmp_path / 'mini').mkdir()
    (tmp_path / 'mini/bundle.json').write_text(json.dumps(values))
    with hub_server() as running:
        running.files = {'acme/mini/w.safetensors': WEIGHTS, 'acme/mini/config.json': b'{}'}
        use_hub(monkeypatch, tmp_path / 'home', running)
        yield tmp_path / 'mini'


def run(capsys, *arguments):
    status = main(['models', *map(str, arguments)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_list_shows_what_there_is_and_what_is_missing(capsys, folder, tmp_path):
    status, out, _ = run(capsys, 'list')
    assert status == 0
    assert str(tmp_path / 'home') in out
    assert 'untrained_mini       built in' in out
    assert 'sd15_vit_h           incomplete' in out
    assert 'CreativeML Open RAIL-M' in out
    assert "'refdiff models pull sd15_vit_h'" in out


def test_pull_then_verify(capsys, folder):
    status, out, _ = run(capsys, 'verify', folder)
    assert status == 1
    assert out.count('\n') == 1
    assert '2 are missing (first: diffusion/w.safetensors)' in out
    status, out, err = run(capsys, 'pull', folder)
    assert (status, out) == (0, f'mini is complete in {folder} (2 files downloaded)\n')
    first, last = err.splitlines()
    assert first == 'downloading diffusion/w.safetensors: 10.2 kB'
    assert last.startswith('downloading clip/config.json: 10.2 kB of 10.2 kB')
    status, out, _ = run(capsys, 'pull', folder)
    assert (status, out) == (0, f'mini is complete in {folder} (0 files downloaded)\n')
    status, out, _ = run(capsys, 'verify', folder)
    assert (status, out) == (0, f'mini: 2 files in {folder} are as their sha256 says\n')


def test_verify_and_pull_name_an_altered_file(capsys, folder):
    run(capsys, 'pull', folder)
    (folder / 'diffusion/w.safetensors').write_bytes(WEIGHTS[1:])
    for command in ('verify', 'pull'):
        status, out, _ = run(capsys, command, folder)
        assert status == 1
        assert out.count('\n') == 1
        assert f'expected sha256 {DIGEST} of {folder}/diffusion/w.safetensors, got' in out


def test_file_that_the_hub_lacks(capsys, folder):
    values = json.loads((folder / 'bundle.json').read_text())
    values['parts']['clip']['files'].append({'path': 'gone.json'})
    (folder / 'bundle.json').write_text(json.dumps(values))
    status, _, err = run(capsys, 'pull', folder)
    assert status == 2
    assert 'gone.json, got status 404' in err


def test_unknown_bundle_is_one_line(capsys, folder):
    status, out, err = run(capsys, 'pull', 'sd99')
    assert (status, out) == (2, '')
    assert err.startswith('refdiff: expected a bundle of')
    assert err.count('\n') == 1


def test_built_in_bundle_needs_nothing(capsys):
    for command in ('pull', 'verify'):
        status, out, _ = run(capsys, command, 'untrained_mini')
        assert status == 0
        assert 'built in' in out


def test_step_shows_rate_and_time_left():
    step = Step('downloading', 'w', 1_000_000_000, 3_000_000_000, 50e6)
    assert str(step) == 'downloading w: 1.0 GB of 3.0 GB, 50.0 MB/s, 0:40 min left'
    assert str(Step('loading', 'unet', 0, 3_438_167_540)) == 'loading unet: 3.4 GB'
    assert str(Step('downloading', 'w')) == 'downloading w: 0 B'


def test_meter_counts_over_files_and_not_what_was_there():
    steps = []
    meter = Meter('downloading', 300, steps.append)
    meter.begin('a')
    meter(100, 100)  # there before
    meter.begin('b')
    for done in (0, 100, 200):
        meter(done, 200)
    assert [(step.item, step.done) for step in steps] == [
        ('a', 0), ('a', 100), ('b', 100), ('b', 100), ('b', 200), ('b', 300)]
    assert steps[1].rate == 0
    assert steps[-1].rate > 0
    assert steps[-1].is_whole


def test_progress_without_a_terminal_is_quiet_until_the_end(capsys):
    with ProgressLine() as line:
        for done in (10, 20, 30):
            line(Step('downloading', 'w', done, 30))
        line(Step('loading', 'clip', 0, 1000))
        line(Step('loading', 'unet', 0, 3_400_000_000))
    assert capsys.readouterr().err.splitlines() == [
        'downloading w: 10 B of 30 B', 'downloading w: 30 B of 30 B', 'loading unet: 3.4 GB']


def test_size_text():
    assert [size_text(n) for n in (0, 742, 1500, 3_438_167_540, 7e12)] == [
        '0 B', '742 B', '1.5 kB', '3.4 GB', '7000.0 GB']


def test_bundles_are_pulled_and_verified_without_torch():
    """So that they can be fetched on a machine that has a network and little else."""
    code = ('import sys; sys.modules.update(torch=None, numpy=None, transformers=None, '
            'huggingface_hub=None)\n'
            'import argparse; from refdiff_ros.models import cli\n'
            'parser = argparse.ArgumentParser(); cli.add_parser(parser.add_subparsers())\n'
            'args = parser.parse_args(["models", "list"]); sys.exit(args.run(args))')
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, '')
    assert 'sd15_vit_h' in done.stdout
