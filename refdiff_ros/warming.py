"""Each model runs once, so that the first answer is not the slow one."""

from collections.abc import Callable
import time

import numpy as np
import torch

from refdiff_ros.errors import BundleError, OutOfMemoryError
from refdiff_ros.models.compiling import compile_problem, failed_to_compile
from refdiff_ros.models.memory import free_caches, is_out_of_memory, parameter_bytes
from refdiff_ros.models.model_set import ModelSet
from refdiff_ros.models.progress import ignore, Listener, Step
from refdiff_ros.presets import Preset
from refdiff_ros.proposals.segmentor import segmentor_of
from refdiff_ros.results import Frame

_WARM_HW = (480, 640)


def warm_up(
    models: ModelSet, preset: Preset, listener: Listener = ignore,
) -> dict[str, float]:
    """Run each model once at the sizes of `preset`, so that the first answer is not the slow one.

    Args:
        models: those that are loaded are run.
        preset: its sizes.
        listener: is told of each model.

    Returns:
        Milliseconds per model.

    Raises:
        BundleError: a model gives values that are not finite, as too narrow a dtype does, or
            cannot be compiled.
        OutOfMemoryError: one picture at these sizes does not fit on the device.
    """
    try:
        return _warm_up(models, preset, listener)
    except (RuntimeError, MemoryError) as error:
        if failed_to_compile(error):
            raise compile_problem(error, models) from error
        if not is_out_of_memory(error):
            raise
        reason = str(error)
    free_caches()
    raise OutOfMemoryError(
        f"expected one picture at the sizes of preset '{preset.name}' to fit into the memory of "
        f'{models.device} beside the models, but it is full: stop what else uses it, lower '
        f'image_size, or choose a smaller bundle ({reason})')


def _warm_up(models: ModelSet, preset: Preset, listener: Listener) -> dict[str, float]:
    timings: dict[str, float] = {}
    total = parameter_bytes(models)

    def run(name: str, call: Callable[[], torch.Tensor]) -> torch.Tensor:
        listener(Step('warming up', name, 0, total))
        start = time.perf_counter()
        result = call()
        if models.device.type == 'cuda':
            torch.cuda.synchronize(models.device)
        timings[name] = (time.perf_counter() - start) * 1e3
        if not torch.isfinite(result).all():
            raise BundleError(
                f"expected finite values from {name} of bundle '{models.name}' in "
                f"{models.dtype} on {models.device}, got others: use dtype 'float32'")
        return result

    with torch.inference_mode():
        if models.diffusion is not None:
            _warm_diffusion(models, preset.generative.image_size, run)
        if models.clip is not None:
            _warm_clip(models, run)
    if models.sam is not None:
        models.need('sam')
        black = Frame(np.zeros((*_WARM_HW, 3), np.uint8))
        # Outside: what is compiled here is compiled for the way in which answers run it.
        run('sam', lambda: segmentor_of(models.sam).embed(black, preset.proposals).features)
    return timings


def _warm_diffusion(models: ModelSet, size: int, run: Callable) -> None:
    diffusion = models.need('diffusion')
    image = torch.zeros(1, 3, size, size, device=models.device, dtype=models.dtype)
    tokens = diffusion.tokenizer(
        ['a red mug'], padding='max_length', truncation=True,
        max_length=diffusion.tokenizer.model_max_length, return_tensors='pt',
    ).input_ids.to(models.device)
    latents = run('vae', lambda: diffusion.vae.encode(image).latent_dist.mode())
    states = run('text_encoder', lambda: diffusion.text_encoder(tokens)[0])
    run('unet', lambda: diffusion.unet(latents, 1, states).sample)


def _warm_clip(models: ModelSet, run: Callable) -> None:
    clip = models.need('clip')
    tokens = clip.tokenizer(['a red mug'], return_tensors='pt').input_ids.to(models.device)
    side = clip.model.config.vision_config.image_size
    image = torch.zeros(1, 3, side, side, device=models.device, dtype=models.dtype)
    run('clip_text', lambda: clip.model.text_model(tokens)[0])
    run('clip_vision', lambda: clip.model.vision_model(image)[0])
