"""Masks as answers carry them. NumPy is all that it needs, so any client may import it."""

from refdiff_ros.masks.boxes import box_xyxy, pixels_vu, window
from refdiff_ros.masks.restoring import candidate_masks, mask_pixels
from refdiff_ros.masks.sharing import smaller_shares

__all__ = ['box_xyxy', 'candidate_masks', 'mask_pixels', 'pixels_vu', 'smaller_shares', 'window']
