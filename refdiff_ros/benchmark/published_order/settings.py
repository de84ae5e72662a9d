"""What of the published order depends on the models; the rest is fixed where it is used."""

from dataclasses import dataclass

from refdiff_ros.presets import Preset


@dataclass(frozen=True)
class PublishedSettings:
    """Values that the published code reads from its configuration.

    Attributes:
        image_size: side of the diffusion model's square.
        mask_padding: the UNet does not see padding tokens (small models that were trained so).
        points_per_side, points_per_batch, pred_iou_thresh, stability_score_thresh,
            stability_score_offset, box_nms_thresh: of SAM's mask generator.
        min_area_px, max_proposals: the filter.
        max_area_fraction: larger masks are filtered out too (models with random weights).
        crop_side: short side of a crop.
        attention: what becomes of the attention whose logits nobody reads: 'whole' (written out
            for all heads at once, as published), 'sliced' (written out one head at a time, which
            is how diffusers lets the same work be done in a sixteenth of the memory) or 'fused'
            by torch, which the published code cannot: where its attention is fused, it captures
            nothing.
    """

    image_size: int = 1024
    mask_padding: bool = False
    points_per_side: int = 32
    points_per_batch: int = 64
    pred_iou_thresh: float = 0.88
    stability_score_thresh: float = 0.95
    stability_score_offset: float = 1.0
    box_nms_thresh: float = 0.7
    min_area_px: int = 10_000
    max_proposals: int = 10
    max_area_fraction: float = 1.0
    crop_side: int = 224
    attention: str = 'whole'


def settings_of(preset: Preset, attention: str = 'whole') -> PublishedSettings:
    """The same values as a bundle's `released` preset."""
    generative, proposals = preset.generative, preset.proposals
    return PublishedSettings(
        image_size=generative.image_size, mask_padding=generative.mask_padding,
        crop_side=preset.discriminative.crop_size, attention=attention,
        **{name: getattr(proposals, name) for name in (
            'points_per_side', 'points_per_batch', 'pred_iou_thresh', 'stability_score_thresh',
            'stability_score_offset', 'box_nms_thresh', 'min_area_px', 'max_proposals',
            'max_area_fraction')})
