"""The manifest of a model bundle: which files make up which model, and how each is trusted.

A bundle is a folder with one subfolder per part and a manifest `bundle.json`:

    {
      "format": 1,
      "name": "sd15_vit_h",
      "trained": true,
      "notice": "",                         a sentence shown with every answer, or ''
      "parts": {
        "diffusion": {                      diffusion and clip are needed, sam and parser are not
          "layout": "diffusers",            diffusers | transformers | segment-anything |
                                            segment-anything-config | spacy
          "folder": "diffusion",            inside the bundle; default: the part's name
          "licence": "CreativeML Open RAIL-M",
          "hub": {"repo": "owner/name", "revision": "<commit>"},    where files come from, or
          "url": "https://host/folder",     a plain https address, for files with a pinned
                                            sha256, or
                                            neither: the files come with the manifest
          "type": "vit_h",                  segment-anything only: vit_h, vit_l or vit_b (SAM 2
                                            is of layout transformers and has no type)
          "package": "en_core_web_sm",      spacy only: an installed package instead of files
          "files": [{"path": "unet/config.json", "sha256": "<64 hex>", "size": 743}]
        }
      },
      "overrides": {"onboard": {"proposals": {"points_per_side": 16}}}     see Preset.override
    }

`sha256` and `size` may be left out for files from a hub: the hub's own checksum (sha256 of large
files, git blob id of small ones, at a pinned revision) is then verified and its sha256 written to
the lock file. A pickle (`.pth`, `.pt`, `.ckpt`, `.bin`) always needs `sha256` in the manifest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
import re
from typing import Any

from refdiff_ros.console import from_json
from refdiff_ros.errors import BadRequestError, BundleError
from refdiff_ros.presets import get_preset

MANIFEST = 'bundle.json'
FORMAT = 1
LAYOUTS = {
    'diffusion': ('diffusers',),
    'clip': ('transformers',),
    'sam': ('segment-anything', 'segment-anything-config', 'transformers'),
    'parser': ('spacy',),
}
SAM_TYPES = ('vit_h', 'vit_l', 'vit_b')
# Formats that can carry code: read with weights_only=True and a pinned sha256, or not at all.
PICKLES = ('.pth', '.pt', '.ckpt', '.bin', '.pkl')

_SHA256 = re.compile(r'[0-9a-f]{64}')
_NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9._-]*')
_ADDRESS = re.compile(r'https://[^/\s?#@]+(/[^\s?#]*)?')
_PACKAGE = re.compile(r'[a-z]{2,3}_[a-z0-9]+_[a-z0-9]+_[a-z0-9_]+')
_REPO = re.compile(r'[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*')


def is_pickle(path: str) -> bool:
    """Whether a file's format can carry code."""
    return PurePosixPath(path).suffix in PICKLES


def is_hub_id(text: str) -> bool:
    """Whether `text` has the form of a hub id, `owner/name`."""
    return _REPO.fullmatch(text) is not None and '..' not in text


@dataclass(frozen=True)
class FileSpec:
    """One file of a part: path inside the part's folder, sha256 in hex and size in bytes.

    Raises:
        BundleError: a path that leaves the folder, or a malformed checksum or size.
    """

    path: str
    sha256: str | None = None
    size: int | None = None

    def __post_init__(self):
        _check_inside(self.path)
        if self.sha256 is not None and not _SHA256.fullmatch(self.sha256):
            raise BundleError(f'expected sha256 of {self.path} as 64 lower-case hex digits, '
                              f'got {self.sha256!r}')
        if self.size is not None and (not isinstance(self.size, int) or self.size < 0):
            raise BundleError(f'expected size of {self.path} in bytes, got {self.size!r}')


@dataclass(frozen=True)
class HubSource:
    """A repository on the hub and the revision (best: a commit) that is taken."""

    repo: str
    revision: str = 'main'

    def __post_init__(self):
        if not is_hub_id(self.repo):
            raise BundleError(f"expected a hub repository 'owner/name', got {self.repo!r}")
        if not self.revision or '..' in self.revision:
            raise BundleError(f'expected a hub revision, got {self.revision!r}')


@dataclass(frozen=True)
class Part:
    """One model of a bundle; see the module's description of the manifest."""

    name: str
    layout: str
    folder: str
    files: tuple[FileSpec, ...] = ()
    hub: HubSource | None = None
    url: str = ''
    type: str = ''
    package: str = ''
    licence: str = ''

    def __post_init__(self):
        allowed = LAYOUTS.get(self.name)
        if allowed is None:
            raise BundleError(f'expected parts of {sorted(LAYOUTS)}, got {self.name!r}')
        if self.layout not in allowed:
            raise BundleError(
                f'expected layout of part {self.name} to be one of {list(allowed)}, '
                f'got {self.layout!r}')
        _check_inside(self.folder)
        if self.layout == 'segment-anything' and self.type not in SAM_TYPES:
            raise BundleError(f'expected type of part {self.name} to be one of '
                              f'{list(SAM_TYPES)}, got {self.type!r}')
        if not self.files and not self.package:
            raise BundleError(f'expected files in part {self.name}, got none')
        if self.url and not _ADDRESS.fullmatch(self.url):
            raise BundleError(f'expected url of part {self.name} as https://host/folder, '
                              f'got {self.url!r}')
        if self.package and not _PACKAGE.fullmatch(self.package):
            raise BundleError(f'expected package of part {self.name} to be a spaCy pipeline such '
                              f"as 'en_core_web_sm', got {self.package!r}")
        for file in self.files:
            self._check_trust(file)

    def _check_trust(self, file: FileSpec) -> None:
        if is_pickle(file.path) and file.sha256 is None:
            raise BundleError(
                f'expected a pinned sha256 for {self.name}/{file.path}, got none: a pickle can '
                'carry code and is refused without it; pin it or use safetensors')
        if self.url and file.sha256 is None:
            raise BundleError(
                f'expected a pinned sha256 for {self.name}/{file.path}, got none: a plain url '
                'has no checksum of its own')
        if self.hub is None and not self.url and file.sha256 is None:
            raise BundleError(
                f'expected sha256 of {self.name}/{file.path}, got none: files that come with '
                'the manifest are checked against it')


@dataclass(frozen=True)
class Bundle:
    """A validated manifest.

    Raises:
        BundleError: a needed part is missing or the overrides do not fit a preset.
    """

    name: str
    trained: bool
    parts: tuple[Part, ...]
    notice: str = ''
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self):
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise BundleError(f'expected a bundle name of letters, digits and ._-, '
                              f'got {self.name!r}')
        if not isinstance(self.trained, bool):
            raise BundleError(f'expected trained to be true or false, got {self.trained!r}')
        names = [part.name for part in self.parts]
        for needed in ('diffusion', 'clip'):
            if needed not in names:
                raise BundleError(f'expected a part {needed!r}, got {names}')
        if not self.trained and not self.notice:
            raise BundleError('expected a notice in a bundle that is not trained, got none')
        for preset, values in self.overrides.items():
            try:
                get_preset(preset).override(values)
            except (BadRequestError, TypeError, AttributeError) as error:
                raise BundleError(f'overrides of preset {preset!r}: {error}') from error

    def part(self, name: str) -> Part | None:
        """The part called `name`, or None when the bundle has none."""
        return next((part for part in self.parts if part.name == name), None)

    def files(self) -> dict[str, tuple[Part, FileSpec]]:
        """Every file by its path inside the bundle."""
        return {f'{part.folder}/{file.path}': (part, file)
                for part in self.parts for file in part.files}


def read_manifest(folder: str | Path) -> Bundle:
    """The manifest of the bundle in `folder`.

    Raises:
        BundleError: there is none, or it is not valid.
    """
    path = Path(folder) / MANIFEST
    if not path.is_file():
        raise BundleError(f'expected a bundle manifest at {path}, found none: name a folder that '
                          f"holds {MANIFEST}, or a bundle that 'refdiff models list' shows")
    return read_manifest_file(path)


def read_manifest_file(path: Path) -> Bundle:
    """The manifest in the file `path`.

    Raises:
        BundleError: it is not valid.
    """
    try:
        return parse_manifest(from_json(path.read_text(encoding='utf-8')))
    except (ValueError, OSError, TypeError, AttributeError) as error:
        raise BundleError(f'expected JSON in {path}: {error}') from error
    except BundleError as error:
        raise BundleError(f'{path}: {error}') from error


def parse_manifest(values: Any) -> Bundle:
    """A manifest from decoded JSON.

    Raises:
        BundleError: something is missing, unknown, or of the wrong kind.
    """
    _check_keys(values, 'manifest', {'format', 'name', 'trained', 'notice', 'parts', 'overrides'},
                {'format', 'name', 'trained', 'parts'})
    if values['format'] != FORMAT:
        raise BundleError(f'expected manifest format {FORMAT}, got {values["format"]!r}: '
                          'use the version of this package that the bundle was made for')
    if not isinstance(values['parts'], dict):
        raise BundleError(f'expected parts by name, got {type(values["parts"]).__name__}')
    overrides = values.get('overrides', {})
    if not isinstance(overrides, dict):
        raise BundleError(f'expected overrides by preset, got {type(overrides).__name__}')
    return Bundle(
        name=values['name'], trained=values['trained'], notice=values.get('notice', ''),
        parts=tuple(_parse_part(name, part) for name, part in values['parts'].items()),
        overrides=overrides)


def _parse_part(name: str, values: Any) -> Part:
    _check_keys(
        values, f'part {name}',
        {'layout', 'folder', 'licence', 'hub', 'url', 'type', 'package', 'files'}, {'layout'})
    hub = values.get('hub')
    if hub is not None:
        _check_keys(hub, f'part {name}: hub', {'repo', 'revision'}, {'repo'})
    files = values.get('files', [])
    for file in files:
        _check_keys(file, f'part {name}: file', {'path', 'sha256', 'size'}, {'path'})
    return Part(
        name=name, layout=values['layout'], folder=values.get('folder', name),
        files=tuple(FileSpec(**file) for file in files),
        hub=None if hub is None else HubSource(**hub), url=values.get('url', ''),
        type=values.get('type', ''), package=values.get('package', ''),
        licence=values.get('licence', ''))


def manifest_values(bundle: Bundle) -> dict[str, Any]:
    """The manifest as JSON-ready values, empty ones left out."""
    parts = {}
    for part in bundle.parts:
        values: dict[str, Any] = {
            'layout': part.layout, 'folder': part.folder, 'licence': part.licence,
            'url': part.url, 'type': part.type, 'package': part.package}
        if part.hub is not None:
            values['hub'] = {'repo': part.hub.repo, 'revision': part.hub.revision}
        values['files'] = [
            {key: value for key, value in vars(file).items() if value is not None}
            for file in part.files]
        parts[part.name] = {key: value for key, value in values.items() if value}
    return {'format': FORMAT, 'name': bundle.name, 'trained': bundle.trained,
            'notice': bundle.notice, 'parts': parts, 'overrides': dict(bundle.overrides)}


def _check_keys(values: Any, what: str, known: set[str], needed: set[str]) -> None:
    if not isinstance(values, dict):
        raise BundleError(f'expected {what} as a JSON object, got {type(values).__name__}')
    if unknown := set(values) - known:
        raise BundleError(f'expected {what} with keys of {sorted(known)}, got {sorted(unknown)}')
    if missing := needed - set(values):
        raise BundleError(f'expected {what} with {sorted(missing)}, which is missing')


def _check_inside(path: Any) -> None:
    """A path of a manifest must stay inside the bundle, whoever wrote it."""
    if not isinstance(path, str) or not path or '\\' in path or '\0' in path:
        raise BundleError(f'expected a relative path with forward slashes, got {path!r}')
    pure = PurePosixPath(path)
    if pure.is_absolute() or '..' in pure.parts or str(pure) != path or path == '.':
        raise BundleError(f'expected a path inside the bundle, got {path!r}')
