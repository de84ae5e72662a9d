"""Pages of libraries that nothing runs are let go, and come back when something does."""

import json
import subprocess
import sys

import pytest

from refdiff_ros.models import library_pages

SCRIPT = """
import ctypes, hashlib, json, sys
from pathlib import Path
import numpy as np, torch
from refdiff_ros.models import library_pages
from refdiff_ros.models.memory import anonymous_bytes, host_rss

has_cuda, folder = sys.argv[1:]
torch.cuda.is_available = lambda: has_cuda == 'yes'
library_pages._SPILL_FOLDER = Path(folder)

def resident():
    own = anonymous_bytes()
    return host_rss()[0] - own, own

places = []
def find(library):
    if library_pages._OF_CUDA.fullmatch((library.name or b'').decode()):
        places.extend(library_pages._tables(library))
    return 0
library_pages._each_library(ctypes.PyDLL(None), find)

def content():
    return [hashlib.sha256((ctypes.c_char * (stop - start)).from_address(start)).hexdigest()
            for start, stop in places]

torch.manual_seed(0)
values = torch.randn(64, 64)
own_data = np.ones(1 << 20, int)
product = values @ values
unpacked, before = content(), resident()
asked = library_pages.release_library_pages()
after = resident()
same = (bool(torch.equal(values @ values, product)) and int(own_data.sum()) == 1 << 20
        and content() == unpacked)
print(json.dumps({
    'asked': asked, 'of_files': [before[0], after[0]], 'own': [before[1], after[1]], 'same': same,
    'tables': sum(stop - start for start, stop in places),
    'rank': torch.linalg.svd(values)[1].shape[0]}))
"""


def told_by_a_process(has_cuda, folder):
    ran = subprocess.run([sys.executable, '-c', SCRIPT, has_cuda, folder],
                         capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ''
    told = json.loads(ran.stdout.splitlines()[-1])
    assert told['asked'] and told['same'] and told['rank'] == 64
    return told


@pytest.mark.skipif(sys.platform != 'linux', reason='pages are released on Linux alone')
def test_pages_that_equal_their_files_are_released_and_nothing_is_lost(tmp_path):
    told = told_by_a_process('no', tmp_path)
    assert told['of_files'][1] < 0.6 * told['of_files'][0]
    kept = told['own'][0] - told['tables']  # of torch's CPU build there are none
    assert kept * 0.95 < told['own'][1] < kept * 1.05
    assert not list(tmp_path.iterdir())  # the file has no name


@pytest.mark.skipif(sys.platform != 'linux', reason='pages are released on Linux alone')
@pytest.mark.parametrize(('has_cuda', 'folder'), [('yes', ''), ('no', 'missing')])
def test_tables_stay_where_they_are_used_or_no_file_can_be_had(has_cuda, folder, tmp_path):
    told = told_by_a_process(has_cuda, tmp_path / folder)
    assert told['of_files'][1] < 0.6 * told['of_files'][0]
    assert told['own'][1] > told['own'][0] * 0.95


def test_elsewhere_nothing_is_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(library_pages, '_MAPS', tmp_path / 'smaps')
    assert not library_pages.release_library_pages()


@pytest.mark.skipif(sys.platform != 'linux', reason='pages are released on Linux alone')
def test_where_a_process_may_not_read_its_maps_nothing_is_released(tmp_path, monkeypatch):
    monkeypatch.setattr(library_pages, '_MAPS', tmp_path)  # there, and no file
    assert not library_pages.release_library_pages()


def test_only_what_cannot_differ_from_a_librarys_file_is_released():
    maps = '\n'.join((
        '1000-2000 r-xp 0 08:01 5      /usr/lib/libone.so.1.2', 'Rss: 4 kB', 'Anonymous: 0 kB',
        '2000-3000 r--p 0 08:01 5      /usr/lib/a name.so', 'Anonymous:         0 kB',
        '3000-4000 r-xp 0 08:01 5      /usr/lib/changed.so', 'Anonymous: 4 kB',
        '4000-5000 rw-p 0 08:01 5      /usr/lib/libone.so.1.2', 'Anonymous: 0 kB',
        '5000-6000 r--p 0 08:01 5      /srv/weights.safetensors', 'Anonymous: 0 kB',
        '6000-7000 rw-p 0 00:00 0 ', 'Anonymous: 0 kB',
        '7000-8000 r-xp 0 08:01 5      /usr/lib/gone.so (deleted)', 'Anonymous: 0 kB'))
    assert list(library_pages._unchanged(maps)) == [(0x1000, 0x2000), (0x2000, 0x3000)]
