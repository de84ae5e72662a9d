"""What an evaluation is asked, and the engine that answers it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TYPE_CHECKING

from refdiff_ros.evaluation.baselines import method_mode, method_preset
from refdiff_ros.evaluation.requirements import Requirement
from refdiff_ros.presets import override, parse_overrides, Preset, PRESETS

if TYPE_CHECKING:
    from refdiff_ros.engine import Engine
    from refdiff_ros.models.model_set import ModelSet

TABLETOP = 'tabletop'


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """What an evaluation is asked.

    Attributes:
        dataset: a public data set's name or `TABLETOP`; '' where the command says it.
        split, half: of it; '' and 'all' where it has none.
        limit: the first ones only; None for all.
        bundle: name, folder or hub id of the models; '' for the shipped ones.
        preset: name of the reading of the method.
        override_texts: values in place of the preset's, 'selection.alpha=0.2' each.
        device: 'auto', 'cpu' or 'cuda[:N]'.
        mode: one of `baselines.METHODS`.
        seed: of the diffusion noise.
        requirements: that the figures are held against.
        json, html: files to write the figures and a report to; None for none.
        sheets: folder for contact sheets; None for none.

    Raises:
        BadRequestError: an override that the preset does not have or that is out of range.
    """

    dataset: str = ''
    split: str = ''
    half: str = 'all'
    limit: int | None = None
    bundle: str = ''
    preset: str = 'onboard'
    override_texts: tuple[str, ...] = ()
    device: str = 'auto'
    mode: str = 'full'
    seed: int = 0
    requirements: tuple[Requirement, ...] = ()
    json: Path | None = None
    html: Path | None = None
    sheets: Path | None = None

    def __post_init__(self):
        override(PRESETS[self.preset], self.overrides)

    @property
    def overrides(self) -> dict[str, Any]:
        """The values of `override_texts`, nested."""
        return parse_overrides(self.override_texts)


@dataclass(frozen=True, kw_only=True)
class DatasetRequest(RunRequest):
    """What `refdiff evaluate dataset` is asked.

    Attributes:
        root, images: folders of the data set and of its pictures.
        out: the run's folder; None keeps nothing.
        retry_errors: ask again what the run could not read or answer.
        ray: address of a Ray that answers; None answers in this process.
        workers: processes of Ray; None for as many as fit.
        verbose: show what they write.
    """

    root: Path | None = None
    images: Path | None = None
    out: Path | None = None
    retry_errors: bool = False
    ray: str | None = None
    workers: int | None = None
    verbose: bool = False


@dataclass(frozen=True, kw_only=True)
class BagRequest(RunRequest):
    """What `refdiff evaluate bag` is asked.

    Attributes:
        bag, labels: the recorded bag, and the file of its labels.
        image_topic: read the labelled images from here; '' reads what the labels name.
        depth_topic, info_topic: what belongs to an image; '' for none.
        rectified: the images are rectified, so that P of camera_info holds, without its lens.
        sync_tolerance: seconds by which stamps of image and depth may differ.
        unverified: take labels that are a model's own answers as well.
        online: play the bag to the node.
        answers: score this recording of `online` once more.
        out, rate, parameters, timeout: of `online`: the folder for the answers, how many times
            as fast to play, the node's parameters, seconds to wait for it.
    """

    bag: Path
    labels: Path
    image_topic: str = ''
    depth_topic: str = ''
    info_topic: str = ''
    rectified: bool = False
    sync_tolerance: float
    unverified: bool = False
    online: bool = False
    answers: Path | None = None
    out: Path | None = None
    rate: float | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    timeout: float | None = None


def load_engine(request: RunRequest, decide: str = 'scores') -> 'Engine':
    """What answers as `request.mode` asks; as `load_models`."""
    models, preset = load_models(request, decide)
    from refdiff_ros.engine import Engine
    return Engine(models, preset, method_mode(request.mode), request.seed)


def load_models(request: RunRequest, decide: str = 'scores') -> tuple['ModelSet', Preset]:
    """The bundle and the preset; says the bundle's notice, before any figure.

    Figures of masks are about which region is chosen, and every one of their expressions means
    one: a calibrated NOT_FOUND, whose mask is empty, is off unless it is asked for with
    `--set selection.decide=calibrated`.

    Args:
        request: its overrides come after the values of its method.
        decide: value of `selection.decide` where it is not overridden.

    Raises:
        RefDiffError: the bundle or the preset's values cannot be used.
    """
    # torch and the models take seconds to import.
    from refdiff_ros.engine import resolve_preset
    from refdiff_ros.models.manager import DEFAULT_BUNDLE, load_bundle
    models = load_bundle(request.bundle or DEFAULT_BUNDLE, device=request.device)
    if models.notice:
        print(f'NOTE: {models.notice}', flush=True)
    preset = method_preset(
        resolve_preset(models, request.preset), request.mode, request.dataset)
    preset = preset.override({'selection': {'decide': decide}})
    return models, override(preset, request.overrides)
