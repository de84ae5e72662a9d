"""The tabletop set as samples, so that whatever asks a data set can ask it.

Letters: H W image height and width.
"""

from collections.abc import Callable
from functools import partial
from typing import Any
import zlib

import numpy as np

from refdiff_ros.evaluation.metrics.rle import decode_rle, encode_rle
from refdiff_ros.evaluation.sample import Sample
from refdiff_ros.evaluation.tabletop.cases import case_half, cases
from refdiff_ros.results import Camera, Frame
from refdiff_ros.sim.splits import SIZE_HW


def tabletop_samples(
    split: str, limit: int | None = None, half: str = 'all',
    size_hw: tuple[int, int] = SIZE_HW, on_sample: Callable[[], None] | None = None,
) -> list[Sample]:
    """The questions of `tabletop.cases`, rendered now and kept packed (some 100 kB a picture).

    The samples can be pickled. Tags are 'kind', 'half' and, where there is one, 'sense'.

    Args:
        split, limit, half, size_hw: as in `tabletop.cases`.
        on_sample: told of each, since rendering them all takes minutes.

    Raises:
        BadRequestError, MissingPackageError, RefDiffError: as in `tabletop.cases`.
    """
    found: list[Sample] = []
    packed, last, place = b'', None, 0
    for view, said, scene in cases(split, limit, half, size_hw):
        if scene != last:
            packed, last, place = zlib.compress(view.frame.image_rgb.tobytes(), 1), scene, 0
        load = partial(_load, packed, size_hw, view.frame.camera, view.frame.frame_id,
                       encode_rle(view.masks[said.row]))
        tags = {'kind': said.kind, 'half': case_half(view, said)}
        tags |= {'sense': said.sense} if said.sense else {}
        image_id = f'{split}_{scene}'
        found.append(Sample(f'{image_id}_{place}', image_id, said.text, load, tags))
        place += 1
        if on_sample is not None:
            on_sample()
    return found


def _load(
    packed: bytes, size_hw: tuple[int, int], camera: Camera | None, frame_id: str,
    rle: dict[str, Any],
) -> tuple[Frame, np.ndarray]:
    # A bytearray, because torch wants arrays that can be written to.
    image_rgb = np.frombuffer(bytearray(zlib.decompress(packed)), np.uint8)
    image_rgb = image_rgb.reshape(*size_hw, 3)  # (H, W, 3)
    return Frame(image_rgb, camera=camera, frame_id=frame_id), decode_rle(rle)
