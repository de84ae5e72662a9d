"""Is a folder the data set that was published: counts, and the names of what is missing."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from refdiff_ros.console import some
from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.datasets.catalog import DataFolder, image_folder, open_dataset
from refdiff_ros.evaluation.datasets.published import PUBLISHED, require_split, Size, splits_of
from refdiff_ros.evaluation.datasets.referred import Referred
from refdiff_ros.optional import require_package


@dataclass(frozen=True)
class Problem:
    """Something that keeps the folder from being the published data set.

    Attributes:
        text: what is wrong, without a full stop.
        names: which files, pictures or references; may be none.
        remedy: what to do.
    """

    text: str
    names: tuple[str, ...]
    remedy: str

    def line(self, shown: int | None = None) -> str:
        """One line for people; at most `shown` of the names, or all."""
        names = some(self.names, shown)
        return f'{self.text}{": " if names else ""}{names}. {self.remedy}'


@dataclass(frozen=True)
class SplitCheck:
    """One split: what can be used of it, and what was published."""

    split: str
    found: Size
    published: Size


@dataclass(frozen=True)
class Check:
    """The outcome.

    Attributes:
        counts: per split whose annotation files can be read.
        problems: none, if the folder is complete.
    """

    counts: tuple[SplitCheck, ...]
    problems: tuple[Problem, ...]

    @property
    def complete(self) -> bool:
        """Whether everything that was published is there and can be used."""
        return not self.problems


def check_dataset(
    name: str, root: Path, splits: Sequence[str] = (), images: Path | None = None,
) -> Check:
    """Count what a folder holds, open every picture's header and rasterise every mask.

    Args:
        name: of `published.PUBLISHED`.
        root, images: as in `catalog.open_dataset`.
        splits: which; none means all.

    Raises:
        BadRequestError: no such data set or split. What is wrong with the folder is no error.
        MissingPackageError: Pillow or pycocotools is not installed.
    """
    for split in splits:
        require_split(name, split)
    folder = open_dataset(name, root, images)
    counts, problems = [], []
    for split in splits or splits_of(name):
        absent = [path for path in folder.files([split]) if not path.is_file()]
        if absent:
            problems.append(Problem(f'{split}: files are missing', tuple(map(str, absent)),
                                    f'Get them from {folder.annotations_from}.'))
            continue
        counted, found = _check_split(name, folder, split)
        counts += counted
        problems += found
    return Check(tuple(counts), tuple(problems))


def _check_split(
    name: str, folder: DataFolder, split: str,
) -> tuple[list[SplitCheck], list[Problem]]:
    faults: list[BadRequestError] = []
    try:
        objects = list(folder.objects(split, faults.append))
    except BadRequestError as error:
        return [], [Problem(f'{split}: {error}', (), f'Get it from {folder.annotations_from}.')]
    images, problems = _check_images(folder, split, objects)
    broken = _broken_masks(objects)
    lists = ((f'{len(objects) + len(faults)} references', [str(fault) for fault in faults]),
             (f'{len(objects)} masks', broken))
    problems += [
        Problem(f'{split}: {len(names)} of {what} cannot be used', tuple(names),
                f'Get the annotations anew from {folder.annotations_from}.')
        for what, names in lists if names]
    found = Size(images, len(objects) - len(broken), sum(len(o.expressions) for o in objects))
    described = Size(len({each.image_id for each in objects}), len(objects) + len(faults),
                     found.expressions)
    published = PUBLISHED[name][split]
    if (wrong := _differences(described, published)) and not faults:
        problems.append(Problem(f'{split}: the annotation files tell of {wrong}', (),
                                f'Get the whole files from {folder.annotations_from}.'))
    return [SplitCheck(split, found, published)], problems


def _differences(described: Size, published: Size) -> str:
    counts = ((each.name, getattr(described, each.name), getattr(published, each.name))
              for each in fields(Size))
    return ', '.join(f'{got} {what} where {wanted} were published'
                     for what, got, wanted in counts if got != wanted)


def _check_images(
    folder: DataFolder, split: str, objects: Sequence[Referred],
) -> tuple[int, list[Problem]]:
    """How many pictures can be used, and what is wrong with the others."""
    sizes = {each.image_name: each.size_hw for each in objects}
    try:
        place = image_folder(folder)
    except BadRequestError as error:
        return 0, [Problem(f'{split}: {error}', (), f'{len(sizes)} pictures are needed.')]
    missing, useless = [], []
    for name, size_hw in sorted(sizes.items()):
        if not (place / name).is_file():
            missing.append(name)
        elif fault := _image_fault(place / name, size_hw):
            useless.append(f'{name} ({fault})')
    problems = [
        Problem(f'{split}: {len(names)} of {len(sizes)} pictures {what} in {place}', tuple(names),
                f'Get the originals from {folder.images_from}.')
        for what, names in (('are missing', missing), ('cannot be used', useless)) if names]
    return len(sizes) - len(missing) - len(useless), problems


def _image_fault(path: Path, size_hw: tuple[int, int]) -> str:
    # The header alone: decoding every picture would take hours of a full set.
    pil = require_package('PIL.Image', 'datasets')
    try:
        with pil.open(path, formats=('JPEG', 'PNG')) as picture:
            size = picture.size
    except (OSError, SyntaxError, ValueError, pil.DecompressionBombError):
        return 'no picture'
    if size != size_hw[::-1]:
        return f'{size[0]}x{size[1]} instead of {size_hw[1]}x{size_hw[0]}'
    return ''


def _broken_masks(objects: Sequence[Referred]) -> list[str]:
    broken = []
    for each in objects:
        try:
            if not each.rasterise().any():
                broken.append(f'{each.object_id} (no pixel)')
        except BadRequestError as error:
            broken.append(f'{each.object_id} ({error})')
    return broken
