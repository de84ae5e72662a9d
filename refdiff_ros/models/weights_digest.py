"""The digest of a bundle's weights: tells whether two runs, or a run and a file, have the same."""

from collections.abc import Mapping
import hashlib

import torch

from refdiff_ros.models.lock_file import LockedFile, read_lock
from refdiff_ros.models.memory import modules
from refdiff_ros.models.model_set import ModelSet
from refdiff_ros.models.store import locate, UNTRAINED
from refdiff_ros.models.untrained import build_untrained


def weights_sha256(name_or_path: str, models: ModelSet) -> str:
    """The digest of a loaded bundle's files: of one line 'sha256  path' a file, sorted by path.

    The files' own digests were verified when they were loaded, so that none is read again.
    `untrained_mini` has no files: there it is the digest of its tensors, also of parts that were
    not loaded, since what a mode needs changes no weights.

    Args:
        name_or_path: what the bundle was loaded by.
        models: what was loaded.

    Raises:
        BundleError: the bundle is no longer where it was.
    """
    if name_or_path == UNTRAINED:
        whole = None not in (models.diffusion, models.clip, models.sam)
        return _of_tensors(models if whole else build_untrained(dtype=models.dtype))
    located = locate(name_or_path, offline=True)
    lock = read_lock(located.folder)
    lines = [f'{file.sha256 or _locked(lock, path)}  {path}\n'
             for path, (_, file) in sorted(located.bundle.files().items())]
    return hashlib.sha256(''.join(lines).encode()).hexdigest()


def _locked(lock: Mapping[str, LockedFile], path: str) -> str:
    # A part that the mode does not need may not have come.
    return lock[path].sha256 if path in lock else 'not here'


def _of_tensors(models: ModelSet) -> str:
    hasher = hashlib.sha256()
    for module in modules(models).values():
        for name, tensor in sorted(module.state_dict().items()):
            hasher.update(f'{name} {tensor.dtype} {tuple(tensor.shape)}\n'.encode())
            hasher.update(tensor.cpu().flatten().view(torch.uint8).numpy().tobytes())
    return hasher.hexdigest()
