"""The folder that this package keeps bundles in, and whether it may use the network."""

import os
from pathlib import Path

from refdiff_ros.errors import BundleError


def home() -> Path:
    """The folder of downloaded bundles: REFDIFF_HOME, or refdiff_ros in XDG_CACHE_HOME.

    Raises:
        BundleError: neither is set, and this user has no home folder.
    """
    cache = Path(os.environ.get('XDG_CACHE_HOME') or '~/.cache')
    chosen = Path(os.environ.get('REFDIFF_HOME') or cache / 'refdiff_ros')
    try:
        return chosen.expanduser()
    except RuntimeError as error:
        raise BundleError(
            f'expected a home folder for {chosen}, this user has none: set REFDIFF_HOME to the '
            'folder that bundles are kept in') from error


def expanded(path: Path) -> Path:
    """A path with '~' replaced, as it is where this user has no home folder."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def is_offline() -> bool:
    """Whether the environment forbids the network (REFDIFF_OFFLINE or HF_HUB_OFFLINE)."""
    return any(os.environ.get(name, '').lower() not in ('', '0', 'false', 'no')
               for name in ('REFDIFF_OFFLINE', 'HF_HUB_OFFLINE'))
