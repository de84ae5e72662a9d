"""Write docs/licences.md: every distribution that set-up installs, its version and its licence.

    . tools/env.sh && python tools/make_licences.py

A licence is what the distribution says of itself: its metadata, for ROS packages package.xml, else
the licence file that it brings along.
"""

from collections import defaultdict
import importlib.metadata
from pathlib import Path
import re
import sys
import xml.etree.ElementTree as ElementTree

from renew_hashes import pins

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / 'docs' / 'licences.md'
# Jazzy has the same packages of ROS in other versions.
_LEFT_OUT = 'jazzy'
# What licence files begin with, or say, where nothing else names the licence.
_TEXTS = (('Apache License', 'Apache-2.0'), ('Permission is hereby granted', 'MIT'),
          ('Redistribution and use in source and binary forms', 'BSD'))
_UNKNOWN = 'none stated'
_PROPRIETARY = re.compile('proprietary', re.IGNORECASE)

_HEAD = """\
<!-- Written by tools/make_licences.py: run it after a pin has changed. -->
# Licences

This package is under the Apache License 2.0 (`LICENSE`). `tools/setup.sh` installs the
distributions below from the package index, each under its own licence. None of them is part of
this repository. Jazzy's packages of ROS have other versions and the same licences. The weights of
a model bundle have licences of their own, which its manifest names.

"""
_NVIDIA = """\
## Proprietary

These come with PyTorch, for a GPU of NVIDIA. Their licences are NVIDIA's own and no free ones:
they allow use and, under conditions, redistribution. Each brings its text along in its `dist-info`
folder. Read them before you ship an image that has them in it. A CPU build of PyTorch needs none
of them.

"""


def main() -> int:
    """Write the page, and name what states no licence."""
    rows = licences()
    PAGE.write_text(page(rows))
    unknown = [name for name, _, licence in rows if licence == _UNKNOWN]
    print(f'{PAGE}: {len(rows)} distributions')
    print(*(f'states no licence: {name}' for name in unknown), sep='\n')
    return 0


def page(rows: list[tuple[str, str, str]]) -> str:
    """The page of (name, version, licence)."""
    own = [row for row in rows if is_proprietary(row)]
    free = [row for row in rows if not is_proprietary(row)]
    return _HEAD + _NVIDIA + _table(own) + '\n## All others\n\n' + _table(free)


def is_proprietary(row: tuple[str, str, str]) -> bool:
    """Whether a row's licence is nobody's but its maker's."""
    return bool(_PROPRIETARY.search(row[2]))


def _table(rows: list[tuple[str, str, str]]) -> str:
    lines = ['| distribution | version | licence |', '|---|---|---|',
             *(f'| {name} | {version} | {licence} |' for name, version, licence in rows)]
    return '\n'.join(lines) + '\n'


def pinned() -> dict[str, str]:
    """Version by name of everything in requirements/, without Jazzy's."""
    found = {}
    for path in (ROOT / 'requirements').glob('*.txt'):
        if path.stem != _LEFT_OUT:
            found.update(pin.split('==') for pin in pins(path.read_text().splitlines()))
    return dict(sorted(found.items()))


def licences() -> list[tuple[str, str, str]]:
    """(name, version, licence) of everything pinned, as it is installed here.

    Raises:
        SystemExit: another version is installed, or none.
    """
    of_ros = ros_licences()
    rows, wrong = [], []
    for name, version in pinned().items():
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f'{name} {version}: not installed')
            continue
        if distribution.version != version:
            wrong.append(f'{name} {version}: {distribution.version} is installed')
        rows.append((name, version, licence_of(distribution, of_ros) or _UNKNOWN))
    if wrong:
        sys.exit('expected what requirements/ pins for Kilted, run `make setup` first:\n'
                 + '\n'.join(wrong))
    return rows


def licence_of(distribution: importlib.metadata.Distribution, of_ros: dict[str, str]) -> str:
    """What a distribution says of its licence, '' for nothing."""
    metadata = distribution.metadata
    name = metadata['Name'].lower()
    if name.startswith('ros-'):
        package = re.sub(r'^ros-(kilted-)?', '', name).replace('-', '_')
        return of_ros.get(package, '') or _from_text(distribution)
    if name.startswith(('nvidia-', 'cuda-')) and not metadata.get('License-Expression'):
        # Their classifier is no more than 'Other/Proprietary License', where there is one.
        return metadata.get('License') or 'NVIDIA Proprietary Software'
    named = [line.rpartition(' :: ')[2] for line in metadata.get_all('Classifier') or ()
             if line.startswith('License :: ') and not line.endswith('OSI Approved')]
    said = metadata.get('License-Expression') or ', '.join(named) or metadata.get('License') or ''
    return said.strip().partition('\n')[0] or _from_text(distribution)


def _from_text(distribution: importlib.metadata.Distribution) -> str:
    for file in distribution.files or ():
        if file.name.upper().startswith(('LICENSE', 'LICENCE', 'COPYING')):
            text = file.read_text()
            for words, licence in _TEXTS:
                if words in text:
                    return licence
    return ''


def ros_licences() -> dict[str, str]:
    """Licences of ROS packages from their package.xml, by package."""
    found = defaultdict(str)
    for path in Path(sys.prefix, 'share').glob('*/package.xml'):
        root = ElementTree.parse(path).getroot()
        found[path.parent.name] = ', '.join(
            element.text.strip() for element in root.findall('license') if element.text)
    return found


if __name__ == '__main__':
    sys.exit(main())
