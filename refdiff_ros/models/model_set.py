"""The loaded models of a bundle, as plain records that every stage takes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TYPE_CHECKING

from refdiff_ros.errors import BadRequestError
from refdiff_ros.models.residency import Residency

if TYPE_CHECKING:
    import torch


@dataclass
class DiffusionModels:
    """A latent text-to-image diffusion model in diffusers' classes.

    Attributes:
        vae: `AutoencoderKL`.
        unet: `UNet2DConditionModel`.
        scheduler: a scheduler with `add_noise` and `step` (`DDIMScheduler`).
        text_encoder: transformers' `CLIPTextModel`.
        tokenizer: transformers' `CLIPTokenizer` or another with its call signature.
    """

    vae: Any
    unet: Any
    scheduler: Any
    text_encoder: Any
    tokenizer: Any

    def __post_init__(self):
        take_as_text(self.tokenizer)


def take_as_text(tokenizer: Any) -> None:
    """Have a tokenizer take '<|endoftext|>' for the characters that it is, not for its own mark.

    Else what somebody says could end the prompt in its midst.
    """
    tokenizer.split_special_tokens = True


@dataclass
class ClipModels:
    """transformers' `CLIPModel` and its tokenizer; images are normalised by `mean` and `std`."""

    model: Any
    tokenizer: Any
    mean: tuple[float, float, float] = (0.48145466, 0.4578275, 0.40821073)
    std: tuple[float, float, float] = (0.26862954, 0.26130258, 0.27577711)

    def __post_init__(self):
        take_as_text(self.tokenizer)


@dataclass
class ModelSet:
    """Everything that the engine needs, loaded.

    Attributes:
        name: the bundle's name.
        trained: False for random weights; answers then say so.
        diffusion, clip, sam: the models; `sam` is segment-anything's `Sam` or
            transformers' `Sam2Model`. None for what the
            bundle lacks or was not loaded for.
        nlp: a spaCy pipeline with a dependency parser, or None for the rule-based parser.
        device, dtype: where and how the models compute.
        overrides: per preset name, the bundle's tuned values (see `Preset.override`).
        notice: one sentence shown at load and in the first lines of tables, or ''.
        residency: where memory is short, what moves the models to the device one at a time; None
            where all are there.
    """

    name: str
    trained: bool
    diffusion: DiffusionModels | None
    clip: ClipModels | None
    sam: Any
    device: 'torch.device'
    dtype: 'torch.dtype'
    nlp: Callable[[str], Any] | None = None
    overrides: dict[str, dict[str, Any]] = field(default_factory=dict)
    notice: str = ''
    residency: Residency | None = None

    def need(self, name: str) -> Any:
        """The part 'diffusion', 'clip' or 'sam', on the device.

        Raises:
            BadRequestError: it was not loaded.
        """
        part = getattr(self, name)
        if part is None:
            raise BadRequestError(
                f"expected the part '{name}' of bundle '{self.name}', which was not loaded: load "
                'the bundle for a mode that needs it (a node: cleanup, set mode, configure)')
        if self.residency is not None:
            self.residency.need(name)
        return part
