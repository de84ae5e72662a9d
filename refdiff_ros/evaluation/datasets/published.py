"""How large each data set is, as published: what a folder is checked against.

RefCOCO, RefCOCO+, RefCOCOg: images and masks (one a reference) per split are the statistics in the
description of TensorFlow Datasets' `ref_coco`. Expressions per split are those that papers on the
sets give; they sum to the sets' totals (Yu et al., ECCV 2016): 142,210 (142,209 in that paper) and
141,564. Both splits of RefCOCOg divide the same 95,010 expressions on 49,822 objects in 25,799
images. Mao et al., CVPR 2016, count 104,560 on 54,822 in 26,711: with a test set that was never
released. PhraseCut: the README of its tools.
"""

from dataclasses import dataclass

from refdiff_ros.errors import BadRequestError


@dataclass(frozen=True)
class Size:
    """Counts of one split.

    Attributes:
        images: pictures that are referred to, each counted once.
        masks: things referred to; with PhraseCut, one a phrase.
        expressions: what was said.
    """

    images: int
    masks: int
    expressions: int


PUBLISHED = {
    'refcoco': {
        'train': Size(16994, 42404, 120624), 'val': Size(1500, 3811, 10834),
        'testA': Size(750, 1975, 5657), 'testB': Size(750, 1810, 5095)},
    'refcoco+': {
        'train': Size(16992, 42278, 120191), 'val': Size(1500, 3805, 10758),
        'testA': Size(750, 1975, 5726), 'testB': Size(750, 1798, 4889)},
    'refcocog_umd': {
        'train': Size(21899, 42226, 80512), 'val': Size(1300, 2573, 4896),
        'test': Size(2600, 5023, 9602)},
    # The split is by object: most pictures of val are in train as well.
    'refcocog_google': {
        'train': Size(24698, 44822, 85474), 'val': Size(4650, 5000, 9536)},
    'phrasecut': {
        'train': Size(71746, 310816, 310816), 'test': Size(2545, 14354, 14354),
        # The README counts miniv in val's 2,971 images and 20,316 phrases; val's file lacks them.
        'val': Size(2871, 19495, 19495), 'miniv': Size(100, 821, 821)},
}


def splits_of(name: str) -> tuple[str, ...]:
    """The splits of a data set.

    Raises:
        BadRequestError: no such data set.
    """
    if name not in PUBLISHED:
        raise BadRequestError(f'expected a data set of {sorted(PUBLISHED)}, got {name!r}')
    return tuple(PUBLISHED[name])


def require_split(name: str, split: str) -> None:
    """Nothing, if the data set has that split.

    Raises:
        BadRequestError: no such data set or split.
    """
    if split not in splits_of(name):
        raise BadRequestError(f'expected a split of {name}, one of {list(splits_of(name))}, '
                              f'got {split!r}')
