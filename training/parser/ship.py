"""Put a trained pipeline into the package: `python -m training.parser.ship --model FOLDER ...`.

Copies the pipeline and the treebank's licence, and writes the manifest with the sha256 of every
file. The model card, README.md there, is written by hand and taken into the manifest.
"""

import argparse
import json
from pathlib import Path
import shutil

from refdiff_ros.errors import BundleError
from refdiff_ros.language.shipped_parser import FOLDER, MANIFEST, MODEL
from refdiff_ros.models.transfer import sha256_of

LIMIT = 6_000_000


def main(arguments: list[str] | None = None) -> None:
    """Copy, write the manifest, and print the size in bytes."""
    parser = argparse.ArgumentParser(prog='python -m training.parser.ship')
    parser.add_argument('--model', type=Path, help="the pipeline, '<out>/model' of a training "
                        'run; without it only the manifest is written again')
    parser.add_argument('--treebank', type=Path, help='the treebank, for its LICENSE.txt')
    parser.add_argument('--to', type=Path, default=FOLDER)
    options = parser.parse_args(arguments)
    options.to.mkdir(parents=True, exist_ok=True)
    if options.model is not None:
        shutil.rmtree(options.to / MODEL, ignore_errors=True)
        shutil.copytree(options.model, options.to / MODEL)
    if options.treebank is not None:
        shutil.copyfile(options.treebank / 'LICENSE.txt', options.to / 'LICENSE')
    print(write_manifest(options.to))


def write_manifest(folder: Path) -> int:
    """Write the manifest of the files in `folder`; their size in bytes.

    Raises:
        BundleError: together they are larger than the package may carry.
    """
    files = {path.relative_to(folder).as_posix(): {
        'sha256': sha256_of(path), 'size': path.stat().st_size}
        for path in sorted(folder.rglob('*')) if path.is_file() and path.name != MANIFEST}
    size = sum(values['size'] for values in files.values())
    if size > LIMIT:
        raise BundleError(f'expected a parser of at most {LIMIT} bytes, got {size}')
    (folder / MANIFEST).write_text(json.dumps({
        'name': folder.name, 'layout': 'spacy', 'licence': 'CC-BY-SA-4.0', 'files': files,
    }, indent=1) + '\n', encoding='utf-8')
    return size


if __name__ == '__main__':
    main()
