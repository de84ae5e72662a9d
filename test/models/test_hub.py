from concurrent.futures import ThreadPoolExecutor
import hashlib
import os
from pathlib import Path
import random
import shutil

from free_port import free_port
from hub_server import COMMIT, hub_server, use_hub
import pytest

from refdiff_ros.errors import BundleError, DownloadError
from refdiff_ros.models import hub, store
from refdiff_ros.models.bundle import FileSpec, HubSource, parse_manifest
from refdiff_ros.models.located import Located
from refdiff_ros.models.lock_file import check_files, missing_files, read_lock
from refdiff_ros.models.pulling import pull
from refdiff_ros.models.transfer import Checksum, download, Retries

QUICK = Retries(count=2, first_wait_s=0.01, longest_wait_s=0.02, timeout_s=5)
PINNED = HubSource('acme/mini', COMMIT)
WEIGHTS = random.Random(0).randbytes(300_000)
DIGEST = hashlib.sha256(WEIGHTS).hexdigest()


@pytest.fixture
def server(monkeypatch, tmp_path):
    with hub_server() as running:
        running.files = {
            'acme/mini/weights.safetensors': WEIGHTS, 'acme/mini/config.json': b'{"a": 1}'}
        use_hub(monkeypatch, tmp_path / 'home', running)
        yield running


def manifest(**files_by_part):
    def part(name, layout):
        return {'layout': layout, 'hub': {'repo': 'acme/mini', 'revision': COMMIT},
                'files': [{'path': path} for path in files_by_part[name]]}
    return parse_manifest({
        'format': 1, 'name': 'mini', 'trained': True, 'parts': {
            'diffusion': part('diffusion', 'diffusers'), 'clip': part('clip', 'transformers')}})


def located(tmp_path):
    bundle = manifest(diffusion=['weights.safetensors'], clip=['config.json'])
    return Located(bundle, tmp_path / 'bundle')


def test_look_up_reads_commit_checksum_and_size(server):
    large = hub.look_up(PINNED, 'weights.safetensors', QUICK)
    assert large.commit == COMMIT
    assert large.checksum == Checksum('sha256', DIGEST)
    assert large.size == len(WEIGHTS)
    small = hub.look_up(PINNED, 'config.json', QUICK)
    # `printf '{"a": 1}' | git hash-object --stdin`
    assert small.checksum == Checksum('git', '4a036f56bb619924ec4189bd84ed716c766971ae')
    assert small.size == 8


def test_redirect_within_the_hub_is_followed(server, tmp_path):
    server.redirects_small = True
    remote = hub.fetch(PINNED, 'config.json', tmp_path / 'c', retries=QUICK)
    assert remote.commit == COMMIT
    assert remote.checksum.kind == 'git'
    assert (tmp_path / 'c').read_bytes() == b'{"a": 1}'


def test_pull_takes_everything_once_and_then_asks_for_nothing(server, tmp_path):
    place = located(tmp_path)
    assert pull(place, retries=QUICK) == [
        'diffusion/weights.safetensors', 'clip/config.json']
    assert (place.folder / 'diffusion/weights.safetensors').read_bytes() == WEIGHTS
    assert check_files(place, everything=True) == []
    server.requests.clear()
    assert pull(place, retries=QUICK) == []
    assert server.requests == []


def test_lock_records_what_the_hub_said(server, tmp_path):
    place = located(tmp_path)
    pull(place, retries=QUICK)
    lock = read_lock(place.folder)
    assert lock['diffusion/weights.safetensors'].sha256 == DIGEST
    assert lock['clip/config.json'].sha256 == hashlib.sha256(b'{"a": 1}').hexdigest()
    assert {entry.commit for entry in lock.values()} == {COMMIT}


def test_interrupted_transfer_goes_on_where_it_stopped(server, tmp_path):
    server.cut_after, server.cuts = 100_000, 1
    hub.fetch(PINNED, 'weights.safetensors', tmp_path / 'w', retries=QUICK)
    assert (tmp_path / 'w').read_bytes() == WEIGHTS
    transfers = [r for r in server.gets() if r[1].startswith('/cdn/')]
    assert [(r[2], r[3]) for r in transfers] == [
        ('', 100_000), ('bytes=100000-', len(WEIGHTS) - 100_000)]


def test_later_run_goes_on_with_the_part_that_a_failed_one_left(server, tmp_path):
    server.cut_after, server.cuts = 0, 10
    (tmp_path / 'w.part').write_bytes(WEIGHTS[:200_000])
    with pytest.raises(DownloadError, match='the connection ended early.*refdiff models pull'):
        hub.fetch(PINNED, 'weights.safetensors', tmp_path / 'w', retries=QUICK)
    assert (tmp_path / 'w.part').read_bytes() == WEIGHTS[:200_000]
    assert not (tmp_path / 'w').exists()
    server.cuts = 0
    server.requests.clear()
    hub.fetch(PINNED, 'weights.safetensors', tmp_path / 'w', retries=QUICK)
    assert (tmp_path / 'w').read_bytes() == WEIGHTS
    assert sum(r[3] for r in server.gets() if r[1].startswith('/cdn/')) == 100_000
    assert not (tmp_path / 'w.part').exists()


def test_server_that_ignores_range_sends_all_again(server, tmp_path):
    server.ignores_range = True
    (tmp_path / 'w.part').write_bytes(WEIGHTS[:1000])
    hub.fetch(PINNED, 'weights.safetensors', tmp_path / 'w', retries=QUICK)
    assert (tmp_path / 'w').read_bytes() == WEIGHTS


def test_part_of_another_version_is_thrown_away(server, tmp_path):
    (tmp_path / 'w.part').write_bytes(b'x' * 1000)
    hub.fetch(PINNED, 'weights.safetensors', tmp_path / 'w', retries=QUICK)
    assert (tmp_path / 'w').read_bytes() == WEIGHTS


def test_part_longer_than_the_file_is_thrown_away(server, tmp_path):
    (tmp_path / 'w.part').write_bytes(WEIGHTS + b'x')
    hub.fetch(PINNED, 'weights.safetensors', tmp_path / 'w', retries=QUICK)
    assert (tmp_path / 'w').read_bytes() == WEIGHTS


def test_wrong_checksum_leaves_nothing(server, tmp_path):
    server.replaced['acme/mini/weights.safetensors'] = b'y' + WEIGHTS[1:]
    with pytest.raises(DownloadError, match=f'expected sha256 {DIGEST} of w .*got [0-9a-f]{{64}}'):
        hub.fetch(PINNED, 'weights.safetensors', tmp_path / 'w', retries=QUICK)
    assert list(tmp_path.iterdir()) == []


def test_wrong_small_file_is_noticed_by_its_git_id(server, tmp_path):
    server.replaced['acme/mini/config.json'] = b'{"a": 2}'
    with pytest.raises(DownloadError, match='expected git .* of c '):
        hub.fetch(PINNED, 'config.json', tmp_path / 'c', retries=QUICK)
    assert not (tmp_path / 'c').exists()


def test_pinned_sha256_wins_before_a_byte_is_fetched(server, tmp_path):
    pinned = FileSpec('weights.safetensors', 'a' * 64)
    with pytest.raises(DownloadError, match='another file than the manifest names'):
        hub.fetch(PINNED, 'weights.safetensors', tmp_path / 'w', pinned, retries=QUICK)
    assert server.gets() == []


def test_missing_file_is_said_at_once(server, tmp_path):
    with pytest.raises(DownloadError, match='gone.safetensors, got status 404'):
        hub.fetch(PINNED, 'gone.safetensors', tmp_path / 'g', retries=QUICK)
    assert len(server.requests) == 1


def test_other_commit_than_the_pinned_one_is_refused(server):
    server.commit = 'f' * 40
    with pytest.raises(DownloadError, match=f'at commit {COMMIT}, got f{{40}}'):
        hub.look_up(PINNED, 'config.json', QUICK)


def test_unknown_revision_is_said(server):
    with pytest.raises(DownloadError, match='expected revision e{40} of acme/mini .*404'):
        hub.look_up(HubSource('acme/mini', 'e' * 40), 'config.json', QUICK)


def test_busy_server_is_asked_again(server, tmp_path):
    server.refused = 2
    hub.fetch(PINNED, 'config.json', tmp_path / 'c', retries=QUICK)
    assert (tmp_path / 'c').read_bytes() == b'{"a": 1}'


def test_busy_server_is_not_asked_forever(server, tmp_path):
    server.refused = 100
    with pytest.raises(DownloadError, match='got: status 503'):
        hub.fetch(PINNED, 'config.json', tmp_path / 'c', retries=QUICK)
    assert len(server.requests) == QUICK.count + 1


def test_no_network_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv('HF_ENDPOINT', f'http://127.0.0.1:{free_port()}')
    monkeypatch.setenv('NO_PROXY', '127.0.0.1,localhost')
    with pytest.raises(DownloadError, match='Connection refused.*refdiff models pull.*copy'):
        hub.fetch(PINNED, 'config.json', tmp_path / 'c', retries=QUICK)


def test_token_goes_to_the_hub_and_not_to_where_it_redirects(server, tmp_path, monkeypatch):
    monkeypatch.setenv('HF_TOKEN', 'secret')
    hub.fetch(PINNED, 'weights.safetensors', tmp_path / 'w', retries=QUICK)
    paths = [(r[0], r[1].split('/')[1]) for r in server.requests]
    assert dict(zip(paths, server.authorized, strict=True)) == {
        ('HEAD', 'acme'): True, ('GET', 'acme'): True, ('GET', 'cdn'): False}


def test_plain_address_with_pinned_sha256(server, tmp_path):
    server.plain['sam.pth'] = WEIGHTS
    calls = []
    download(f'{server.url}/plain/sam.pth', tmp_path / 's', Checksum('sha256', DIGEST),
             progress=lambda done, total: calls.append((done, total)), retries=QUICK)
    assert (tmp_path / 's').read_bytes() == WEIGHTS
    assert calls[-1] == (len(WEIGHTS), len(WEIGHTS))


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='needs /dev/full')
def test_full_disk_is_said(server, tmp_path):
    (tmp_path / 'w.part').symlink_to('/dev/full')
    with pytest.raises(DownloadError, match='expected space on the disk.*REFDIFF_HOME'):
        hub.fetch(PINNED, 'weights.safetensors', tmp_path / 'w', retries=QUICK)


def test_too_small_disk_is_said_before_the_transfer(server, tmp_path):
    server.plain['sam.pth'] = WEIGHTS
    size = shutil.disk_usage(tmp_path).free * 4
    with pytest.raises(DownloadError, match='more bytes needed'):
        download(f'{server.url}/plain/sam.pth', tmp_path / 's', Checksum('sha256', DIGEST), size,
                 retries=QUICK)


def test_bundle_on_the_hub_is_pinned_to_its_commit(server, tmp_path):
    digest = hashlib.sha256(b'{"a": 1}').hexdigest()
    server.files['acme/mini/bundle.json'] = (
        '{"format": 1, "name": "mini", "trained": true, "parts": {'
        '"diffusion": {"layout": "diffusers", "folder": "d", "files": [{"path": "c.json", '
        f'"sha256": "{digest}"}}]}}, "clip": {{"layout": "transformers", "files": '
        f'[{{"path": "c.json", "sha256": "{digest}"}}]}}}}}}').encode()
    server.files['acme/mini/d/c.json'] = server.files['acme/mini/clip/c.json'] = b'{"a": 1}'
    place = store.locate('acme/mini', 'v1', retries=QUICK)
    assert place.folder == Path(os.environ['REFDIFF_HOME']) / 'hub/acme--mini' / COMMIT
    assert len(pull(place, retries=QUICK)) == 2
    assert all(COMMIT in r[1] for r in server.requests[1:])
    server.requests.clear()
    again = store.locate('acme/mini', 'v1', offline=True)
    assert missing_files(again) == []
    assert server.requests == []


def test_bundle_on_the_hub_offline(server):
    with pytest.raises(BundleError, match='downloads are off'):
        store.locate('acme/mini', offline=True)
    assert server.requests == []


def test_forbidden_network_is_not_used(server, tmp_path, monkeypatch):
    monkeypatch.setenv('REFDIFF_OFFLINE', '1')
    with pytest.raises(BundleError, match='downloads are off: run .refdiff models pull'):
        pull(located(tmp_path), retries=QUICK)
    assert server.requests == []


def test_two_pulls_at_once_download_once(server, tmp_path):
    place = located(tmp_path)
    with ThreadPoolExecutor(2) as pool:
        pulled = list(pool.map(lambda _: pull(place, retries=QUICK), range(2)))
    assert sorted(map(len, pulled)) == [0, 2]
    assert len([r for r in server.gets() if r[1].startswith('/cdn/')]) == 1


def test_altered_file_is_named_with_both_checksums(server, tmp_path):
    place = located(tmp_path)
    pull(place, retries=QUICK)
    path = place.folder / 'clip/config.json'
    path.write_bytes(b'{"a": 3}')
    got = hashlib.sha256(b'{"a": 3}').hexdigest()
    [problem] = check_files(place)
    assert str(path) in problem
    assert hashlib.sha256(b'{"a": 1}').hexdigest() in problem
    assert got in problem


def test_bytes_altered_under_the_same_size_and_time_are_found_by_verify(server, tmp_path):
    place = located(tmp_path)
    pull(place, retries=QUICK)
    path = place.folder / 'clip/config.json'
    stat = path.stat()
    path.write_bytes(b'{"a": 3}')
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert check_files(place) == []
    assert len(check_files(place, everything=True)) == 1
