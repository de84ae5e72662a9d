"""The other noun phrases of an expression, to which the object meant is in a relation.

Letter: N proposals.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from refdiff_ros.language.expression import parse, root_alone
from refdiff_ros.results import ReferringExpression

# Everything is on these: they tell nothing apart, and proposals that large are often filtered out.
SURFACES = frozenset('table tabletop desk floor ground counter picture image room'.split())


@dataclass(frozen=True)
class Anchor:
    """Another noun phrase of the expression ('the left box').

    Attributes:
        expression: the noun phrase, parsed.
        match: (N,) how well each proposal answers to it without its place; NaN if not scored.
    """

    expression: ReferringExpression
    match: np.ndarray


@dataclass(frozen=True)
class RelationAnchors:
    """A relation ('left of') with its anchor; 'between' may have two."""

    relation: str
    anchors: tuple[Anchor, ...]


def placing_relations(expression: ReferringExpression) -> tuple[tuple[str, str], ...]:
    """Relations (relation, other noun phrase) that tell objects apart: not 'on the table'."""
    return tuple(
        (found.relation, found.other) for found in expression.relations
        if found.relation not in ('on', 'in')
        or not SURFACES.intersection(found.other.lower().split()[-1:]))


def find_anchors(
    expression: ReferringExpression,
    nlp: Callable[[str], Any] | None,
    match: Callable[[ReferringExpression], np.ndarray],
) -> tuple[tuple[RelationAnchors, ...], tuple[str, ...]]:
    """The anchors of an expression's relations, each with its score of every proposal.

    Args:
        expression: parsed.
        nlp: a spaCy pipeline, or None.
        match: gives (N,) scores for a noun phrase that stands alone, without its place.

    Returns:
        The relations that have their anchors, and notes on those that have not.
    """
    found: list[RelationAnchors] = []
    notes: tuple[str, ...] = ()
    for relation, other in placing_relations(expression):
        texts = other.split(' and ') if relation == 'between' else [other]
        phrases = [parse(text, nlp, 'rules') for text in texts if text.strip()]
        alone = [each for each in map(root_alone, phrases) if each is not None]
        if len(alone) < len(phrases):
            notes += (f'no object noun was found in {other!r}: {relation!r} did not count',)
            continue
        anchors = (Anchor(phrase, match(each))
                   for phrase, each in zip(phrases, alone, strict=True))
        found.append(RelationAnchors(relation, tuple(anchors)))
    return tuple(found), notes


def best_match(relations: Sequence[RelationAnchors]) -> float | None:
    """How well the best proposal answers to an anchor, of several to the one found worst.

    Returns:
        None without anchors, or where no proposal was scored.
    """
    best = [float(np.nanmax(anchor.match)) for relation in relations
            for anchor in relation.anchors if np.isfinite(anchor.match).any()]
    return min(best, default=None)
