"""The models that are measured, and who takes part."""

import argparse
from typing import Any

from refdiff_ros.benchmark.candidate_count import limit_candidates
from refdiff_ros.benchmark.contestants import (
    BASELINES,
    Contestant,
    EngineContestant,
    PublishedContestant,
)
from refdiff_ros.benchmark.machine import free_bytes, written_out_bytes
from refdiff_ros.benchmark.proposal_count import limit_proposals
from refdiff_ros.benchmark.random_masks import spread_masks
from refdiff_ros.engine import resolve_preset
from refdiff_ros.errors import require
from refdiff_ros.language.shipped_parser import load_parser
from refdiff_ros.models.compiling import compile_models
from refdiff_ros.models.devices import choose_device, choose_dtype
from refdiff_ros.models.manager import load_bundle
from refdiff_ros.models.model_set import ModelSet
from refdiff_ros.models.sam_config import set_segmentor_dtype
from refdiff_ros.models.sizes import size_text
from refdiff_ros.models.untrained import build_untrained, take_lighter_segmentor
from refdiff_ros.models.untrained_sizes import OWN
from refdiff_ros.presets import override, Preset
from refdiff_ros.proposals.segmentor import segmentor_of
from refdiff_ros.results import Frame

# Masks with random weights, where the caller names no number.
DEFAULT_PROPOSALS = 100
# Attention is written out only where this share of the free memory holds it.
_MEMORY_SHARE = 0.8


def load_models(args: argparse.Namespace, frame: Frame) -> ModelSet:
    """The bundle, or random weights whose masks on `frame` are regions.

    Raises:
        RefDiffError: there is no such bundle, device or number format.
    """
    if args.bundle:
        return load_bundle(
            args.bundle, device=args.device, dtype=args.dtype, compile=args.compile)
    device = choose_device(args.device)
    models = build_untrained(
        device=device, dtype=choose_dtype(args.dtype, device), size=args.size)
    models.nlp = load_parser()
    if args.segmentor[0] == OWN:
        _settle_segmentor(models, args, frame)
    else:
        exchange_segmentor(models, args, frame, args.segmentor[0])
    return models


def exchange_segmentor(
    models: ModelSet, args: argparse.Namespace, frame: Frame, name: str,
) -> None:
    """Put the lighter segmentor `name` in the place of the one that random models have.

    Raises:
        BundleError: models of this size have no such segmentor.
    """
    take_lighter_segmentor(models, args.size, name)
    _settle_segmentor(models, args, frame)


def _settle_segmentor(models: ModelSet, args: argparse.Namespace, frame: Frame) -> None:
    spread_masks(models.sam.float(), frame)
    set_segmentor_dtype(models.sam, models.dtype)
    if args.compile:
        compile_models(models)


def line_up(
    models: ModelSet,
    frame: Frame,
    args: argparse.Namespace,
    values: dict[str, Any],
    proposals: int | None,
    offered: tuple[str, int] | None = None,
) -> tuple[list[Contestant], dict[str, str]]:
    """Baselines, then presets; and by name, why a baseline cannot take part.

    Args:
        models: loaded.
        frame: the picture, on which thresholds are set.
        args: the options.
        values: overrides of all presets.
        proposals: how many masks are to pass; None takes the default.
        offered: an expression, and how many candidates its answer is to have; None as it comes.

    Raises:
        BadRequestError: an override does not fit, or the picture has fewer candidates.
    """
    needed = args.preset if 'none' in args.baseline else [*args.preset, 'released']
    presets = {name: override(resolve_preset(models, name), values)
               for name in dict.fromkeys(needed)}
    if proposals is None and not models.trained:
        proposals = DEFAULT_PROPOSALS
    if proposals is not None:
        presets = limit_proposals(models, frame, presets, proposals)
    elif args.compile:
        for preset in presets.values():
            # Compiles, which no pass is to pay for; to count proposals runs the encoder as well.
            segmentor_of(models.sam).embed(frame, preset.proposals)
    if offered is not None:
        presets = limit_candidates(models, frame, presets, *offered, seed=args.seed)
    found, problems = _baselines(models, presets.get('released'), args)
    return found + [EngineContestant(models, presets[name], args.seed)
                    for name in args.preset], problems


def _baselines(
    models: ModelSet, released: Preset | None, args: argparse.Namespace,
) -> tuple[list[Contestant], dict[str, str]]:
    wanted = [attention for attention in BASELINES
              if (attention if attention != 'whole' else 'published') in args.baseline]
    found: list[Contestant] = []
    problems: dict[str, str] = {}
    if released is None:
        return found, problems
    for attention in wanted:
        problem = _too_large(models, released) if attention == 'whole' else ''
        if problem:
            problems[BASELINES[attention]] = problem
        else:
            found.append(PublishedContestant(models, released, attention, args.seed))
    return found, problems


def _too_large(models: ModelSet, released: Preset) -> str:
    """Why attention cannot be written out; '' where it can."""
    needed = written_out_bytes(
        require(models.diffusion, 'a bundle with a diffusion model'),
        released.generative.image_size)
    free = free_bytes(models.device)
    if free is None or needed < _MEMORY_SHARE * free:
        return ''
    return (f'attention written out takes {size_text(needed)} and {size_text(free)} are free: see '
            "'published, sliced'")
