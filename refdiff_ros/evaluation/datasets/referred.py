"""One thing that expressions refer to, whichever data set tells of it, and its samples."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

import numpy as np

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.datasets.expression_kind import expression_kind
from refdiff_ros.evaluation.run import Sample
from refdiff_ros.language.valid_text import valid_text
from refdiff_ros.pictures.files import read_image
from refdiff_ros.results import Frame

OnFault = Callable[[BadRequestError], None]


@dataclass(frozen=True)
class Referred:
    """What the annotation files say of one object, or of one group that is meant together.

    Attributes:
        image_id, object_id: samples are sorted by them.
        image_name: the picture's file in the folder of images.
        size_hw: of the picture, as annotated.
        expressions: sample ids, each with its expression.
        distractors: how many other instances of the category the picture has.
        rasterise: gives the mask, (H, W) bool; raises BadRequestError where it cannot.
    """

    image_id: int
    object_id: int | str
    image_name: str
    size_hw: tuple[int, int]
    expressions: tuple[tuple[str, str], ...]
    distractors: int
    rasterise: Callable[[], np.ndarray]

    def __post_init__(self):
        if min(self.size_hw) < 1:
            raise BadRequestError(f'expected image {self.image_id} to have a height and a width '
                                  f'of 1 or more, got {self.size_hw}')


def raise_fault(error: BadRequestError) -> NoReturn:
    """Take the first fault for the end; other ways are to count or to collect them."""
    raise error


def samples(objects: Iterable[Referred], images: Path) -> list[Sample]:
    """Every expression as a sample, those of one picture after each other.

    The samples can be pickled, so that other processes may load them.

    Args:
        objects: in any order.
        images: folder of the pictures; they are read when a sample is loaded.

    Raises:
        BadRequestError: two expressions have the same id.
    """
    found: dict[str, Sample] = {}
    for each in sorted(objects, key=lambda each: (each.image_id, each.object_id)):
        load = partial(_load, images / each.image_name, each.size_hw, each.rasterise)
        for sample_id, said in each.expressions:
            text = valid_text(said)
            if sample_id in found:
                raise BadRequestError(f'expected ids that are unique, got {sample_id} twice')
            tags = {'kind': expression_kind(text), 'distractors': str(each.distractors)}
            found[sample_id] = Sample(sample_id, str(each.image_id), text, load, tags)
    return list(found.values())


def _load(
    path: Path, size_hw: tuple[int, int], rasterise: Callable[[], np.ndarray],
) -> tuple[Frame, np.ndarray]:
    # Annotations are of the pixels as they are stored, whatever EXIF says of them.
    frame = Frame(read_image(path, upright=False))
    if frame.size_hw != size_hw:
        raise BadRequestError(
            f'expected {path} to be {size_hw[1]}x{size_hw[0]} pixels as annotated, got '
            f'{frame.size_hw[1]}x{frame.size_hw[0]}: get the original picture')
    return frame, rasterise()
