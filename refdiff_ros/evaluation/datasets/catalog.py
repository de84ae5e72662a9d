"""Data sets by name."""

from pathlib import Path

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.datasets.phrasecut import PhraseCutFolder
from refdiff_ros.evaluation.datasets.published import require_split, splits_of
from refdiff_ros.evaluation.datasets.refer import ReferFolder, VARIANTS
from refdiff_ros.evaluation.datasets.referred import samples
from refdiff_ros.evaluation.run import Sample

DataFolder = ReferFolder | PhraseCutFolder


def open_dataset(name: str, root: Path, images: Path | None = None) -> DataFolder:
    """The reader of a data set; nothing is read yet.

    Args:
        name: of `published.PUBLISHED`.
        root: folder in the data set's own layout (`refer`, `phrasecut`).
        images: folder of the pictures, where it is elsewhere.

    Raises:
        BadRequestError: no such data set.
    """
    splits_of(name)
    return ReferFolder(name, root, images) if name in VARIANTS else PhraseCutFolder(root, images)


def read_samples(
    name: str, root: Path, split: str, images: Path | None = None,
) -> list[Sample]:
    """Every expression of a split, in the same order each time, those of a picture together.

    A picture is read when its sample is loaded: one that cannot be read costs that sample alone.

    Args:
        name, root, images: as in `open_dataset`.
        split: 'val'; `published.PUBLISHED` has each data set's.

    Raises:
        BadRequestError: no such data set, split, file or folder, an annotation file that cannot
            be used, or not one expression in it.
    """
    require_split(name, split)
    folder = open_dataset(name, root, images)
    found = samples(folder.objects(split), image_folder(folder))
    if not found:
        files = ', '.join(map(str, folder.files([split])))
        raise BadRequestError(f'expected expressions of {name} {split} in {files}, got none: '
                              f"'refdiff evaluate check {name} --root {root}' tells what is there")
    return found


def image_folder(folder: DataFolder) -> Path:
    """The first of the places for pictures that exists.

    Raises:
        BadRequestError: none does.
    """
    for path in folder.image_folders:
        if path.is_dir():
            return path
    places = ' or '.join(map(str, folder.image_folders))
    raise BadRequestError(f'expected the pictures in {places}, got no such folder: get them '
                          f'({folder.images_from}), or name their folder with --images')
