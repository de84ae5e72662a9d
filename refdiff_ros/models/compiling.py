"""torch.compile for what it makes faster, kept on disk so that a restart does not pay again.

SAM's image encoder is compiled, block by block: blocks of one kind share their code. The rest is
not: the UNet ends early and is listened to while it runs, and what the other models spend is spent
in convolutions and matrix products, which compiling does not change.
"""

import logging
import os
from typing import Any

from refdiff_ros.errors import BundleError
from refdiff_ros.models.home import home
from refdiff_ros.models.model_set import ModelSet
from refdiff_ros.models.sam_config import is_sam2

_CACHE_VARIABLE = 'TORCHINDUCTOR_CACHE_DIR'
_SHAPES = 64
# Marks an encoder.
_WANTED = 'refdiff_compile'
_LOG = logging.getLogger(__name__)


def compile_models(models: ModelSet) -> None:
    """Have `models` compiled when they first run, and again for each new shape of picture.

    Code goes to `TORCHINDUCTOR_CACHE_DIR` or, where that is not set, to '.compiled' beside the
    downloaded bundles.
    """
    if models.sam is None:
        return
    if is_sam2(models.sam):
        _LOG.warning('compile does nothing here: it is for the encoder of SAM 1, and bundle %r '
                     'has SAM 2', models.name)
        return
    # These take a second to import.
    import torch._dynamo.config
    import torch._inductor.config
    from torch._inductor.runtime.cache_dir_utils import default_cache_dir

    # By default, which torch writes into the variable as well, code lies among temporary files and
    # does not outlive a reboot.
    if os.environ.get(_CACHE_VARIABLE) in (None, '', default_cache_dir()):
        os.environ[_CACHE_VARIABLE] = str(home() / '.compiled')
    # A pool of compiling processes would live on beside a node.
    torch._inductor.config.compile_threads = 1
    # Two kinds of blocks for each shape, in every bundle that a process loads: past the limit
    # torch compiles no more.
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, _SHAPES)
    setattr(models.sam.image_encoder, _WANTED, True)


def wants_compiling(encoder: Any) -> bool:
    """Whether the blocks of an encoder are to be compiled when it first runs."""
    return getattr(encoder, _WANTED, False)


def compile_problem(error: Exception, models: ModelSet) -> BundleError:
    """What is told where compiling fails: usually a missing compiler."""
    needed = 'triton' if models.device.type == 'cuda' else 'a C++ compiler (g++, or CXX)'
    lines = [line for line in str(error).splitlines() if line.strip()]
    return BundleError(
        f'expected torch.compile to work on {models.device}, which needs {needed}: install it, or '
        f"set 'compile' to false ({type(error).__name__}: {lines[0] if lines else ''})")


def failed_to_compile(error: BaseException) -> bool:
    """Whether an error comes from compiling."""
    chain: Any = error
    while chain is not None:
        if type(chain).__module__.startswith(('torch._dynamo', 'torch._inductor')):
            return True
        chain = chain.__cause__
    return False
