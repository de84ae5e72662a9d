"""The parser that comes with this package: a spaCy pipeline trained on a treebank.

It lies inside the Python package, so that a checkout, a colcon install and a wheel all carry it
at the same place relative to the code.
"""

from functools import cache
import hashlib
import json
import logging
from pathlib import Path
from typing import Any

from refdiff_ros.errors import BundleError, MissingPackageError
from refdiff_ros.optional import require_package

FOLDER = Path(__file__).parents[1] / 'bundles' / 'parser_en_ewt'
MANIFEST, MODEL = 'manifest.json', 'model'
_LOG = logging.getLogger(__name__)


def check(folder: Path = FOLDER) -> None:
    """Verify every file of the shipped parser against its manifest.

    Raises:
        BundleError: a file is missing, altered or not in the manifest.
    """
    try:
        listed = json.loads((folder / MANIFEST).read_text(encoding='utf-8'))['files']
    except (OSError, ValueError, KeyError) as error:
        raise BundleError(f'expected the parser\'s manifest at {folder / MANIFEST}: {error}; '
                          'install this package again') from error
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob('*')
             if path.is_file() and path.name != MANIFEST}
    if found.keys() != listed.keys():
        raise BundleError(
            f'expected the files of {folder / MANIFEST} and no others, got a difference in '
            f'{sorted(found.keys() ^ listed.keys())}: install this package again')
    for name, values in listed.items():
        digest = hashlib.sha256(found[name].read_bytes()).hexdigest()
        if digest != values['sha256']:
            raise BundleError(f'expected sha256 {values["sha256"]} of {found[name]}, got '
                              f'{digest}: install this package again')


@cache
def load_parser() -> Any | None:
    """The shipped spaCy pipeline, verified; None, with a logged reason, when it cannot be had.

    It is loaded once in a process.
    """
    try:
        spacy = require_package('spacy', 'parser')
        check()
        return spacy.load(FOLDER / MODEL)
    except (MissingPackageError, BundleError, OSError, ValueError) as error:
        _LOG.warning('the shipped parser is not used, rules find the root word: %s', error)
        return None
