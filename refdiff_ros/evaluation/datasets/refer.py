"""RefCOCO, RefCOCO+ and RefCOCOg in the layout of the REFER tools, over COCO's pictures.

    refcoco/refs(unc).p      which object, which split, which sentences
    refcoco/instances.json   pictures, annotations and categories, as COCO has them
    images/mscoco/images/train2014/COCO_train2014_000000000009.jpg

References:
    Kazemzadeh et al., ReferItGame, EMNLP 2014; Yu et al., Modeling Context in Referring
    Expressions, ECCV 2016 (RefCOCO, RefCOCO+). Mao et al., Generation and Comprehension of
    Unambiguous Object Descriptions, CVPR 2016 (RefCOCOg, 'google'); Nagaraja et al., Modeling
    Context Between Objects, ECCV 2016 (its split by picture, 'umd').
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.datasets.coco_mask import coco_mask
from refdiff_ros.evaluation.datasets.plain_pickle import read_plain_pickle
from refdiff_ros.evaluation.datasets.records import field, read_json
from refdiff_ros.evaluation.datasets.referred import OnFault, raise_fault, Referred

# Name: the folder, and who made the split.
VARIANTS = {
    'refcoco': ('refcoco', 'unc'),
    'refcoco+': ('refcoco+', 'unc'),
    'refcocog_umd': ('refcocog', 'umd'),
    'refcocog_google': ('refcocog', 'google'),
}
# Where COCO's pictures may lie: as the REFER tools want them, or unpacked beside the folders.
_IMAGE_FOLDERS = ('images/mscoco/images/train2014', 'images/train2014', 'train2014')


class ReferFolder:
    """One data set of the family. Files are read when they are first needed.

    Args:
        name: of `VARIANTS`.
        root: holds the data set's folder and the pictures.
        images: the folder of COCO's train2014 pictures, where it is not under `root`.
    """

    annotations_from = 'https://github.com/lichengunc/refer'
    images_from = 'http://images.cocodataset.org/zips/train2014.zip'

    def __init__(self, name: str, root: Path, images: Path | None = None):
        folder, maker = VARIANTS[name]
        self._refs_path = root / folder / f'refs({maker}).p'
        self._instances_path = root / folder / 'instances.json'
        self.image_folders = (
            tuple(root / path for path in _IMAGE_FOLDERS) if images is None else (images,))

    def files(self, splits: Sequence[str]) -> list[Path]:
        """The annotation files that `splits` need."""
        return [self._refs_path, self._instances_path]

    def objects(self, split: str, on_fault: OnFault = raise_fault) -> Iterator[Referred]:
        """What the expressions of a split refer to, in the file's order.

        Args:
            split: as the file names it.
            on_fault: told of each reference that cannot be used; raises by default.

        Raises:
            BadRequestError: a file is missing or cannot be used as a whole.
        """
        for ref in self._refs:
            try:
                if field(ref, 'split', str, f'a ref of {self._refs_path}') != split:
                    continue
                found = self._referred(ref)
            except BadRequestError as error:
                on_fault(error)
            else:
                yield found

    def _referred(self, ref: dict[str, Any]) -> Referred:
        ref_id = field(ref, 'ref_id', int, f'a ref of {self._refs_path}')
        where = f'ref {ref_id} of {self._refs_path}'
        annotation = self._look_up('annotations', field(ref, 'ann_id', int, where), where)
        image = self._look_up('images', field(ref, 'image_id', int, where), where)
        if annotation['image_id'] != image['id']:
            raise BadRequestError(
                f'expected an annotation of image {image["id"]} in {where}, got annotation '
                f'{annotation["id"]} of image {annotation["image_id"]}')
        size_hw = image['height'], image['width']
        alike = self._instances_of[annotation['image_id'], annotation['category_id']]
        return Referred(
            image['id'], ref_id, image['file_name'], size_hw, _expressions(ref, ref_id, where),
            distractors=alike - (not annotation.get('iscrowd')),
            rasterise=partial(coco_mask, annotation['segmentation'], size_hw))

    def _look_up(self, table: str, row: int, where: str) -> dict[str, Any]:
        found = self._instances[table].get(row)
        if found is None:
            raise BadRequestError(f'expected {row} of {where} among the {table} of '
                                  f'{self._instances_path}, got none: both files must be of one '
                                  f'release ({self.annotations_from})')
        return found

    @cached_property
    def _refs(self) -> list[Any]:
        refs = read_plain_pickle(self._refs_path)
        if not isinstance(refs, list):
            raise BadRequestError(
                f'expected a list of refs in {self._refs_path}, got {type(refs).__name__}')
        return refs

    @cached_property
    def _instances(self) -> dict[str, dict[int, dict[str, Any]]]:
        content = read_json(self._instances_path, dict)
        return {table: self._by_id(content, table, needed) for table, needed in (
            ('images', {'id': int, 'file_name': str, 'height': int, 'width': int}),
            ('annotations', {'id': int, 'image_id': int, 'category_id': int,
                             'segmentation': list | dict}))}

    def _by_id(
        self, content: dict[str, Any], table: str, needed: dict[str, Any],
    ) -> dict[int, dict[str, Any]]:
        records = field(content, table, list, str(self._instances_path))
        for row, record in enumerate(records):
            if not isinstance(record, dict) or not all(
                    isinstance(record.get(name), kind) for name, kind in needed.items()):
                raise BadRequestError(
                    f'expected {", ".join(needed)} in each of the {table} of '
                    f'{self._instances_path}, got {record!r:.80} in place {row}')
        return {record['id']: record for record in records}

    @cached_property
    def _instances_of(self) -> Counter[tuple[int, int]]:
        # By picture and category. A crowd is a region of many, not an instance.
        return Counter(
            (each['image_id'], each['category_id'])
            for each in self._instances['annotations'].values() if not each.get('iscrowd'))


def _expressions(ref: dict[str, Any], ref_id: int, where: str) -> tuple[tuple[str, str], ...]:
    sentences = field(ref, 'sentences', list, where)
    return tuple(
        (f'{ref_id}_{field(sentence, "sent_id", int, where)}', field(sentence, 'sent', str, where))
        for sentence in sentences)
