from contextlib import contextmanager
import errno
import fcntl
import hashlib
import json
import os
from pathlib import Path
import pwd
import random
import shutil
import socket
import subprocess
import tempfile
import threading

from hub_server import COMMIT, hub_server, use_hub
import huggingface_hub
import pytest

from refdiff_ros.cli import main
from refdiff_ros.errors import BundleError, DownloadError
from refdiff_ros.models import hub, store
from refdiff_ros.models.bundle import HubSource, parse_manifest
from refdiff_ros.models.home import home
from refdiff_ros.models.located import Located
from refdiff_ros.models.lock_file import check_files, lock_path, missing_files, read_lock
from refdiff_ros.models.pulling import mirrored, pull
from refdiff_ros.models.transfer import Checksum, download, Retries

QUICK = Retries(count=1, first_wait_s=0.01, longest_wait_s=0.01, timeout_s=5)
WEIGHTS = random.Random(0).randbytes(300_000)
DIGEST = hashlib.sha256(WEIGHTS).hexdigest()
CONFIG = b'{"a": 1}'
CONFIG_DIGEST = hashlib.sha256(CONFIG).hexdigest()
SOURCE = {'repo': 'acme/mini', 'revision': COMMIT}


@pytest.fixture
def server(monkeypatch, tmp_path):
    with hub_server() as running:
        running.files = {'acme/mini/w.safetensors': WEIGHTS, 'acme/mini/config.json': CONFIG}
        use_hub(monkeypatch, tmp_path / 'home', running)
        yield running


def bundle_values(pinned=True, **changes):
    def file(path, digest, content):
        return {'path': path, 'sha256': digest, 'size': len(content)} if pinned else {
            'path': path}
    return {'format': 1, 'name': 'mini', 'trained': True, 'parts': {
        'diffusion': {'layout': 'diffusers', 'hub': SOURCE,
                      'files': [file('w.safetensors', DIGEST, WEIGHTS)]},
        'clip': {'layout': 'transformers', 'hub': SOURCE,
                 'files': [file('config.json', CONFIG_DIGEST, CONFIG)]}} | changes}


def given(tmp_path, pinned=True, **changes):
    return Located(parse_manifest(bundle_values(pinned, **changes)), tmp_path / 'bundle')


def fill(folder):
    for name, content in (('diffusion/w.safetensors', WEIGHTS), ('clip/config.json', CONFIG)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


@contextmanager
def nobody():
    """Without the rights of root, who may write everywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.setegid(65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@pytest.fixture
def readable():
    """A folder that any user can read and only its owner can write."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_files_that_another_tool_left_need_neither_network_nor_lock(server, tmp_path):
    place = given(tmp_path)
    fill(place.folder)
    assert missing_files(place) == []
    assert check_files(place, everything=True) == []
    assert pull(place, retries=QUICK) == []
    assert server.requests == []


def test_unpinned_files_that_another_tool_left_are_checked_and_not_fetched(server, tmp_path):
    place = given(tmp_path, pinned=False)
    fill(place.folder)
    (place.folder / 'clip/config.json').write_bytes(b'{"a": 2}')
    assert len(missing_files(place)) == 2
    pull(place, retries=QUICK)
    assert [request[1] for request in server.gets()] == [
        f'/acme/mini/resolve/{COMMIT}/config.json']
    assert (place.folder / 'clip/config.json').read_bytes() == CONFIG
    assert missing_files(place) == []


def test_what_an_altered_file_recommends_works(server, tmp_path, capsys):
    folder = tmp_path / 'a bundle'
    folder.mkdir()
    (folder / 'bundle.json').write_text(json.dumps(bundle_values()))
    assert main(['models', 'pull', str(folder)]) == 0
    (folder / 'clip/config.json').write_bytes(b'{"a": 3}')
    capsys.readouterr()
    assert main(['models', 'verify', str(folder)]) == 1
    advice = capsys.readouterr().out
    assert advice.rstrip().endswith(f"delete it and run 'refdiff models pull '{folder}''")
    (folder / 'clip/config.json').unlink()
    assert main(['models', 'pull', str(folder)]) == 0
    assert main(['models', 'verify', str(folder)]) == 0


def hub_bundle(server):
    values = bundle_values()
    for part in values['parts'].values():
        del part['hub']
    server.files['acme/whole/bundle.json'] = json.dumps(values).encode()
    server.files['acme/whole/diffusion/w.safetensors'] = WEIGHTS
    server.files['acme/whole/clip/config.json'] = CONFIG


def test_complete_hub_bundle_is_pulled_without_network(server, capsys, monkeypatch):
    hub_bundle(server)
    assert main(['models', 'pull', 'acme/whole', '--revision', 'v1']) == 0
    monkeypatch.setenv('HF_HUB_OFFLINE', '1')
    server.requests.clear()
    capsys.readouterr()
    assert main(['models', 'pull', 'acme/whole', '--revision', 'v1']) == 0
    assert '0 files downloaded' in capsys.readouterr().out
    assert server.requests == []


def test_complete_hub_bundle_is_pulled_from_a_read_only_store(
        server, capsys, monkeypatch, readable):
    monkeypatch.setenv('REFDIFF_HOME', str(readable))
    hub_bundle(server)
    assert main(['models', 'pull', 'acme/whole']) == 0
    for path in (readable, *readable.rglob('*')):
        path.chmod(0o755 if path.is_dir() else 0o644)
    with nobody():
        assert main(['models', 'pull', 'acme/whole']) == 0
        assert main(['models', 'verify', 'acme/whole']) == 0
        assert main(['models', 'list']) == 0
    assert 'acme/whole@01234567' in capsys.readouterr().out


def test_store_that_cannot_be_written_is_one_sentence(server, readable):
    place = Located(parse_manifest(bundle_values()), readable / 'bundle')
    with nobody(), pytest.raises(BundleError, match='Permission denied.*set REFDIFF_HOME'):
        pull(place, retries=QUICK)


def test_file_that_cannot_be_read_is_one_sentence(server, readable):
    place = Located(parse_manifest(bundle_values()), readable)
    fill(readable)
    (readable / 'clip/config.json').chmod(0)
    with nobody(), pytest.raises(BundleError, match='Permission denied.*clip/config.json'):
        check_files(place)


@pytest.mark.parametrize('number', [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_store_without_locks_is_used_and_told(server, tmp_path, monkeypatch, caplog, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))
    monkeypatch.setattr(fcntl, 'flock', refuse)
    place = given(tmp_path)
    assert len(pull(place, retries=QUICK)) == 2
    assert f'{place.folder} knows no locks' in caplog.text


def test_second_pull_says_that_it_waits(server, tmp_path):
    place, steps = given(tmp_path), []
    place.folder.mkdir()
    waits = threading.Event()

    def listen(step):
        steps.append(str(step))
        waits.set()
    with (place.folder / '.pull').open('w') as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        second = threading.Thread(target=pull, args=(place, listen, QUICK))
        second.start()
        assert waits.wait(20)
    second.join(20)
    assert steps[0].startswith('waiting for another process that gets mini')
    assert missing_files(place) == []


def test_user_without_home(monkeypatch, server):
    def nobody_knows(_):
        raise KeyError('no such user')
    monkeypatch.setattr(pwd, 'getpwuid', nobody_knows)
    for name in ('HOME', 'REFDIFF_HOME', 'XDG_CACHE_HOME'):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(BundleError, match='this user has none: set REFDIFF_HOME'):
        home()
    assert main(['models', 'pull', 'sd15_vit_h']) == 2
    shipped = store.locate('tabletop_mini')
    assert missing_files(shipped) == []
    assert check_files(shipped) == []


def test_mirror_that_leads_to_the_hub(server, tmp_path, monkeypatch):
    with hub_server() as mirror:
        mirror.mirror_of = server.url
        monkeypatch.setenv('HF_ENDPOINT', mirror.url)
        monkeypatch.setenv('HF_TOKEN', 'secret')
        pull(given(tmp_path, pinned=False), retries=QUICK)
        assert mirror.authorized[0]
    assert not any(server.authorized)


def test_hub_without_a_scheme(server, monkeypatch):
    monkeypatch.setenv('HF_ENDPOINT', 'mirror.example.org')
    with pytest.raises(DownloadError, match="such as 'https://mirror.example.org', got"):
        hub.look_up(HubSource('acme/mini', COMMIT), 'config.json', QUICK)


def test_plain_address_through_a_mirror(server, tmp_path, monkeypatch):
    server.plain['dl.example.org/sam/sam.pth'] = WEIGHTS
    sam = {'layout': 'segment-anything', 'type': 'vit_b', 'url': 'https://dl.example.org/sam',
           'files': [{'path': 'sam.pth', 'sha256': DIGEST, 'size': len(WEIGHTS)}]}
    monkeypatch.setenv('REFDIFF_MIRROR', f'{server.url}/plain/')
    pull(given(tmp_path, sam=sam), retries=QUICK)
    assert (tmp_path / 'bundle/sam/sam.pth').read_bytes() == WEIGHTS
    monkeypatch.setenv('REFDIFF_MIRROR', '/mnt/mirror')
    with pytest.raises(DownloadError, match="got '/mnt/mirror'"):
        mirrored('https://dl.example.org/sam/sam.pth')


def test_every_request_says_whose_it_is(server, tmp_path):
    pull(given(tmp_path), retries=QUICK)
    assert len(server.agents) == 5
    assert all('refdiff_ros' in agent for agent in server.agents)


def test_repository_that_does_not_exist(server):
    with pytest.raises(DownloadError, match='a repository acme/nothing .*none of that name'):
        hub.look_up(HubSource('acme/nothing', COMMIT), 'config.json', QUICK)


def test_repository_with_terms(server):
    server.gated = ('acme/mini',)
    with pytest.raises(DownloadError, match='acme/mini to be readable, it has terms: accept'):
        hub.look_up(HubSource('acme/mini', COMMIT), 'config.json', QUICK)


@pytest.fixture
def fresh_session():
    """`huggingface_hub` reads proxies and certificates once."""
    huggingface_hub.close_session()
    yield
    huggingface_hub.close_session()


def test_dead_proxy_is_named_without_its_password(server, tmp_path, monkeypatch, fresh_session):
    with socket.socket() as closed:
        closed.bind(('127.0.0.1', 0))
        port = closed.getsockname()[1]
    for name in ('NO_PROXY', 'no_proxy'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('http_proxy', f'http://me:hidden@127.0.0.1:{port}')
    with pytest.raises(DownloadError, match=f'proxy 127.0.0.1:{port}, which .*http_proxy') as one:
        hub.look_up(HubSource('acme/mini', COMMIT), 'config.json', QUICK)
    with pytest.raises(DownloadError, match=f'proxy 127.0.0.1:{port}, which .*http_proxy') as two:
        download(f'{server.url}/plain/x', tmp_path / 'x', Checksum('sha256', DIGEST),
                 retries=QUICK)
    assert 'hidden' not in f'{one.value} {two.value}'


@pytest.mark.skipif(shutil.which('openssl') is None, reason='needs openssl')
def test_certificate_that_is_not_trusted(tmp_path, monkeypatch, fresh_session):
    paths = tmp_path / 'certificate.pem', tmp_path / 'key.pem'
    subprocess.run(
        ['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj',
         '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-out',
         paths[0], '-keyout', paths[1]], check=True, capture_output=True)
    with hub_server(paths) as running:
        running.files = {'acme/mini/config.json': CONFIG}
        running.plain = {'x': CONFIG}
        use_hub(monkeypatch, tmp_path / 'home', running)
        checksum = Checksum('sha256', CONFIG_DIGEST)
        with pytest.raises(DownloadError, match='certificate of 127.0.0.1.*SSL_CERT_FILE'):
            hub.look_up(HubSource('acme/mini', COMMIT), 'config.json', QUICK)
        with pytest.raises(DownloadError, match='certificate of 127.0.0.1.*SSL_CERT_FILE'):
            download(f'{running.url}/plain/x', tmp_path / 'x', checksum, retries=QUICK)
        monkeypatch.setenv('SSL_CERT_FILE', str(paths[0]))
        huggingface_hub.close_session()
        hub.look_up(HubSource('acme/mini', COMMIT), 'config.json', QUICK)
        download(f'{running.url}/plain/x', tmp_path / 'x', checksum, retries=QUICK)


def cache_file(folder, content):
    """As `huggingface_hub` keeps a file: a blob, and a link in the snapshot."""
    repo = folder / 'hub/models--acme--mini'
    blob, link = repo / 'blobs' / 'blob', repo / 'snapshots' / COMMIT / 'w.safetensors'
    for path in (blob, link):
        path.parent.mkdir(parents=True)
    blob.write_bytes(content)
    link.symlink_to(os.path.relpath(blob, link.parent))
    return blob


def test_file_in_the_hubs_own_cache_is_not_downloaded(server, tmp_path, monkeypatch):
    monkeypatch.setenv('HF_HOME', str(tmp_path / 'hf'))
    blob = cache_file(tmp_path / 'hf', WEIGHTS)
    place = given(tmp_path)
    assert len(pull(place, retries=QUICK)) == 2
    target = place.folder / 'diffusion/w.safetensors'
    assert not target.is_symlink()
    assert target.samefile(blob)  # no second copy
    assert [r for r in server.requests if 'w.safetensors' in r[1]] == []
    assert str(blob.parent.parent) in read_lock(place.folder)['diffusion/w.safetensors'].source


def test_cache_and_network_off_is_enough(server, tmp_path, monkeypatch):
    monkeypatch.setenv('HF_HUB_CACHE', str(tmp_path / 'hf/hub'))
    cache_file(tmp_path / 'hf', WEIGHTS)
    place = given(tmp_path)
    fill(place.folder)
    (place.folder / 'diffusion/w.safetensors').unlink()
    assert pull(place, offline=True) == ['diffusion/w.safetensors']
    assert server.requests == []


def test_altered_file_in_the_hubs_own_cache_is_not_taken(server, tmp_path, monkeypatch):
    monkeypatch.setenv('HF_HOME', str(tmp_path / 'hf'))
    cache_file(tmp_path / 'hf', WEIGHTS[1:])
    place = given(tmp_path)
    pull(place, retries=QUICK)
    assert (place.folder / 'diffusion/w.safetensors').read_bytes() == WEIGHTS


def test_file_of_another_bundle_is_not_downloaded_again(server, tmp_path):
    other = tmp_path / 'home/bundles/other/diffusion/w.safetensors'
    other.parent.mkdir(parents=True)
    other.write_bytes(WEIGHTS)
    altered = tmp_path / 'home/bundles/more/clip/config.json'
    altered.parent.mkdir(parents=True)
    altered.write_bytes(b'{"a": 2}')
    place = given(tmp_path)
    assert len(pull(place, retries=QUICK)) == 2
    assert (place.folder / 'diffusion/w.safetensors').samefile(other)
    assert [request[1].rsplit('/', 1)[1] for request in server.gets()] == ['config.json']


def test_progress_has_one_total(server, tmp_path):
    steps = []
    pull(given(tmp_path), steps.append, QUICK)
    assert {step.total for step in steps} == {len(WEIGHTS) + len(CONFIG)}
    done = [step.done for step in steps]
    assert done == sorted(done)
    assert steps[-1].is_whole


def test_disk_is_checked_for_all_files_before_the_first(server, tmp_path, monkeypatch):
    free = len(WEIGHTS) + 2
    monkeypatch.setattr(
        shutil, 'disk_usage', lambda _: type('Usage', (), {'free': free})())
    with pytest.raises(DownloadError, match='expected 300.0 kB of space.*for 2 files'):
        pull(given(tmp_path), retries=QUICK)
    assert server.gets() == []
    part = tmp_path / 'bundle/diffusion/w.safetensors.part'
    part.parent.mkdir(parents=True)
    part.write_bytes(WEIGHTS[:1000])
    assert len(pull(given(tmp_path), retries=QUICK)) == 2


@pytest.mark.parametrize('link', ['sam', 'sam/sam.pth', 'sam/sam.pth.part'])
def test_link_does_not_lead_a_download_out_of_the_bundle(server, tmp_path, monkeypatch, link):
    server.plain['dl.example.org/x/sam.pth'] = WEIGHTS
    monkeypatch.setenv('REFDIFF_MIRROR', f'{server.url}/plain')
    sam = {'layout': 'segment-anything', 'type': 'vit_b', 'url': 'https://dl.example.org/x',
           'files': [{'path': 'sam.pth', 'sha256': DIGEST}]}
    place, outside = given(tmp_path, sam=sam), tmp_path / 'outside'
    (place.folder / link).parent.mkdir(parents=True)
    if link == 'sam':
        outside.mkdir()
    (place.folder / link).symlink_to(outside)
    with pytest.raises(BundleError, match=f'a symbolic link to {outside}'):
        pull(place, retries=QUICK)
    assert list(outside.iterdir()) == [] if link == 'sam' else not outside.exists()


def test_lock_that_came_with_a_folder_is_not_believed(server, tmp_path):
    place = given(tmp_path)
    fill(place.folder)
    path = place.folder / 'clip/config.json'
    path.write_bytes(b'{"a": 3}')
    stat = path.stat()
    (place.folder / 'bundle.lock.json').write_text(json.dumps({'files': {'clip/config.json': {
        'sha256': CONFIG_DIGEST, 'size': stat.st_size, 'mtime_ns': stat.st_mtime_ns}}}))
    [problem] = check_files(place)
    assert f'expected sha256 {CONFIG_DIGEST} of {path}' in problem
    assert lock_path(place.folder).is_relative_to(tmp_path / 'home/locks')
    assert read_lock(place.folder).keys() == {'diffusion/w.safetensors'}
