"""Which of several alike is meant: places, ranks, sizes and relations, by the proposals' masks.

CLIP sees one proposal at a time and cannot tell the second mug from the left. Here every region
counts as far as it answers to the description without its place: a region that is hardly a mug
hardly counts among the mugs. How well a region's place fits is a probability; its logarithm, times
a temperature, is added to the region's score.

Letters: N proposals, A candidates, B anchors (regions for another noun phrase).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from refdiff_ros.config import SpatialConfig
from refdiff_ros.language.words import SIZE_SUPERLATIVES
from refdiff_ros.matching.anchors import Anchor, placing_relations, RelationAnchors
from refdiff_ros.matching.region_geometry import measure, PLACE_TOLERANCE, Regions
from refdiff_ros.matching.selection import assign_regions, separate_regions
from refdiff_ros.matching.spatial_relations import between, gap, RULES, soft_step
from refdiff_ros.results import ReferringExpression
from refdiff_ros.stages import stage

_MAX_ANCHORS = 16
# How much the middle one of a row is 'in the middle', against the one nearest the image's centre.
_ROW_SHARE = 0.7
_SMALLEST_SPREAD = 1e-6


@dataclass(frozen=True)
class Layout:
    """Where the proposals of a picture lie.

    Attributes:
        masks: (N, H, W) bool.
        overlap: as in `selection.separate_regions`.
        depth_m: (H, W) float32 metres, or None.
        shares: (N, N) `masks.smaller_shares` of the masks, if they are known.
    """

    masks: np.ndarray
    overlap: float = 0.5
    depth_m: np.ndarray | None = None
    shares: np.ndarray | None = None


@dataclass(frozen=True)
class Matches:
    """How well the proposals answer to an expression, wherever they lie.

    Attributes:
        total: (N,) combined scores (Eq. (1)); NaN marks proposals that were filtered out.
        match: (N,) how well each answers to the root's own description; finite where `total` is.
        described: (N,) probability that the description is true of each, finite where `total`
            is: how much it counts among those described. None takes that from `match`.
    """

    total: np.ndarray
    match: np.ndarray
    described: np.ndarray | None = None

    @property
    def worth(self) -> np.ndarray:
        """(N,) by which proposals are put in order."""
        return self.total if self.described is None else self.described

    def moved(self, change: np.ndarray, config: SpatialConfig) -> np.ndarray:
        """(N,) the same after places have counted; `change` as in `SpatialChange`."""
        if self.described is None:
            return np.asarray(self.total + change)
        return np.asarray(self.described * place_fit(change, self.match, config))


@dataclass(frozen=True)
class SpatialChange:
    """What places add to the scores.

    Attributes:
        change: (N,) float32, 0 or less; NaN for proposals without a score. None where places did
            not count.
        notes: a sentence on what decided.
    """

    change: np.ndarray | None
    notes: tuple[str, ...] = ()


def says_where(expression: ReferringExpression, config: SpatialConfig) -> bool:
    """Whether `expression` holds words that count under `config`."""
    said = {
        'direction': expression.root_directions, 'ordinal': expression.ordinals,
        'superlative': _sizes(expression), 'relation': placing_relations(expression)}
    return config.kind == 'geometry' and any(said[part] for part in config.parts)


@stage('spatial')
def adjust(
    matches: Matches,
    layout: Layout,
    expression: ReferringExpression,
    relations: Sequence[RelationAnchors],
    config: SpatialConfig,
) -> SpatialChange:
    """What the places of proposals add to their scores.

    Candidates are separate regions, so that parts of an object count once; a part gets what its
    region gets.

    Args:
        matches: how well proposals answer to what does not say where.
        layout: the proposals' masks, and depth where there is one.
        expression: directions, ordinals and superlatives are read.
        relations: with the anchors' scores.
        config: which words count, and how much.
    """
    match, worth = matches.match, matches.worth
    rows = np.flatnonzero(np.isfinite(worth))
    order = rows[np.argsort(-worth[rows], kind='stable')]
    found = assign_regions(
        order, layout.masks, layout.overlap, layout.shares) if len(order) else np.zeros(0, int)
    if len(np.unique(found)) < 2:
        return SpatialChange(None, (
            'where the object lies did not count: fewer than two separate regions were proposed',))
    candidates = order[np.unique(found, return_index=True)[1]]  # (A,)
    unit = _temperature(match[rows], config)
    measured = _Measured(layout, candidates, relations)
    regions = measured.regions(candidates)
    member = (_membership(match[candidates], unit) if matches.described is None
              else matches.described[candidates])
    fits = _own_fits(expression, regions, member, config)
    if 'relation' in config.parts:
        fits += [_relation_fit(one, measured, regions, member, config) for one in relations]
    if not fits:
        return SpatialChange(None)
    logarithm = sum(np.log(np.maximum(fit, config.floor)) for _, fit in fits)  # (A,)
    change = np.full(len(worth), np.nan, np.float32)
    change[order] = unit * config.weight * logarithm[found]
    return SpatialChange(change, _note(
        worth, matches.moved(change, config), [label for label, _ in fits]))


def place_fit(change: np.ndarray, match: np.ndarray, config: SpatialConfig) -> np.ndarray:
    """How well each place fits, from what it added to the score: the inverse of `adjust`.

    Args:
        change: (R,) 0 or less, of some proposals, as from `adjust`.
        match: (N,) of all proposals, as `adjust` was given it; NaN for those without a score.
        config: as `adjust` was given it.

    Returns:
        (R,) in 0..1: the product of the fits to all words; 1 where places have no weight.
    """
    unit = _temperature(match[np.isfinite(match)], config) * config.weight
    return np.asarray(np.exp(change.astype(np.float64) / unit)) if unit > 0 else (
        np.ones(len(change)))


class _Measured:
    """The regions of candidates and anchors, measured together."""

    def __init__(
        self, layout: Layout, candidates: np.ndarray, relations: Sequence[RelationAnchors],
    ):
        self.overlap = layout.overlap
        self._anchor_rows = {}
        used = [candidates]
        for anchor in (anchor for relation in relations for anchor in relation.anchors):
            rows = np.flatnonzero(np.isfinite(anchor.match))
            order = rows[np.argsort(-anchor.match[rows], kind='stable')]
            separate = separate_regions(
                order, layout.masks, layout.overlap, layout.shares)[:_MAX_ANCHORS]
            self._anchor_rows[id(anchor)] = separate
            used.append(separate)
        self._rows = np.unique(np.concatenate(used))
        self._all = measure(layout.masks[self._rows], layout.depth_m)

    def regions(self, rows: np.ndarray) -> Regions:
        return self._all.take(np.searchsorted(self._rows, rows))

    def anchor(self, anchor: Anchor, config: SpatialConfig) -> tuple[Regions, np.ndarray]:
        """The regions (B,) that may be meant, and how likely each is, the best 1."""
        rows = self._anchor_rows[id(anchor)]
        regions = self.regions(rows)
        unit = _temperature(anchor.match[np.isfinite(anchor.match)], config)
        behind_best = (anchor.match[rows] - anchor.match[rows].max()) / unit
        member, weight = _membership(anchor.match[rows], unit), np.exp(behind_best)
        for _, fit in _own_fits(anchor.expression, regions, member, config):
            weight *= np.maximum(fit, config.floor)
        return regions, weight / weight.max()


def _temperature(match: np.ndarray, config: SpatialConfig) -> float:
    if config.temperature_of == 'score':
        return config.temperature
    return config.temperature * max(
        float(np.std(match)), config.least_spread, _SMALLEST_SPREAD)


def _membership(match: np.ndarray, temperature: float) -> np.ndarray:
    """(A,) in 0..1: how much each counts among those described; the best counts 1.

    It falls slowly at first: two mugs differ in score too, by chance.
    """
    behind_best = (match.max() - match.astype(np.float64)) / temperature
    return np.asarray(np.exp(-(behind_best / 2) ** 2))


def _sizes(expression: ReferringExpression) -> tuple[str, ...]:
    return tuple(word for word in expression.superlatives if word in SIZE_SUPERLATIVES)


def _own_fits(
    expression: ReferringExpression, regions: Regions, member: np.ndarray, config: SpatialConfig,
) -> list[tuple[str, np.ndarray]]:
    """Directions, ordinals and superlatives: (label, fit (A,) in 0..1) for each."""
    sides = [side for side in expression.root_directions if side != 'middle']
    sizes = list(_sizes(expression)) if 'superlative' in config.parts else []
    fits = []
    if 'ordinal' in config.parts and expression.ordinals:
        number = expression.ordinals[0]
        # 'second largest', 'second from the left'; without either, as one reads.
        by = sides or sizes[:1] or ['right' if number < 0 else 'left']
        sizes = sizes if sides else []
        key = np.sum([_size(regions, word) if word in SIZE_SUPERLATIVES else regions.place(word)
                      for word in by], axis=0)
        fits.append((f'number {number} by {" ".join(by)}', nth(key, member, abs(number))))
    elif 'direction' in config.parts and sides:
        key = np.sum([regions.place(side) for side in sides], axis=0)
        fits.append((' '.join(sides), nth(key, member)))
    if 'direction' in config.parts and 'middle' in expression.root_directions:
        fits.append(('middle', middle(regions, member)))
    return fits + [(size, nth(_size(regions, size), member)) for size in sizes]


def _size(regions: Regions, superlative: str) -> np.ndarray:
    measure_of, sign = SIZE_SUPERLATIVES[superlative]
    return sign * regions.size(measure_of)


def nth(key: np.ndarray, member: np.ndarray, number: int = 1) -> np.ndarray:
    """The probability that exactly `number` - 1 other members come before each.

    Args:
        key: (A,) how far in front each is, in units that can just be told apart.
        member: (A,) in 0..1, how much each counts among those described.
        number: from 1.

    Returns:
        (A,) in 0..1.
    """
    before = member * soft_step(key - key[:, None])  # (A, A): column comes before row
    np.fill_diagonal(before, 0)
    counts = np.zeros((len(key), number))  # (A, number): 0, 1, ... members before
    counts[:, 0] = 1
    for one in before.T:
        one = one[:, None]
        moved = np.pad(counts, ((0, 0), (1, 0)))[:, :-1]
        counts = counts * (1 - one) + moved * one
    return counts[:, -1]


def middle(regions: Regions, member: np.ndarray) -> np.ndarray:
    """(A,): as many members on the left as on the right, or else nearest the image's centre."""
    count = len(regions)
    to_left = soft_step((regions.column[:, None] - regions.column) / PLACE_TOLERANCE)
    balance = np.zeros((count, 2 * count + 1))  # (A, members on the left less those on the right)
    balance[:, count] = 1
    alone = np.ones(count)
    for other in range(count):
        weight = np.where(np.arange(count) == other, 0, member[other])
        left = (weight * to_left[:, other])[:, None]
        right = (weight * (1 - to_left[:, other]))[:, None]
        balance = (balance * (1 - left - right) + np.roll(balance, 1, axis=1) * left
                   + np.roll(balance, -1, axis=1) * right)
        alone *= 1 - weight
    in_row = balance[:, count] - alone
    return _ROW_SHARE * in_row + (1 - _ROW_SHARE) * nth(-regions.from_centre(), member)


def _relation_fit(
    relation: RelationAnchors,
    measured: _Measured,
    regions: Regions,
    member: np.ndarray,
    config: SpatialConfig,
) -> tuple[str, np.ndarray]:
    """The best anchor counts: max over B of its weight times how well the relation holds."""
    texts = ' and '.join(anchor.expression.text for anchor in relation.anchors)
    label = f'{relation.relation} {texts}'
    others, weight = measured.anchor(relation.anchors[0], config)
    same = same_region(regions, others, relation.relation, measured.overlap)  # (A, B)
    if relation.relation == 'between':
        ends, end_weight = measured.anchor(relation.anchors[-1], config)
        other_same = same_region(regions, ends, 'between', measured.overlap)  # (A, C)
        apart = ~same_region(others, ends, 'between', measured.overlap)  # (B, C)
        fit = between(regions, others, ends) * weight[:, None] * end_weight * apart
        fit = fit * ~same[:, :, None] * ~other_same[:, None]  # (A, B, C)
        return label, fit.max(axis=(1, 2))
    fit = RULES[relation.relation](regions, others) * ~same * weight  # (A, B)
    if relation.relation == 'next to':
        nearness = -gap(regions, others) / PLACE_TOLERANCE
        for column in range(len(others)):
            fit[:, column] *= nth(nearness[:, column], member * ~same[:, column])
    return label, fit.max(axis=1)


def same_region(a: Regions, b: Regions, relation: str, overlap: float) -> np.ndarray:
    """(A, B) bool: whether both are one object, or one a part of the other.

    What lies on something may lie wholly within its mask; there only regions that mostly coincide
    are the same.
    """
    flat_a, flat_b = (
        regions.masks.reshape(len(regions), -1).astype(np.float32) for regions in (a, b))
    shared = flat_a @ flat_b.T
    size_a, size_b = flat_a.sum(axis=1)[:, None], flat_b.sum(axis=1)
    if relation in ('on', 'in', 'under'):
        return np.asarray(shared > 0.5 * np.maximum(size_a + size_b - shared, 1))
    return np.asarray(shared > overlap * np.maximum(np.minimum(size_a, size_b), 1))


def _note(worth: np.ndarray, moved: np.ndarray, labels: list[str]) -> tuple[str, ...]:
    before, after = int(np.nanargmax(worth)), int(np.nanargmax(moved))
    what = f'places were compared ({"; ".join(labels)})'
    if before == after:
        return (f'{what} and the best match kept its place',)
    return (f'{what} and decided: proposal {after} instead of {before}',)
