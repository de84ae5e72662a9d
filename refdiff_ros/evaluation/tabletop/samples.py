"""The tabletop set as samples, so that it is asked as any data set is.

Letters: H W image height and width.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any
import zlib

import numpy as np

from refdiff_ros.evaluation.metrics.rle import decode_rle, encode_rle
from refdiff_ros.evaluation.run import Answer, Sample
from refdiff_ros.evaluation.tabletop.cases import case_half, cases
from refdiff_ros.results import Camera, Frame
from refdiff_ros.sim.splits import SIZE_HW


def tabletop_samples(
    split: str, limit: int | None = None, half: str = 'all',
    size_hw: tuple[int, int] = SIZE_HW,
) -> Iterator[Sample]:
    """The questions of `tabletop.cases`, rendered as they are needed.

    The samples can be kept and pickled: pictures are packed, some 100 kB each. Tags are 'kind',
    'half' and, where there is one, 'sense'.

    Args:
        split, limit, half, size_hw: as in `tabletop.cases`.

    Raises:
        BadRequestError, MissingPackageError, RefDiffError: as in `tabletop.cases`.
    """
    packed, last, place = b'', None, 0
    for view, said, scene in cases(split, limit, half, size_hw):
        if scene != last:
            packed, last, place = zlib.compress(view.frame.image_rgb.tobytes(), 1), scene, 0
        load = partial(_load, packed, size_hw, view.frame.camera, view.frame.frame_id,
                       encode_rle(view.masks[said.row]))
        tags = {'kind': said.kind, 'half': case_half(view, said)}
        tags |= {'sense': said.sense} if said.sense else {}
        image_id = f'{split}_{scene}'
        yield Sample(f'{image_id}_{place}', image_id, said.text, load, tags)
        place += 1


def scene_of(answer: Answer) -> int:
    """The number of the scene, in its split, that an answer is about."""
    return int(answer.image_id.rpartition('_')[2])


def _load(
    packed: bytes, size_hw: tuple[int, int], camera: Camera | None, frame_id: str,
    rle: dict[str, Any],
) -> tuple[Frame, np.ndarray]:
    # A bytearray, because torch wants arrays that can be written to.
    image_rgb = np.frombuffer(bytearray(zlib.decompress(packed)), np.uint8)
    image_rgb = image_rgb.reshape(*size_hw, 3)  # (H, W, 3)
    return Frame(image_rgb, camera=camera, frame_id=frame_id), decode_rle(rle)
