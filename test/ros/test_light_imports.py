"""What an answer does not need is left out of its process, and is there for who asks for it."""

import json
import os
import subprocess
import sys

SCRIPT = """
import json, sys
import torch
from refdiff_ros.ros.light_imports import without_unused

told = {}
with without_unused():
    import torch.distributed
    import transformers.models.clip.modeling_clip
    import torchvision.ops
    from diffusers import UNet2DConditionModel
    told['imported'] = sorted({'sympy', 'triton', 'scipy'} & {
        name for name, module in sys.modules.items() if module is not None})
    told['distributed inside'] = torch.distributed.is_available()
    import torch._dynamo as stand_in
    @torch.compiler.disable
    def doubled(x):
        return 2 * x
    told['decorated'] = doubled(4)
    told['plain'] = stand_in.allow_in_graph(doubled) is doubled
told['distributed after'] = torch.distributed.is_available()
import torch._dynamo
told['itself'] = torch._dynamo is not stand_in
told['compiled'] = torch.compile(lambda x: x + 1, backend='eager')(torch.ones(3)).tolist()
print(json.dumps(told))
"""
ASKED_FOR_MORE = """
from refdiff_ros.ros.light_imports import without_unused
import torch
with without_unused():
    import torch._dynamo as stand_in
    print(stand_in.config.cache_size_limit > 0, stand_in.disable.__name__)
    import torch._dynamo as itself
    print(itself is not stand_in)
    try:
        stand_in.nothing_of_that_name
    except AttributeError as error:
        print(error)
"""


def run(script):
    ran = subprocess.run(
        [sys.executable, '-c', script], capture_output=True, text=True, timeout=280,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)})
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


def test_the_compiler_is_left_out_and_compiles_afterwards():
    assert json.loads(run(SCRIPT)[-1]) == {
        'imported': [], 'distributed inside': False, 'decorated': 8, 'plain': True,
        'distributed after': True, 'itself': True, 'compiled': [2.0, 2.0, 2.0]}


def test_who_asks_for_more_gets_the_compiler_itself():
    first, second, third = run(ASKED_FOR_MORE)
    assert first == 'True _unchanged'
    assert second == 'True'
    assert 'nothing_of_that_name' in third
