"""A part of a bundle as its loader sees it: the listed files and nothing beside them.

Model libraries look for further files in a folder (an index of shards, adapters, code) and would
read what nobody verified.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
import tempfile

from refdiff_ros.models.bundle import Part


@contextmanager
def only_listed(part: Part, folder: Path) -> Iterator[Path]:
    """A temporary folder that links to the files of `part` that its manifest lists.

    Args:
        part: whose files.
        folder: of the bundle.
    """
    with tempfile.TemporaryDirectory(prefix='refdiff_') as temporary:
        for file in part.files:
            link = Path(temporary, file.path)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to((folder / part.folder / file.path).resolve())
        yield Path(temporary)
