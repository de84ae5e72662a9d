"""Pages of libraries that nothing runs are let go, and come back when something does."""

import json
import subprocess
import sys

import pytest

from refdiff_ros.models import library_pages

SCRIPT = """
import json
import numpy as np, torch
from refdiff_ros.models.library_pages import release_library_pages
from refdiff_ros.models.memory import anonymous_bytes, host_rss

def resident():
    own = anonymous_bytes()
    return host_rss()[0] - own, own

torch.manual_seed(0)
values = torch.randn(64, 64)
own_data = np.ones(1 << 20, int)
product = values @ values
before = resident()
asked = release_library_pages()
after = resident()
same = bool(torch.equal(values @ values, product)) and int(own_data.sum()) == 1 << 20
print(json.dumps([asked, before, after, same, torch.linalg.svd(values)[1].shape[0]]))
"""


@pytest.mark.skipif(sys.platform != 'linux', reason='pages are released on Linux alone')
def test_pages_that_equal_their_files_are_released_and_nothing_is_lost():
    ran = subprocess.run([sys.executable, '-c', SCRIPT], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ''
    asked, before, after, same, rank = json.loads(ran.stdout.splitlines()[-1])
    assert asked
    assert after[0] < 0.6 * before[0]  # of files
    assert after[1] > 0.95 * before[1]  # its own
    assert same and rank == 64


def test_elsewhere_nothing_is_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(library_pages, '_MAPS', tmp_path / 'smaps')
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
