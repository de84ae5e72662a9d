"""Where bundles are on this machine.

Everything is kept below `home()`:

    bundles/<name>/                 a bundle whose manifest ships with the package
    hub/<owner>--<name>/<commit>/   a bundle whose manifest is on the hub
    hub/<owner>--<name>/refs/<rev>  the commit that a revision stood for when it was pulled
    locks/                          what was verified of bundles in other folders
"""

from pathlib import Path
import shlex
from urllib.parse import quote

from refdiff_ros.errors import BundleError
from refdiff_ros.models import hub
from refdiff_ros.models.bundle import (
    HubSource,
    is_hub_id,
    MANIFEST,
    read_manifest,
    read_manifest_file,
)
from refdiff_ros.models.home import expanded, home, is_offline
from refdiff_ros.models.located import Located, store_errors
from refdiff_ros.models.transfer import PATIENCE, Retries

UNTRAINED = 'untrained_mini'
TABLETOP = 'tabletop_mini'
MANIFESTS = Path(__file__).with_name('manifests')
# Bundles that come whole with this package.
SHIPPED = Path(__file__).parents[1] / 'bundles'


def known_bundles() -> list[str]:
    """Names of the bundles that can be named without a download.

    They are shipped, built in, or known by a shipped manifest.
    """
    shipped = sorted(path.parent.name for path in SHIPPED.glob(f'*/{MANIFEST}'))
    return [*shipped, UNTRAINED, *sorted(path.stem for path in MANIFESTS.glob('*.json'))]


def locate(
    name_or_path: str,
    revision: str | None = None,
    offline: bool = False,
    refresh: bool = False,
    retries: Retries = PATIENCE,
) -> Located:
    """Find the manifest of a bundle: a folder, a known name, or a hub id.

    Args:
        name_or_path: a folder with `bundle.json`, a name of `known_bundles`, or 'owner/name'.
        revision: of a hub id; None is 'main'.
        offline: make no request.
        refresh: ask the hub which commit a revision stands for, also when that is known.
        retries: patience with the hub.

    Raises:
        BundleError: there is no such bundle, or its manifest is not valid.
        DownloadError: the manifest is needed from the hub and cannot be had.
    """
    folder = expanded(Path(name_or_path))
    asked = shlex.quote(name_or_path)
    manifest = MANIFESTS / f'{name_or_path}.json'
    if revision is not None and (folder.is_dir() or not is_hub_id(name_or_path)):
        raise BundleError(f'expected a hub id with revision {revision!r}, got {name_or_path!r}: '
                          'a revision belongs to a bundle on the hub')
    # A known name wins over a folder that happens to be called so; './name' is the folder.
    if name_or_path in known_bundles() and manifest.is_file():
        return Located(
            read_manifest_file(manifest), home() / 'bundles' / name_or_path, asked=asked)
    if name_or_path in known_bundles() and (SHIPPED / name_or_path / MANIFEST).is_file():
        return Located(
            read_manifest(SHIPPED / name_or_path), SHIPPED / name_or_path, asked=asked)
    if folder.is_dir():
        return Located(read_manifest(folder), folder, asked=asked)
    if is_hub_id(name_or_path):
        return _locate_on_hub(HubSource(name_or_path, revision or 'main'), offline, refresh,
                              retries)
    raise BundleError(
        f'expected a bundle of {known_bundles()}, a folder with {MANIFEST}, or a hub id '
        f"'owner/name', got {name_or_path!r}")


def _locate_on_hub(
    source: HubSource, offline: bool, refresh: bool, retries: Retries,
) -> Located:
    base = home() / 'hub' / source.repo.replace('/', '--')
    ref = base / 'refs' / quote(source.revision, safe='')
    asked = f'{source.repo} --revision {shlex.quote(source.revision)}'
    with store_errors(base):
        offline = offline or is_offline()
        kept = source.revision if hub.is_commit(source.revision) else _read_ref(ref)
        known = bool(kept) and (base / kept / MANIFEST).is_file()
        if not known and offline:
            raise BundleError(
                f'expected {source.repo} at {source.revision} in {base}, found none, and '
                f"downloads are off: run 'refdiff models pull {asked}' with network, or "
                'copy that folder from another machine')
        fixed = known and hub.is_commit(source.revision)
        commit = kept
        if not known or (refresh and not fixed and not offline):
            commit = hub.look_up(source, MANIFEST, retries).commit
        folder, found = base / commit, HubSource(source.repo, commit)
        if not (folder / MANIFEST).is_file():
            hub.fetch(found, MANIFEST, folder / MANIFEST, retries=retries)
        if commit != kept:
            ref.parent.mkdir(parents=True, exist_ok=True)
            ref.write_text(commit + '\n', encoding='ascii')
    return Located(read_manifest(folder), folder, found, asked)


def _read_ref(ref: Path) -> str:
    """The commit that a revision stood for when it was asked for last, '' when it never was."""
    commit = ref.read_text(encoding='utf-8', errors='replace').strip() if ref.is_file() else ''
    return commit if hub.is_commit(commit) else ''
