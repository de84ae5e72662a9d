"""`refdiff models list|pull|verify`: what is here, get it, check it."""

import argparse
import sys
import time

from refdiff_ros.models.sizes import size_text


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add `refdiff models` to the command line."""
    parser = subparsers.add_parser('models', help='list, download and check model bundles')
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    listing = commands.add_parser('list', help='show the bundles and what of them is here')
    listing.set_defaults(run=_list)
    pulling = commands.add_parser('pull', help='download what is missing of a bundle')
    verifying = commands.add_parser('verify', help='compare every file with its sha256')
    for command, run in ((pulling, _pull), (verifying, _verify)):
        command.add_argument(
            'bundle', help="a name of 'refdiff models list', a folder, or a hub id owner/name")
        command.add_argument('--revision', help='branch, tag or commit of a hub id')
        command.set_defaults(run=run)


def _list(args: argparse.Namespace) -> int:
    from refdiff_ros.models import store  # not before a subcommand asks for it

    print(f'bundles below {store.home()} (set REFDIFF_HOME to move them)')
    for name in store.known_bundles():
        if name == store.UNTRAINED:
            print(f'{name:<20} built in    random weights, for trying things out')
        else:
            _print_bundle(name, store.locate(name))
    for path in sorted((store.home() / 'hub').glob('*/*/bundle.json')):
        repo = path.parent.parent.name.replace('--', '/', 1)
        _print_bundle(f'{repo}@{path.parent.name[:8]}', store.locate(str(path.parent)))
    return 0


def _print_bundle(name: str, located) -> None:
    from refdiff_ros.models.lock_file import missing_files

    bundle = located.bundle
    missing = set(missing_files(bundle, located.folder))
    files = bundle.files()
    size = sum(file.size or 0 for _, file in files.values())
    to_get = sum(file.size or 0 for key, (_, file) in files.items() if key in missing)
    state = 'complete' if not missing else 'incomplete'
    detail = f'{len(files)} files, {size_text(size)}'
    if missing:
        detail += (f'; {len(missing)} files, {size_text(to_get)} to get: '
                   f"'refdiff models pull {name.split('@')[0]}'")
    licences = sorted({part.licence for part in bundle.parts if part.licence})
    trained = '' if bundle.trained else '; not trained'
    print(f'{name:<20} {state:<11} {detail}{trained}'
          + (f'; licences: {", ".join(licences)}' if licences else ''))


def _pull(args: argparse.Namespace) -> int:
    from refdiff_ros.models import store
    from refdiff_ros.models.lock_file import check_files

    if args.bundle == store.UNTRAINED:
        print(f'{store.UNTRAINED} is built in: nothing to download')
        return 0
    located = store.locate(args.bundle, args.revision, refresh=True)
    pulled = store.pull(located, ProgressLine)
    problems = check_files(located.bundle, located.folder)
    for problem in problems:
        print(problem)
    if problems:
        return 1
    print(f'{located.bundle.name} is complete in {located.folder} '
          f'({len(pulled)} files downloaded)')
    return 0


def _verify(args: argparse.Namespace) -> int:
    from refdiff_ros.models import store
    from refdiff_ros.models.lock_file import check_files, missing_files

    if args.bundle == store.UNTRAINED:
        print(f'{store.UNTRAINED} is built in: nothing to verify')
        return 0
    located = store.locate(args.bundle, args.revision, offline=True)
    bundle, folder = located.bundle, located.folder
    missing = missing_files(bundle, folder)
    problems = check_files(bundle, folder, everything=True, ignore=missing)
    if missing:
        problems.append(f'expected {len(bundle.files())} files in {folder}, {len(missing)} are '
                        f"missing (first: {missing[0]}): run 'refdiff models pull "
                        f"{args.bundle}'")
    for problem in problems:
        print(problem)
    if not problems:
        print(f'{bundle.name}: {len(bundle.files())} files in {folder} are as their sha256 says')
    return 1 if problems else 0


class ProgressLine:
    """One line of progress with rate and time left, on stderr.

    On a terminal the line is rewritten; elsewhere a line is written every 30 s and at the end.
    """

    def __init__(self, name: str):
        self._name = name
        self._terminal = sys.stderr.isatty()
        self._start = self._last = time.monotonic()
        self._first: int | None = None

    def __call__(self, done: int, total: int | None) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first = done
        whole = total is not None and done >= total
        if not whole and now - self._last < (0.2 if self._terminal else 30.0):
            return
        self._last = now
        text = progress_text(self._name, done, total, done - self._first, now - self._start)
        end = '\n' if whole or not self._terminal else ''
        print(('\r\x1b[K' if self._terminal else '') + text, end=end, file=sys.stderr, flush=True)


def progress_text(
    name: str, done: int, total: int | None, received: int, seconds: float,
) -> str:
    """A line of progress.

    Args:
        name: of the file.
        done: bytes present.
        total: bytes in all, if known.
        received: bytes received in this run.
        seconds: this run has taken.
    """
    text = f'{name}: {size_text(done)}'
    if total is not None:
        text += f' of {size_text(total)}'
    rate = received / seconds if seconds > 0 else 0.0
    if rate <= 0:
        return text
    text += f', {size_text(int(rate))}/s'
    if total is not None and done < total:
        left = int((total - done) / rate)
        text += f', {left // 60}:{left % 60:02d} min left'
    return text
