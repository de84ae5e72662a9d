"""Labels of a bag: JSON Lines, one object a line, each an expression on one picture.

    {"stamp": {"sec": 1700000000, "nanosec": 50000000}, "topic": "/camera/color/image_raw",
     "expression": "the red mug", "mask": {"size": [480, 640], "counts": "..."},
     "grasp": {"position": [0.1, 0.0, 0.7], "orientation": [0.0, 0.0, 0.0, 1.0], "width": 0.06},
     "tags": {"kind": "attribute"}, "source": "person"}

- `stamp`: of the image's header (the time of recording where that is 0), as `sec` and `nanosec`,
  or as one whole number of nanoseconds. No fraction: a float does not hold nanoseconds.
- `topic`: the image topic in the bag.
- `expression`: what is said; the same one once a picture.
- `mask`: what it means, COCO RLE: `size` is height and width, `counts` COCO's compressed string or
  a list of runs, down the columns. Or the path of a picture of one channel, from the labels
  file's folder: what is not 0 is meant. An empty mask: the object is not in the picture.
- `also` (optional): a list of further masks, of other objects of which the expression is true as
  well ('the mug', of two). It is right to ask back then: `refdiff calibrate` learns from it, and
  `refdiff evaluate bag` leaves such labels out.
- `grasp` (optional): pose in the camera's optical frame (REP-103) as `msg/GraspRegion` defines it:
  `position`, metres; `orientation` (optional), a unit quaternion x y z w; `width` (optional), the
  gripper's opening in metres.
- `tags` (optional): texts by name that figures are broken down by; `kind` is shown in the table.
- `source` (optional): who says so. "model" is an answer of the model itself that nobody has
  looked at: it measures nothing, so `refdiff evaluate bag` refuses it.

Other keys are left alone, and so are empty lines.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
import json
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from refdiff_ros.console import from_json
from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.metrics.grasp_error import TrueGrasp
from refdiff_ros.evaluation.metrics.rle import decode_rle, encode_rle
from refdiff_ros.language.valid_text import valid_text
from refdiff_ros.pictures.files import read_mask

UNVERIFIED = 'model'
_REQUIRED = ('stamp', 'topic', 'expression', 'mask')


@dataclass(frozen=True)
class Label:
    """One line of a labels file.

    Attributes:
        stamp_ns, topic: of the image.
        expression: what is said of it.
        rle: the mask as COCO RLE; see `mask`.
        grasp: where to grip, or None.
        tags: what figures are broken down by.
        source: who says so; `UNVERIFIED` for the model itself.
        line: number in its file, counted from 1; 0 for none.
        also: masks as COCO RLE of other objects of which the expression is true.
    """

    stamp_ns: int
    topic: str
    expression: str
    rle: Mapping[str, Any]
    grasp: TrueGrasp | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    source: str = ''
    line: int = 0
    also: tuple[Mapping[str, Any], ...] = ()

    @property
    def masks(self) -> np.ndarray:
        """(K, H, W) bool, of every object of which the expression is true; K = 0 for none.

        Raises:
            BadRequestError: an RLE is damaged, or masks have several sizes.
        """
        found = [self.mask, *map(decode_rle, self.also)]
        if len({mask.shape for mask in found}) > 1:
            raise BadRequestError('expected masks of one size, got '
                                  f'{", ".join(str(mask.shape) for mask in found)}')
        return np.stack(found)[[mask.any() for mask in found]]

    @property
    def mask(self) -> np.ndarray:
        """(H, W) bool.

        Raises:
            BadRequestError: the RLE is damaged.
        """
        return decode_rle(self.rle)


def read_labels(path: Path) -> list[Label]:
    """The labels in a file, in its order.

    Raises:
        BadRequestError: the file is missing or empty, or a line is no label; the message has the
            line's number, what was expected and what came.
    """
    try:
        text = path.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequestError(
            f'expected labels as JSON Lines (UTF-8) at {path}, got: {error}') from error
    labels = []
    seen: dict[Any, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            label = _label(line, number, path.parent)
        except BadRequestError as error:
            raise BadRequestError(f'{path}:{number}: {error}') from error
        key = (label.stamp_ns, label.topic, label.expression)
        if key in seen:
            raise BadRequestError(
                f'{path}:{number}: expected each expression once a picture, got '
                f'{label.expression!r} as in line {seen[key]}: drop one of them')
        seen[key] = number
        labels.append(label)
    if not labels:
        raise BadRequestError(f"expected labels in {path}, got none: 'refdiff label BAG' starts "
                              'a file of labels')
    return labels


def label_line(label: Label) -> str:
    """The label as a line of a file, without its end."""
    seconds, nanoseconds = divmod(label.stamp_ns, 1_000_000_000)
    values: dict[str, Any] = {
        'stamp': {'sec': seconds, 'nanosec': nanoseconds}, 'topic': label.topic,
        'expression': label.expression, 'mask': dict(label.rle)}
    if label.also:
        values['also'] = [dict(rle) for rle in label.also]
    if label.grasp is not None:
        values['grasp'] = _grasp_values(label.grasp)
    if label.tags:
        values['tags'] = dict(label.tags)
    if label.source:
        values['source'] = label.source
    return json.dumps(values, ensure_ascii=False)


def unfilled_line(stamp_ns: int, topic: str) -> str:
    """A line for a picture of which nothing is said yet; `read_labels` refuses it as it is."""
    seconds, nanoseconds = divmod(stamp_ns, 1_000_000_000)
    return json.dumps({'stamp': {'sec': seconds, 'nanosec': nanoseconds}, 'topic': topic,
                       'expression': '', 'mask': None, 'source': ''})


def write_labels(path: Path, lines: Iterable[str]) -> None:
    """Write a new labels file of `label_line`s, as they come; its folder is made.

    Raises:
        BadRequestError: the file is there already (it may have been corrected by hand), or cannot
            be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open('x', encoding='utf-8') as file:
            for line in lines:
                file.write(f'{line}\n')
    except OSError as error:
        raise BadRequestError(
            f'expected to write new labels to {path}, got: {error}; take another name') from error


def _label(line: str, number: int, folder: Path) -> Label:
    try:
        values = from_json(line)
    except ValueError as error:
        raise BadRequestError(f'expected a JSON object on one line, got: {error}') from error
    if not isinstance(values, dict):
        raise BadRequestError(f'expected a JSON object, got {type(values).__name__}')
    missing = [name for name in _REQUIRED if name not in values]
    if missing:
        raise BadRequestError(f'expected the keys {", ".join(_REQUIRED)}, got no '
                              f'{" and no ".join(missing)}')
    label = Label(
        _stamp_ns(values['stamp']), _text(values, 'topic'),
        valid_text(_text(values, 'expression')).strip(),
        _rle(values['mask'], folder), _grasp(values.get('grasp')), _tags(values.get('tags')),
        _text(values, 'source') if values.get('source') else '', number,
        _also(values.get('also'), folder))
    _ = label.masks  # a damaged mask is told here, with its line, and not in the midst of a run
    return label


def _rle(value: Any, folder: Path) -> Mapping[str, Any]:
    if not isinstance(value, str):
        return value
    return encode_rle(read_mask(folder / value))


def _also(values: Any, folder: Path) -> tuple[Mapping[str, Any], ...]:
    if values is not None and not isinstance(values, list):
        raise BadRequestError(f'expected masks in a list as also, got {values!r:.80}')
    return tuple(_rle(value, folder) for value in values or ())


def _stamp_ns(value: Any) -> int:
    if _is_whole(value):
        return value
    if isinstance(value, dict) and _is_whole(value.get('sec')) and _is_whole(
            value.get('nanosec')) and value['nanosec'] < 1_000_000_000:
        return value['sec'] * 1_000_000_000 + value['nanosec']
    raise BadRequestError('expected a stamp as {"sec": ..., "nanosec": ...} or as whole '
                          f'nanoseconds, got {value!r}')


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values[name]
    if not isinstance(value, str) or not value.strip():
        raise BadRequestError(f'expected a text as {name}, got {value!r}')
    return value


def _tags(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(tag, str) for tag in value.values()):
        raise BadRequestError(f'expected tags as texts by name, got {value!r}')
    return value


def _grasp_values(grasp: TrueGrasp) -> dict[str, Any]:
    values: dict[str, Any] = {'position': list(grasp.position)}
    if grasp.orientation is not None:
        values['orientation'] = list(grasp.orientation)
    if grasp.width_m is not None:
        values['width'] = grasp.width_m
    return values


def _grasp(value: Any) -> TrueGrasp | None:
    if value is None:
        return None
    parts = value if isinstance(value, dict) else {}
    position, orientation, width = map(parts.get, ('position', 'orientation', 'width'))
    if not _numbers(position) or not (orientation is None or _numbers(orientation)) or not (
            width is None or _numbers([width])):
        raise BadRequestError(
            'expected a grasp as {"position": [x, y, z], "orientation": [x, y, z, w], "width": '
            f'metres}}, of which the position alone must be there, got {value!r}')
    axes: Any = tuple(map(float, position))  # lengths are checked by the record itself
    turn: Any = None if orientation is None else tuple(map(float, orientation))
    return TrueGrasp(
        axes, turn,
        None if width is None else float(width))


def _numbers(values: Any) -> TypeGuard[list[float]]:
    return isinstance(values, list) and all(
        isinstance(number, (int, float)) and not isinstance(number, bool) for number in values)
