"""`bench/gpu.sh` asks for what there is; with SIZE=mini DEVICE=cpu it runs anywhere itself."""

import json
import os
from pathlib import Path
import subprocess
import sys

import pytest

ROOT = Path(__file__).parents[2]
# In the place of Python: reads the options of `refdiff bench` and measures nothing.
READER = """#!{python}
import json, sys
if sys.argv[1] == '-c':
    exec(sys.argv[2])
elif sys.argv[1:3] == ['-m', 'pytest']:
    print('pytest', *sys.argv[3:])
else:
    assert sys.argv[1:3] == ['-m', 'refdiff_ros.cli']
    from refdiff_ros.cli import build_parser
    values = vars(build_parser().parse_args(sys.argv[3:]))
    del values['run']
    print('options ' + json.dumps(values, default=str))
"""


@pytest.fixture
def asked(tmp_path):
    reader = tmp_path / 'python'
    reader.write_text(READER.format(python=sys.executable))
    reader.chmod(0o755)
    done = subprocess.run(
        [ROOT / 'bench' / 'gpu.sh', tmp_path / 'out'], capture_output=True, text=True,
        timeout=300, check=False, env={**os.environ, 'PYTHON': str(reader), 'SCALE': '1'})
    assert done.returncode == 0, done.stdout + done.stderr
    found = [json.loads(line.removeprefix('options '))
             for line in done.stdout.splitlines() if line.startswith('options ')]
    assert 'test_cuda.py' in done.stdout
    return {Path(values['json']).stem: values for values in found}


def test_every_part_can_be_asked_for_and_measures_what_it_is_called(asked):
    assert list(asked) == ['agreement', 'bundles', 'compiled', 'bf16', 'scale']
    assert {(values['size'], values['device']) for values in asked.values()} == {('full', 'cuda')}
    assert asked['agreement']['dtype'] == 'fp32'
    assert asked['bundles']['segmentor'] == ['vit_h', 'vit_b', 'sam2_tiny']
    assert asked['bundles']['frames'] and asked['bundles']['expressions'] > 1
    assert asked['compiled']['compile'] and not asked['bf16']['compile']
    assert asked['scale']['scale'] == []
