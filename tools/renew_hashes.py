#!/usr/bin/env python3
"""Write the hash of every file that set-up may install into requirements/*.txt.

    python tools/renew_hashes.py                  (after a pin was changed; a few minutes)
    python tools/renew_hashes.py --check          (1 and the names, where a hash is missing)

pip is asked, without installing anything, which file it would take for each pin: for each Python
and for an old and a new C library. It asks the package index alone: a file of the same name on
this machine's disk must have the index's hash, or set-up refuses it.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterable
import json
import os
from pathlib import Path
import re
import subprocess
import sys
import tempfile

FOLDER = Path(__file__).resolve().parents[1] / 'requirements'
# One of the two is installed, beside everything else.
DISTROS = ('kilted', 'jazzy')
PYTHONS = ('3.11', '3.12', '3.13')
# The C libraries that wheels are made for: the oldest that ROS's wheels run on, and a new one.
OLD_GLIBC, NEW_GLIBC = 28, 42
_PIN = re.compile(r'([a-z0-9.-]+)==([\w.]+)')


def main() -> int:
    """Ask and write, or check."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--check', action='store_true', help='change nothing, ask nobody')
    args = parser.parse_args()
    files = {path.stem: path.read_text().splitlines() for path in sorted(FOLDER.glob('*.txt'))}
    if args.check:
        missing = [f'{name}.txt: {pin}' for name, lines in files.items()
                   for pin, hashes in hashes_of(lines).items() if not hashes]
        print('\n'.join(missing) or 'every pin has its hashes')
        return int(bool(missing))
    with tempfile.TemporaryDirectory() as folder:
        known = ask_for(files, newer_pip(Path(folder)))
    for name, lines in files.items():
        (FOLDER / f'{name}.txt').write_text('\n'.join(written(lines, known)) + '\n')
    print(f'{sum(map(len, known.values()))} hashes for {len(known)} pins')
    return 0


def newer_pip(folder: Path) -> Path:
    """A Python with a pip that reads what a wheel is without downloading it.

    The one that comes with Python 3.11 would download everything, some twenty gigabytes.
    """
    subprocess.run([sys.executable, '-m', 'venv', folder], check=True)
    python = folder / 'bin' / 'python'
    subprocess.run([python, '-m', 'pip', 'install', '-qq', '--upgrade', 'pip>=25'], check=True,
                   stdin=subprocess.DEVNULL)
    return python


def ask_for(files: dict[str, list[str]], pip: Path) -> dict[str, set[str]]:
    """The hashes of every pin of all files; those of the two distributions apart."""
    common = [pin for name, lines in files.items() if name not in DISTROS for pin in pins(lines)]
    known = ask([*common, *pins(files['kilted'])], pip)
    for pin, hashes in ask(pins(files['jazzy']), pip).items():
        known[pin] |= hashes
    return known


def pins(lines: Iterable[str]) -> list[str]:
    """'name==version' of each pin."""
    return [found.group() for line in lines if (found := _PIN.match(line))]


def hashes_of(lines: Iterable[str]) -> dict[str, list[str]]:
    """The hashes that stand in a file, by pin."""
    result: dict[str, list[str]] = {}
    hashes: list[str] = []  # what stands before the first pin belongs to none
    for line in lines:
        if found := _PIN.match(line):
            hashes = result[found.group()] = []
        hashes += re.findall(r'--hash=sha256:([0-9a-f]{64})', line)
    return result


def written(lines: Iterable[str], known: dict[str, set[str]]) -> list[str]:
    """The file's lines with the hashes that are known."""
    comments = [line for line in lines if line.startswith('#')]
    rows = [' \\\n'.join([pin, *(f'    --hash=sha256:{each}' for each in sorted(known[pin]))])
            for pin in pins(lines)]
    return [*comments, *rows]


def ask(wanted: list[str], pip: Path) -> dict[str, set[str]]:
    """The hashes of every file that pip would take for the pins, by pin.

    Raises:
        SystemExit: pip finds no file for one.
    """
    known: dict[str, set[str]] = defaultdict(set)
    for python in PYTHONS:
        new = files_for(wanted, pip, python, NEW_GLIBC)
        # Nearly every wheel runs on the old library too; then pip takes the same one there.
        newer = [pin for pin, (name, _) in new.items() if not runs_on_old(name)]
        old = files_for(newer, pip, python, OLD_GLIBC) if newer else {}
        for pin, (_, digest) in (*new.items(), *old.items()):
            known[pin].add(digest)
        print(f'Python {python}: {len(new)} files, {len(old)} others for an old C library',
              file=sys.stderr)
    return known


def runs_on_old(name: str) -> bool:
    """Whether a file's name says that it runs on the old C library."""
    glibcs = re.findall(r'manylinux_2_(\d+)_', name)
    return not glibcs or min(map(int, glibcs)) <= OLD_GLIBC or 'manylinux2014' in name


def files_for(wanted: list[str], pip: Path, python: str, glibc: int,
              ) -> dict[str, tuple[str, str]]:
    """For each pin the name and sha256 of the file that pip would take."""
    platforms = [f'manylinux_2_{minor}_x86_64' for minor in range(glibc, 4, -1)]
    platforms += ['manylinux2014_x86_64', 'manylinux2010_x86_64', 'manylinux1_x86_64',
                  'linux_x86_64']
    with tempfile.TemporaryDirectory() as folder:
        listed, report = Path(folder, 'pins.txt'), Path(folder, 'report.json')
        listed.write_text('\n'.join(wanted) + '\n')
        command = [
            pip, '-m', 'pip', 'install', '--quiet', '--dry-run', '--no-deps',
            '--ignore-installed', '--disable-pip-version-check', '--target', folder,
            '--python-version', python, '--report', str(report), '--requirement', str(listed),
            *(f'--platform={platform}' for platform in platforms), *_index()]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, env=_environment())
        chosen = json.loads(report.read_text())['install']
    by_name = {_PIN.match(pin).group(1): pin for pin in wanted}
    result = {}
    for each in chosen:
        info = each['download_info']
        name = re.sub(r'[-_.]+', '-', each['metadata']['name']).lower()
        result[by_name[name]] = (info['url'].rpartition('/')[2],
                                 info['archive_info']['hashes']['sha256'])
    return result


def _index() -> list[str]:
    """The index and the certificates that this machine's pip is set to; nothing else of it."""
    options = []
    for name in ('index-url', 'cert'):
        asked = subprocess.run([sys.executable, '-m', 'pip', 'config', 'get', f'global.{name}'],
                               capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if asked.returncode == 0:
            options.append(f'--{name}={asked.stdout.strip()}')
    return options


def _environment() -> dict[str, str]:
    left_out = ('PIP_EXTRA_INDEX_URL', 'PIP_FIND_LINKS', 'PIP_CONSTRAINT')
    values = {name: value for name, value in os.environ.items() if name not in left_out}
    return {**values, 'PIP_CONFIG_FILE': os.devnull}


if __name__ == '__main__':
    sys.exit(main())
