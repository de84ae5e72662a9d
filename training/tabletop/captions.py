"""Captions of a picture or of a part of it: what is in it, more or less completely.

A caption says which objects are there, and sometimes how two of them stand. It never says which
pixels they are.
"""

from collections.abc import Sequence

import numpy as np

from training.tabletop.data import Thing

_ARTICLES = ('a ', 'the ', '')
_EMPTY = ('a table', 'the table', 'an empty table', 'a floor', 'table')
_SIDE = 0.08  # of the picture's width between two that stand left and right


def caption(rng: np.random.Generator, things: Sequence[Thing], colours: float = 0.6) -> str:
    """A caption of a picture that shows `things`; '' once in a while.

    Args:
        rng: chooses what is said.
        things: what is in the picture, with boxes in the picture's own coordinates.
        colours: chance that an object is named with its colour.
    """
    if rng.random() < 0.08:
        return ''
    if not things:
        return str(rng.choice(_EMPTY))
    told = min(len(things), 1 + int(rng.integers(4)))
    chosen = [things[i] for i in rng.permutation(len(things))[:told]]
    if len(chosen) == 2 and rng.random() < 0.5:
        relation = _relation(rng, *chosen)
        if relation:
            return f'{named(rng, chosen[0], colours)} {relation} {named(rng, chosen[1], colours)}'
    names = [named(rng, thing, colours) for thing in chosen]
    text = names[0]
    if len(names) > 1:
        joint = ' and ' if rng.random() < 0.7 else ', '
        text = ', '.join(names[:-1]) + joint + names[-1]
    if len(chosen) == 1 and rng.random() < 0.2:
        text += _place(rng, chosen[0])
    return text + (' on a table' if rng.random() < 0.1 else '')


def named(rng: np.random.Generator, thing: Thing, colours: float = 0.6) -> str:
    """'a red mug', 'the mug', 'red mug'."""
    article = _ARTICLES[int(rng.integers(len(_ARTICLES)))]
    words = thing.name if rng.random() < colours else thing.shape
    if article == 'a ' and words[0] in 'aeiou':
        article = 'an '
    return article + words


def _relation(rng: np.random.Generator, first: Thing, second: Thing) -> str:
    gap = (first.box_xyxy[0] + first.box_xyxy[2] - second.box_xyxy[0] - second.box_xyxy[2]) / 2
    found = ['next to', 'beside']
    if abs(gap) > _SIDE:
        found += ['left of' if gap < 0 else 'right of'] * 2
    else:
        found += ['in front of' if first.depth_m < second.depth_m else 'behind'] * 2
    return str(rng.choice(found))


def _place(rng: np.random.Generator, thing: Thing) -> str:
    x = (thing.box_xyxy[0] + thing.box_xyxy[2]) / 2
    y = (thing.box_xyxy[1] + thing.box_xyxy[3]) / 2
    found = []
    if x < 0.4 or x > 0.6:
        found.append(' on the left' if x < 0.4 else ' on the right')
    if y < 0.4 or y > 0.6:
        found.append(' at the back' if y < 0.4 else ' in front')
    return str(rng.choice(found)) if found else ' in the middle'
