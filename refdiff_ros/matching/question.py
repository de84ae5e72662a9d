"""The question that tells several candidates apart: 'the left one or the right one?'.

It is built from what plainly differs between them: place, colour, size. A word is used only where
it is true of one candidate and false of all others, by margins at which a person would agree.

Letters: K candidates, H W image height and width.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from refdiff_ros.matching.colour_name import colour_name
from refdiff_ros.matching.region_geometry import measure, Regions
from refdiff_ros.results import Question, ReferringExpression

# In units of `Regions.place`, `nearness` and `size`, which can just be told apart: 0.08 of the
# image's width, 8 % of the distance, half as large again.
_APART = 4.0
_LARGER = 5.0
# What is this many times farther from another along one axis is not told by the other axis.
_STEEPEST = 2.0
_SPOKEN = 4  # candidates that are named one by one
_ORDINALS = ('first', 'second', 'third', 'fourth', 'fifth', 'sixth', 'seventh', 'eighth')
_NUMBERS = ('two', 'three', 'four', 'five', 'six', 'seven', 'eight')
# The order of words before a noun, and of two what asks for the one by itself.
_ORDER = ('ordinal', 'size', 'depth', 'height', 'side', 'colour')
_ALONE = {'larger': 'largest', 'smaller': 'smallest'}

Words = Mapping[str, str]


@dataclass(frozen=True)
class _Split:
    """Candidates in groups by one property: the words of each, equal words for one group."""

    by: str
    words: tuple[str, ...]

    @property
    def complete(self) -> bool:
        return len(set(self.words)) == len(self.words)


def ask(
    masks: np.ndarray,
    image_rgb: np.ndarray,
    expression: ReferringExpression,
    depth_m: np.ndarray | None = None,
) -> Question:
    """The question that separates some regions.

    Args:
        masks: (K, H, W) bool, two or more.
        image_rgb: (H, W, 3) uint8.
        expression: what was asked, and is true of each as far as anybody can tell.
        depth_m: (H, W) float32 metres, or None. Without it 'upper' and 'lower' are said of the
            picture, and not 'front' and 'back'.
    """
    regions = measure(masks, depth_m)
    colours = [colour_name(image_rgb, mask) for mask in masks]
    rows = tuple(range(len(masks)))
    told = _counted(regions) or _tell_apart(
        rows, lambda some: _splits(some, regions, colours))
    if told is None:
        return Question(
            f'{len(rows)} regions fit equally, and neither place nor colour nor size tells them '
            'apart: point at one, or say more about the one that is meant.',
            tuple(f'candidate {row + 1}' for row in rows), ({},) * len(rows))
    order = _as_read(told, regions)
    if 'ordinal' in told[0]:
        text = f'Which of the {_NUMBERS[len(rows) - 2]} do you mean, counting from the left?'
    else:
        ones = [_joined(told[row], 'one') for row in order]
        text = f'Do you mean {", ".join(ones[:-1])} or {ones[-1]}?'
    return Question(text, tuple(_described(told[row], expression) for row in rows),
                    tuple(told[row] for row in rows), tuple(order))


def _as_read(told: Mapping[int, Words], regions: Regions) -> list[int]:
    """The candidates in the order in which they are named: from left to right, or downwards."""
    beside = any({'side', 'ordinal'} & set(words) for words in told.values())
    return sorted(told, key=lambda row: (regions.column if beside else regions.line)[row])


def _counted(regions: Regions) -> dict[int, Words] | None:
    """The ordinals of more than can be named one by one; None where they are no clear row."""
    order = np.argsort(regions.column)
    apart = np.diff(regions.place('right')[order]) >= _APART
    if not _SPOKEN < len(order) <= len(_ORDINALS) or not apart.all():
        return None
    return {int(row): {'ordinal': _ORDINALS[place]} for place, row in enumerate(order)}


def _tell_apart(
    rows: tuple[int, ...], splits: Callable[[tuple[int, ...]], list[_Split]],
    used: frozenset[str] = frozenset(),
) -> dict[int, Words] | None:
    """For each of `rows` the words that are true of it alone, by property; None without any.

    One property that tells all apart is best; else groups by one are told apart by others, each
    property once.
    """
    if len(rows) == 1:
        return {rows[0]: {}}
    left = [split for split in splits(rows) if split.by not in used]
    for split in sorted(left, key=lambda each: not each.complete):
        told: dict[int, Words] = {}
        for word in dict.fromkeys(split.words):
            group = tuple(row for row, own in zip(rows, split.words, strict=True) if own == word)
            inside = _tell_apart(group, splits, used | {split.by})
            if inside is None:
                break
            told |= {row: {split.by: word, **words} for row, words in inside.items()}
        else:
            return told
    return None


def _splits(
    rows: tuple[int, ...], regions: Regions, colours: Sequence[str],
) -> list[_Split]:
    """Every way to part `rows` in two groups or more, the best first."""
    some = regions.take(np.array(rows))
    axes = {'side': (some.place('right'), ('left', 'right'))}
    if some.depth_m is None:
        axes['height'] = some.place('bottom'), ('upper', 'lower')
    else:
        axes['depth'] = some.nearness(), ('back', 'front')
    found = [split for split in (_along(by, *axis) for by, axis in axes.items())
             if split is not None]
    if len(rows) == 2:
        # What is mostly behind the other is not told by left and right, nor the other way round.
        widest = max(abs(float(place[1] - place[0])) for place, _ in axes.values())
        found = [split for split in found if widest <= _STEEPEST * abs(
            float(np.diff(axes[split.by][0])[0]))]
    names = tuple(colours[row] for row in rows)
    if all(names) and len(set(names)) > 1:
        found.append(_Split('colour', names))
    sizes = some.size('area')
    if len(rows) == 2 and abs(sizes[0] - sizes[1]) >= _LARGER:
        words = ('larger', 'smaller')
        found.append(_Split('size', words if sizes[0] > sizes[1] else words[::-1]))
    return found


def _along(by: str, place: np.ndarray, ends: tuple[str, str]) -> _Split | None:
    """Groups with clear gaps between them along an axis: two, or three of one each."""
    order = np.argsort(place)
    group = np.empty(len(place), int)
    group[order] = np.concatenate([[0], np.cumsum(np.diff(place[order]) >= _APART)])
    count = int(group.max()) + 1
    if count == 2:
        return _Split(by, tuple(ends[one] for one in group))
    if count == 3 and len(place) == 3:
        names = (ends[0], 'middle', ends[1])
        return _Split(by, tuple(names[one] for one in group))
    return None


def _joined(words: Words, noun: str) -> str:
    return ' '.join(['the', *(words[by] for by in _ORDER if by in words), noun])


def _described(words: Words, expression: ReferringExpression) -> str:
    """'the left red mug behind the box': the object's own phrase with what tells it apart."""
    article, _, noun = expression.phrase.partition(' ')
    if article.lower() not in ('the', 'a', 'an') or not noun:
        noun = expression.phrase or 'one'
    said = {by: _ALONE.get(word, word) for by, word in words.items()
            if word not in noun.lower().split()}
    counted = ' from the left' if 'ordinal' in words else ''
    relations = ''.join(f' {found.relation} {found.other}' for found in expression.relations)
    return f'{_joined(said, noun)}{counted}{relations}'
