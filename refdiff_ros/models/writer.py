"""Write loaded models as a bundle folder in the standard layouts."""

from collections.abc import Mapping
import json
from pathlib import Path
from typing import Any

from refdiff_ros.errors import BundleError
from refdiff_ros.language.shipped_parser import load_parser
from refdiff_ros.models.bundle import Bundle, FileSpec, MANIFEST, manifest_values, Part
from refdiff_ros.models.model_set import ClipModels, DiffusionModels, ModelSet
from refdiff_ros.models.sam_config import config_of, is_sam2
from refdiff_ros.models.transfer import sha256_of
from refdiff_ros.optional import require_package

_LAYOUTS = {'diffusion': 'diffusers', 'clip': 'transformers', 'sam': 'segment-anything-config',
            'parser': 'spacy'}
# What diffusers and transformers write of the place from which a model was read.
_ORIGIN = ('_name_or_path', 'is_local', 'local_files_only')


def write_bundle(  # noqa: PLR0913, each a field of the manifest
    models: ModelSet,
    folder: str | Path,
    name: str | None = None,
    trained: bool | None = None,
    notice: str | None = None,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    licences: Mapping[str, str] | None = None,
) -> Bundle:
    """Save `models` to `folder` as safetensors and configs, with a manifest of their sha256.

    Args:
        models: what is saved; `load_bundle(folder)` gives the same weights.
        folder: a new or empty folder.
        name, trained, notice, overrides: in place of those of `models`.
        licences: by part ('diffusion', 'clip', 'sam', 'parser').

    Returns:
        The manifest, which is written last: a folder with one is complete.

    Raises:
        BundleError: the folder is not empty, a part was not loaded, or the manifest would not be
            valid.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BundleError(f'expected a new or empty folder for a bundle, got {folder}')
    if models.diffusion is None or models.clip is None:
        raise BundleError(f"expected the bundle '{models.name}' loaded for the mode 'full', "
                          'got only some of its parts: load it for that mode, then write it')
    _write_diffusion(models.diffusion, folder / 'diffusion')
    _write_clip(models.clip, folder / 'clip')
    if models.sam is not None:
        _write_sam(models.sam, folder / 'sam')
    # A bundle without a parser uses the one that comes with this package.
    parser: Any = models.nlp
    if parser is not None and parser is not load_parser():
        parser.to_disk(folder / 'parser')
    for path in folder.rglob('*'):
        if path.is_file():
            path.chmod(0o644)  # safetensors writes files that only their owner can read
        if path.name in ('config.json', 'tokenizer_config.json'):
            _forget_origin(path)
    parts = tuple(
        Part(name=part, folder=part,
             layout='transformers' if part == 'sam' and is_sam2(models.sam) else layout,
             files=_file_specs(folder / part),
             licence=(licences or {}).get(part, ''))
        for part, layout in _LAYOUTS.items() if (folder / part).is_dir())
    bundle = Bundle(
        name=models.name if name is None else name,
        trained=models.trained if trained is None else trained, parts=parts,
        notice=models.notice if notice is None else notice,
        overrides=models.overrides if overrides is None else overrides)
    (folder / MANIFEST).write_text(
        json.dumps(manifest_values(bundle), indent=1) + '\n', encoding='utf-8')
    return bundle


def _write_diffusion(diffusion: DiffusionModels, folder: Path) -> None:
    for part in ('vae', 'unet', 'text_encoder'):
        getattr(diffusion, part).save_pretrained(folder / part, safe_serialization=True)
    diffusion.scheduler.save_pretrained(folder / 'scheduler')
    diffusion.tokenizer.save_pretrained(folder / 'tokenizer')


def _write_clip(clip: ClipModels, folder: Path) -> None:
    clip.model.save_pretrained(folder, safe_serialization=True)
    clip.tokenizer.save_pretrained(folder)
    (folder / 'preprocessor_config.json').write_text(
        json.dumps({'image_mean': list(clip.mean), 'image_std': list(clip.std)}) + '\n',
        encoding='utf-8')


def _write_sam(sam: Any, folder: Path) -> None:
    if is_sam2(sam):
        sam.save_pretrained(folder, safe_serialization=True)
        return
    folder.mkdir(parents=True)
    weights = {name: value.detach().cpu().contiguous()
               for name, value in sam.state_dict().items()}
    require_package('safetensors.torch', 'models').save_file(
        weights, folder / 'model.safetensors')
    (folder / 'config.json').write_text(
        json.dumps(config_of(sam), indent=1) + '\n', encoding='utf-8')


def _forget_origin(path: Path) -> None:
    """Leave out of a configuration from which folder of this machine the model was read."""
    values = json.loads(path.read_text(encoding='utf-8'))
    kept = {name: value for name, value in values.items() if name not in _ORIGIN}
    if kept != values:
        path.write_text(json.dumps(kept, indent=2, sort_keys=True) + '\n', encoding='utf-8')


def _file_specs(folder: Path) -> tuple[FileSpec, ...]:
    paths = sorted(path for path in folder.rglob('*') if path.is_file())
    return tuple(
        FileSpec(path.relative_to(folder).as_posix(), sha256_of(path), path.stat().st_size)
        for path in paths)
