"""Another f_M for Eq. (7): patches outside a proposal are zeroed before each of the last layers.

The first layers see the whole image, so that the class token and the proposal's own patches know
what is around; the last ones see the proposal alone. It is the global part of the mask-guided
visual encoder of Global-Local CLIP (S. Yu, P. H. Seo, J. Son: Zero-shot Referring Image
Segmentation with Global-Local Context Features, CVPR 2023, arXiv:2303.17811), which the baselines
need. `masked_attention` in place of it lets nothing of other patches in, in any layer.

Letters: N proposals, B of them in a batch, P patches, D width of the encoder, E of its output.
"""

import numpy as np
import torch

from refdiff_ros.discriminative.clip_vision import model_device, project
from refdiff_ros.discriminative.masked_attention import layers_used, patch_masks, whole_image
from refdiff_ros.models.model_set import ClipModels
from refdiff_ros.presets import DiscriminativeConfig

# The last 3 of the 12 layers of a ViT-B, as the authors' code has it; of any other depth the same
# share, and one layer at least.
MASKED_SHARE = 3 / 12
# Values of token sequences held at once.
_TOKEN_BUDGET = 1 << 24


@torch.no_grad()
def token_masked_features(
    clip: ClipModels, image: torch.Tensor, masks: np.ndarray, config: DiscriminativeConfig,
) -> torch.Tensor:
    """The class token of each proposal, from the image without its foreign patches.

    A zeroed patch is still attended to, as in the authors' code: a layer sees its own constants
    there. Patches are kept or zeroed whole; there they are weighted by a resized mask.

    Args:
        clip: the model.
        image: (3, H, W) pixels in 0..255 on the model's device.
        masks: (N, H, W) bool.
        config: `masked_input`, `patch_cover` and `layer` are used.

    Returns:
        (N, E) float32, unit-norm.
    """
    if not len(masks):
        return image.new_zeros(0, clip.model.visual_projection.out_features)
    hidden, grid_hw = whole_image(clip, image, config)  # (1, 1 + P, D)
    layers = layers_used(clip.model.vision_model, config.layer)
    first = min(first_masked_layer(len(clip.model.vision_model.encoder.layers)), len(layers))
    for layer in layers[:first]:
        hidden = layer(hidden, None)
    stays = np.pad(patch_masks(masks, grid_hw, config.patch_cover), ((0, 0), (1, 0)),
                   constant_values=True)  # (N, 1 + P): the class token stays
    keep = torch.from_numpy(stays).to(model_device(clip), hidden.dtype)[..., None]
    features = []
    for part in keep.split(max(1, _TOKEN_BUDGET // hidden[0].numel())):
        masked = hidden.expand(len(part), -1, -1)  # (B, 1 + P, D)
        for layer in layers[first:]:
            masked = layer(masked * part, None)
        features.append(project(clip, masked[:, 0]))
    return torch.cat(features)


def first_masked_layer(count: int) -> int:
    """The number of the first layer, from 0, before which patches are zeroed.

    Args:
        count: of the encoder's layers.
    """
    return count - max(1, round(count * MASKED_SHARE))
