"""A bundle and where its files are on this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
import shlex

from refdiff_ros.errors import BundleError
from refdiff_ros.models.bundle import Bundle, FileSpec, HubSource, Part


@dataclass(frozen=True)
class Located:
    """A manifest, the folder of its files, and for bundles on the hub where that is.

    Attributes:
        bundle: the manifest.
        folder: where the files are, or will be.
        hub: where files of a part without a source of its own come from.
        asked: what names the bundle on a command line, its revision included.
        parts: the parts that are wanted; None for all.
    """

    bundle: Bundle
    folder: Path
    hub: HubSource | None = None
    asked: str = ''
    parts: frozenset[str] | None = None

    def files(self) -> dict[str, tuple[Part, FileSpec]]:
        """The files of the wanted parts by their paths inside the bundle."""
        return {name: (part, file) for name, (part, file) in self.bundle.files().items()
                if self.wants(part)}

    def wants(self, part: Part) -> bool:
        """Whether the part is wanted."""
        return self.parts is None or part.name in self.parts

    @property
    def pull_command(self) -> str:
        """What to type to get what is missing."""
        return f'refdiff models pull {self.asked or shlex.quote(str(self.folder))}'

    def has_source(self, part: Part) -> bool:
        """Whether files of `part` can be downloaded."""
        return bool(part.hub or part.url or self.hub)


@contextmanager
def store_errors(folder: Path) -> Iterator[None]:
    """Turn what a file system refuses into a sentence.

    Raises:
        BundleError: an operation on a file below `folder` failed.
    """
    try:
        yield
    except OSError as error:
        raise BundleError(
            f'expected to read and write files in {folder}, got: {error.strerror or error} '
            f'({error.filename or folder}); give this user access to it, or set REFDIFF_HOME to '
            'another folder') from error
