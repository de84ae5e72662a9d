"""`refdiff models list|pull|verify`: what is here, get it, check it."""

import argparse

from refdiff_ros.errors import BundleError
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
        try:
            _print_bundle(f'{repo}@{path.parent.name[:8]}', store.locate(str(path.parent)))
        except BundleError as error:  # one broken folder must not hide the others
            print(f'{repo:<20} unreadable  {error}')
    return 0


def _print_bundle(name: str, located) -> None:
    from refdiff_ros.models.lock_file import missing_files

    bundle = located.bundle
    missing = set(missing_files(located))
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
    from refdiff_ros.models.progress import ProgressLine
    from refdiff_ros.models.pulling import pull

    if args.bundle == store.UNTRAINED:
        print(f'{store.UNTRAINED} is built in: nothing to download')
        return 0
    located = store.locate(args.bundle, args.revision, refresh=True)
    with ProgressLine() as line:
        pulled = pull(located, line)
        problems = check_files(located, listener=line)
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
    from refdiff_ros.models.progress import ProgressLine

    if args.bundle == store.UNTRAINED:
        print(f'{store.UNTRAINED} is built in: nothing to verify')
        return 0
    located = store.locate(args.bundle, args.revision, offline=True)
    bundle, folder = located.bundle, located.folder
    missing = missing_files(located)
    with ProgressLine() as line:
        problems = check_files(located, everything=True, listener=line)
    if missing:
        problems.append(f'expected {len(bundle.files())} files in {folder}, {len(missing)} are '
                        f"missing (first: {missing[0]}): run '{located.pull_command}'")
    for problem in problems:
        print(problem)
    if not problems:
        print(f'{bundle.name}: {len(bundle.files())} files in {folder} are as their sha256 says')
    return 1 if problems else 0
