"""The paper's Tables 1, 2, 4 and 5 as it prints them: figures in percent.

Source: Ni, Zhang, Feng, Li, Guo, Zuo: Ref-Diff: Zero-shot Referring Image Segmentation with
Generative Models, arXiv:2308.16777. Rows of Region Token, Cropping and Global-Local CLIP are there
cited from Yu et al., CVPR 2023, the one of TSEG from Strudel et al., arXiv:2205.04725. Tables 4
and 5 name no split; their last rows are the val and val(U) figures of Tables 1 and 2.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """A split of a data set.

    Attributes:
        title, name: as the table has them: 'RefCOCO' and 'val', or '' where it names no split.
        dataset, split, half: as a run's question has them.
    """

    title: str
    name: str
    dataset: str
    split: str
    half: str = 'all'


@dataclass(frozen=True)
class Row:
    """A method.

    Attributes:
        method: its name.
        mode: of the runs that are of this method; '' where this package has none.
        published: percent, a figure a column; None where the paper gives none.
        parts: whether it has segmentor, generative and discriminative model; () where the table
            does not say.
    """

    method: str
    mode: str
    published: tuple[float | None, ...]
    parts: tuple[bool, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        number, title: of the paper.
        figure: what is measured, a key of `report.figures`.
        parts: titles of the columns of check marks.
        columns, rows: as there.
    """

    number: int
    title: str
    figure: str
    parts: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


_SPLITS = (
    Column('RefCOCO', 'val', 'refcoco', 'val'),
    Column('RefCOCO', 'test A', 'refcoco', 'testA'),
    Column('RefCOCO', 'test B', 'refcoco', 'testB'),
    Column('RefCOCO+', 'val', 'refcoco+', 'val'),
    Column('RefCOCO+', 'test A', 'refcoco+', 'testA'),
    Column('RefCOCO+', 'test B', 'refcoco+', 'testB'),
    Column('RefCOCOg', 'val(U)', 'refcocog_umd', 'val'),
    Column('RefCOCOg', 'test(U)', 'refcocog_umd', 'test'),
    Column('RefCOCOg', 'val(G)', 'refcocog_google', 'val'),
)
_VALIDATION = (
    Column('RefCOCO', '', 'refcoco', 'val'),
    Column('RefCOCO+', '', 'refcoco+', 'val'),
    Column('RefCOCOg', '', 'refcocog_umd', 'val'),
)
_PARTS = ('Segmentor', 'Generative', 'Discriminative')
_G, _GS, _DS, _FULL = (False, True, False), (True, True, False), (True, False, True), (True,) * 3

TABLES = {table.number: table for table in (
    Table(1, 'oIoU with a pre-trained segmentor and CLIP', 'overall_iou', (), _SPLITS, (
        Row('TSEG (weakly supervised)', '', (None,) * 9),
        Row('Region Token', 'region_token',
            (21.71, 20.31, 22.63, 22.61, 20.91, 23.46, 25.52, 25.38, 25.29)),
        Row('Cropping', 'cropping',
            (22.73, 21.11, 23.08, 24.09, 22.42, 23.93, 28.69, 27.51, 27.70)),
        Row('Global-Local CLIP', 'global_local_clip',
            (24.88, 23.61, 24.66, 26.16, 24.90, 25.83, 31.11, 30.96, 30.69)),
        Row('SAM-CLIP', 'sam_clip',
            (25.23, 25.86, 24.75, 25.64, 27.76, 26.06, 33.75, 34.80, 33.65)),
        Row('Ref-Diff', 'full',
            (35.16, 37.44, 34.50, 35.56, 38.66, 31.40, 38.62, 37.50, 37.82)))),
    Table(2, 'mIoU with a pre-trained segmentor and CLIP', 'mean_iou', (), _SPLITS, (
        Row('TSEG (weakly supervised)', '',
            (25.95, None, None, 22.62, None, None, 23.41, None, None)),
        Row('Region Token', 'region_token',
            (23.43, 22.07, 24.62, 24.51, 22.64, 25.37, 27.57, 27.34, 27.69)),
        Row('Cropping', 'cropping',
            (24.83, 22.58, 25.72, 26.33, 24.06, 26.46, 31.88, 30.94, 31.06)),
        Row('Global-Local CLIP', 'global_local_clip',
            (26.20, 24.94, 26.56, 27.80, 25.64, 27.84, 33.52, 33.67, 33.61)),
        Row('SAM-CLIP', 'sam_clip',
            (26.33, 25.82, 26.40, 25.70, 28.02, 26.84, 38.75, 38.91, 38.27)),
        Row('Ref-Diff', 'full',
            (37.21, 38.40, 37.19, 37.29, 40.51, 33.01, 44.02, 44.51, 44.26)))),
    Table(4, 'ablation study, oIoU', 'overall_iou', _PARTS, _VALIDATION, (
        Row('Ref-Diff/G', 'G', (16.18, 17.23, 20.39), _G),
        Row('Ref-Diff/GS', 'GS', (26.04, 26.68, 26.84), _GS),
        Row('Ref-Diff/DS', 'DS', (33.64, 34.43, 34.83), _DS),
        Row('Ref-Diff', 'full', (35.16, 35.56, 38.62), _FULL))),
    Table(5, 'ablation study, mIoU', 'mean_iou', _PARTS, _VALIDATION, (
        Row('TSEG (weakly supervised)', '', (25.95, 22.62, 23.41), (False, False, False)),
        Row('Ref-Diff/G', 'G', (21.53, 22.50, 27.03), _G),
        Row('Ref-Diff/GS', 'GS', (29.82, 30.06, 30.73), _GS),
        Row('Ref-Diff/DS', 'DS', (35.27, 35.72, 41.84), _DS),
        Row('Ref-Diff', 'full', (37.21, 37.29, 44.02), _FULL))),
)}
