"""PhraseCut: phrases that may mean several instances, over pictures of Visual Genome.

    image_data_split.json    each picture's size
    refer_val.json           phrases with the polygons of all instances that they mean
    images/2317416.jpg

Reference: Wu et al., PhraseCut: Language-Based Image Segmentation in the Wild, CVPR 2020.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.datasets.polygon_mask import polygon_mask
from refdiff_ros.evaluation.datasets.records import field, read_json
from refdiff_ros.evaluation.datasets.referred import OnFault, raise_fault, Referred

# Instances that some phrase of a picture means, by picture and category.
_Known = Mapping[tuple[str, str], set[int]]


class PhraseCutFolder:
    """The data set. Files are read when they are first needed.

    Args:
        root: holds the annotation files and `images`.
        images: the folder of pictures, where it is elsewhere.
    """

    annotations_from = 'https://github.com/ChenyunWu/PhraseCutDataset'
    images_from = annotations_from

    def __init__(self, root: Path, images: Path | None = None):
        self._root = root
        self._sizes_path = root / 'image_data_split.json'
        self.image_folders = (root / 'images' if images is None else images,)

    def files(self, splits: Sequence[str]) -> list[Path]:
        """The annotation files that `splits` need."""
        return [self._sizes_path, *map(self._refer_path, splits)]

    def objects(self, split: str, on_fault: OnFault = raise_fault) -> Iterator[Referred]:
        """What the phrases of a split refer to, in the file's order.

        Args:
            split: as the file's name has it.
            on_fault: told of each phrase that cannot be used; raises by default.

        Raises:
            BadRequestError: a file is missing or cannot be used as a whole.
        """
        path = self._refer_path(split)
        tasks = read_json(path, list)
        known = _known(tasks)
        for task in tasks:
            try:
                found = self._referred(task, known, path)
            except BadRequestError as error:
                on_fault(error)
            else:
                yield found

    def _refer_path(self, split: str) -> Path:
        return self._root / f'refer_{split}.json'

    def _referred(self, task: Any, known: _Known, path: Path) -> Referred:
        task_id = field(task, 'task_id', str, f'a task of {path}')
        where = f'task {task_id} of {path}'
        image_id = field(task, 'image_id', int, where)
        if image_id not in self._sizes:
            raise BadRequestError(
                f'expected image {image_id} of {where} in {self._sizes_path}, got none: both '
                f'files must be of one release ({self.annotations_from})')
        size_hw = self._sizes[image_id]
        polygons = field(task, 'Polygons', list, where)
        return Referred(
            image_id, task_id, f'{image_id}.jpg', size_hw,
            ((task_id, field(task, 'phrase', str, where)),), _distractors(task, known),
            partial(polygon_mask, polygons, size_hw))

    @cached_property
    def _sizes(self) -> dict[int, tuple[int, int]]:
        where = f'an image of {self._sizes_path}'
        return {
            field(image, 'image_id', int, where): (
                field(image, 'height', int, where), field(image, 'width', int, where))
            for image in read_json(self._sizes_path, list)}


def _known(tasks: list[Any]) -> _Known:
    known = defaultdict(set)
    for task in tasks:
        if isinstance(task, dict):
            known[_category(task)].update(_instances(task))
    return known


def _category(task: dict[str, Any]) -> tuple[str, str]:
    return str(task.get('image_id')), str(_structure(task).get('name'))


def _instances(task: dict[str, Any]) -> set[int]:
    rows = task.get('ann_ids')
    return {row for row in rows if isinstance(row, int)} if isinstance(rows, list) else set()


def _structure(task: dict[str, Any]) -> dict[str, Any]:
    structure = task.get('phrase_structure')
    return structure if isinstance(structure, dict) else {}


def _distractors(task: dict[str, Any], known: _Known) -> int:
    """Other instances of the category that the file knows of: a lower bound.

    The file lists only what some phrase means. Its phrases of type 'name' are those whose category
    alone says which, so that there are none; with every other phrase there is one at least.
    """
    kind = _structure(task).get('type')
    if kind == 'name':
        return 0
    others = len(known[_category(task)] - _instances(task))
    return others if kind is None else max(others, 1)
