"""From a bundle's name to loaded models, and back to free memory."""

from collections.abc import Iterator
from contextlib import contextmanager
import dataclasses
import gc
import json
import logging
from pathlib import Path
from pickle import UnpicklingError
import time
from typing import Any

import torch

from refdiff_ros.errors import BundleError, OutOfMemoryError
from refdiff_ros.language.shipped_parser import load_parser
from refdiff_ros.models.bundle import is_pickle, Part
from refdiff_ros.models.bundled_parser import load_bundled_parser
from refdiff_ros.models.compiling import compile_models
from refdiff_ros.models.devices import choose_device, choose_dtype
from refdiff_ros.models.home import is_offline
from refdiff_ros.models.listed_files import only_listed
from refdiff_ros.models.located import Located
from refdiff_ros.models.lock_file import check_files, missing_files
from refdiff_ros.models.memory import free_caches, is_out_of_memory, modules
from refdiff_ros.models.model_set import ClipModels, DiffusionModels, ModelSet
from refdiff_ros.models.progress import ignore, Listener, Step
from refdiff_ros.models.pulling import pull
from refdiff_ros.models.residency import GROUPS, Residency
from refdiff_ros.models.sam_config import build_sam, set_sam2_dtype, set_sam_dtype
from refdiff_ros.models.store import locate, TABLETOP, UNTRAINED
from refdiff_ros.models.untrained import build_untrained
from refdiff_ros.optional import require_package
from refdiff_ros.presets import Mode

DEFAULT_BUNDLE = TABLETOP
_SMALL_BYTES = 64 << 20
_LOG = logging.getLogger(__name__)


def load_bundle(  # noqa: PLR0913, what a node has a parameter for
    name_or_path: str = DEFAULT_BUNDLE,
    device: str | torch.device = 'auto',
    dtype: str | torch.dtype = 'auto',
    revision: str | None = None,
    offline: bool = False,
    listener: Listener = ignore,
    low_memory: bool = False,
    compile: bool = False,
    mode: Mode | str | None = None,
) -> ModelSet:
    """Load a bundle, downloading what is missing of it first.

    Every file is verified by sha256 before it is read; a complete bundle makes no request.
    SAM's prompt encoder and its estimate of quality stay in float32 whatever `dtype` is:
    coordinates do not survive half precision, and thresholds are set on quality.

    Args:
        name_or_path: a name that `refdiff models list` shows, a folder with a `bundle.json`, or
            a hub id 'owner/name'.
        device: 'auto', 'cpu', 'cuda' or 'cuda:<n>'.
        dtype: 'auto' (bfloat16 or float16 on CUDA, float32 on the CPU) or its name.
        revision: branch, tag or commit of a hub id.
        offline: never use the network; REFDIFF_OFFLINE=1 and HF_HUB_OFFLINE=1 do the same.
        listener: is told of downloads, of files that are hashed and of models that are read.
        low_memory: the models wait in the host's memory, and only the one that computes is on
            the device; each answer then pays for the way there. Without effect on the CPU.
        compile: have torch compile what that makes faster, in `warm_up` or when it first runs;
            see `compiling`.
        mode: load only what this mode needs (G no SAM and no CLIP, GS no CLIP, DS no diffusion
            model), and download no more; None loads everything.

    Raises:
        BundleError: no such bundle, a missing or altered file, a device that is not there.
        BadRequestError: an unknown device or dtype name.
        DownloadError: a missing file cannot be had.
        MissingPackageError: a package is not installed.
        OutOfMemoryError: the models do not fit on the device.
    """
    device = choose_device(device)
    dtype = choose_dtype(dtype, device)
    parts = parts_of(mode)
    if str(name_or_path) == UNTRAINED:
        models = build_untrained(device=_home(device, low_memory), dtype=dtype)
        models.nlp = load_parser()
        for name in ('diffusion', 'clip', 'sam'):
            if name not in parts:
                setattr(models, name, None)
        return _settle(models, device, low_memory, compile)
    located = dataclasses.replace(
        locate(str(name_or_path), revision, offline), parts=frozenset(parts))
    bundle, folder = located.bundle, located.folder
    if missing := missing_files(located):
        if not offline and not is_offline():
            _LOG.warning("bundle '%s' lacks %d files: getting them to %s", bundle.name,
                         len(missing), folder)
        pull(located, listener, offline=offline)
    if problems := check_files(located, listener=listener):
        raise BundleError('; '.join(problems))
    try:
        with _no_progress_bars():
            models = _load(located, _home(device, low_memory), dtype, listener)
        return _settle(models, device, low_memory, compile)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        reason = str(error)
    free_caches()
    raise OutOfMemoryError(
        f"expected bundle '{bundle.name}' to fit into the memory of {device}, which is full: "
        f'stop what else uses it, choose a smaller bundle or another device ({reason})')


def parts_of(mode: Mode | str | None) -> set[str]:
    """The parts of a bundle that a mode needs; all for None."""
    if mode is None:
        return {'diffusion', 'clip', 'sam', 'parser'}
    mode = Mode(mode)
    needed = {'diffusion': mode.generative, 'clip': mode.discriminative, 'sam': mode.segmentor}
    return {'parser', *(name for name, wanted in needed.items() if wanted)}


def _home(device: torch.device, low_memory: bool) -> torch.device:
    return torch.device('cpu') if low_memory else device


def _settle(
    models: ModelSet, device: torch.device, low_memory: bool, compile: bool,
) -> ModelSet:
    """The models, with what moves them if they are not on the device already."""
    models.device = device
    if compile:
        compile_models(models)
    if low_memory and device.type != 'cpu':
        found = modules(models)
        groups = {group: [found[name] for name in names if name in found]
                  for group, names in GROUPS.items()}
        models.residency = Residency(groups, device)
    return models


def unload(models: ModelSet) -> None:
    """Free the models' memory, on the host and on the device.

    `models` is empty afterwards, whoever still holds it. What an engine keeps of frames goes
    with the engine.
    """
    models.diffusion = models.clip = models.sam = models.nlp = models.residency = None
    gc.collect()
    free_caches()


def _load(
    located: Located, device: torch.device, dtype: torch.dtype, listener: Listener,
) -> ModelSet:
    bundle, folder = located.bundle, located.folder
    start = time.perf_counter()
    loaders = {'diffusion': _load_diffusion, 'clip': _load_clip, 'sam': _load_sam}
    loaded: dict[str, Any] = {}
    for part in bundle.parts:
        if part.name not in loaders or not located.wants(part):
            continue
        listener(Step('loading', part.name, 0, sum(file.size or 0 for file in part.files)))
        with _reading(folder / part.folder), only_listed(part, folder) as place:
            loaded[part.name] = loaders[part.name](part, place, device, dtype)
    parser = bundle.part('parser')
    models = ModelSet(
        name=bundle.name, trained=bundle.trained, diffusion=loaded.get('diffusion'),
        clip=loaded.get('clip'), sam=loaded.get('sam'),
        nlp=load_parser() if parser is None else load_bundled_parser(parser, folder),
        device=device, dtype=dtype, notice=bundle.notice,
        overrides={name: dict(values) for name, values in bundle.overrides.items()})
    _LOG.info("loaded bundle '%s' on %s in %s within %.1f s", bundle.name, device, dtype,
              time.perf_counter() - start)
    return models


def _load_diffusion(
    part: Part, place: Path, device: torch.device, dtype: torch.dtype,
) -> DiffusionModels:
    diffusers = require_package('diffusers', 'models')
    transformers = require_package('transformers', 'models')
    # low_cpu_mem_usage needs a further package.
    image_weights = {'use_safetensors': True, 'local_files_only': True, 'torch_dtype': dtype,
                     'low_cpu_mem_usage': False}
    return DiffusionModels(
        vae=_ready(diffusers.AutoencoderKL.from_pretrained(
            place / 'vae', **image_weights), device),
        unet=_ready(diffusers.UNet2DConditionModel.from_pretrained(
            place / 'unet', **image_weights), device),
        scheduler=diffusers.DDIMScheduler.from_pretrained(
            place / 'scheduler', local_files_only=True),
        text_encoder=_ready(_read_transformer(
            transformers.CLIPTextModel, place / 'text_encoder', dtype), device),
        tokenizer=transformers.CLIPTokenizer.from_pretrained(
            place / 'tokenizer', local_files_only=True))


def _load_clip(
    part: Part, place: Path, device: torch.device, dtype: torch.dtype,
) -> ClipModels:
    transformers = require_package('transformers', 'models')
    # Only a pinned and verified pickle gets here, and it is read as tensors alone.
    pickled = any(is_pickle(file.path) for file in part.files)
    model = _read_transformer(transformers.CLIPModel, place, dtype, pickled)
    tokenizer = transformers.CLIPTokenizer.from_pretrained(place, local_files_only=True)
    defaults = {f.name: f.default for f in dataclasses.fields(ClipModels)}
    values = {}
    if (place / 'preprocessor_config.json').is_file():
        values = json.loads((place / 'preprocessor_config.json').read_text(encoding='utf-8'))
    return ClipModels(
        model=_ready(model, device), tokenizer=tokenizer,
        mean=tuple(values.get('image_mean', defaults['mean'])),
        std=tuple(values.get('image_std', defaults['std'])))


def _load_sam(
    part: Part, place: Path, device: torch.device, dtype: torch.dtype,
) -> torch.nn.Module:
    if part.layout == 'transformers':
        model = require_package('transformers', 'models').Sam2Model.from_pretrained(
            place, dtype=torch.float32, local_files_only=True, use_safetensors=True)
        return _ready(set_sam2_dtype(model, dtype), device)
    if part.layout == 'segment-anything':
        registry = require_package('segment_anything', 'models').sam_model_registry
        sam = registry[part.type](checkpoint=None)
        path = place / part.files[0].path
    else:
        sam = build_sam(json.loads((place / 'config.json').read_text(encoding='utf-8')))
        path = place / 'model.safetensors'
    sam.load_state_dict(_read_tensors(path))
    return _ready(set_sam_dtype(sam, dtype), device)


def _read_transformer(
    kind: Any, place: Path, dtype: torch.dtype, pickled: bool = False,
) -> torch.nn.Module:
    """A model of transformers, of a class `kind`.

    A small one is made and filled here: transformers' own way, which spares a large one its first
    values and shards, imports torch's compiler for that.
    """
    weights = place / 'model.safetensors'
    if not pickled and weights.is_file() and weights.stat().st_size <= _SMALL_BYTES:
        model = kind(kind.config_class.from_pretrained(place, local_files_only=True))
        tensors = _read_tensors(weights)
        if tensors.keys() == model.state_dict().keys():
            model.load_state_dict(tensors)
            return model.to(dtype)
    return kind.from_pretrained(
        place, dtype=dtype, local_files_only=True, use_safetensors=not pickled, weights_only=True)


def _read_tensors(path: Path) -> dict[str, torch.Tensor]:
    if is_pickle(path.name):
        return torch.load(path, map_location='cpu', weights_only=True)
    return require_package('safetensors.torch', 'models').load_file(path)


def _ready(module: torch.nn.Module, device: torch.device) -> torch.nn.Module:
    return module.to(device).requires_grad_(False).eval()


@contextmanager
def _reading(folder: Path) -> Iterator[None]:
    """Turn what the model packages raise over files into one kind of error."""
    unreadable = require_package('safetensors', 'models').SafetensorError
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, UnpicklingError,
            unreadable) as error:
        if is_out_of_memory(error):
            raise
        raise BundleError(
            f'expected a model in {folder}, which cannot be loaded: {error}; check the '
            "manifest's layout and files") from error


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    """Keep transformers from drawing a bar per model, which only clutters a node's log."""
    logging_of = require_package('transformers.utils.logging', 'models')
    shown = logging_of.is_progress_bar_enabled()
    logging_of.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging_of.enable_progress_bar()
