"""Questions for a calibration, from pictures of which somebody said what an expression means.

True of one object: the labels themselves. Of several: labels that have several masks. Of none:
labels with an empty mask, and expressions that were said of other pictures. Nobody has looked at
these, so they are taken only where no label of this picture has the same root word; some are true
by chance all the same.

Letters: K objects, H W image height and width.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from refdiff_ros.results import Frame, Status


@dataclass(frozen=True)
class Said:
    """An expression and what it means in a picture.

    Attributes:
        text: what was said.
        masks: (K, H, W) bool, one for each object of which it is true; K = 0 for none.
    """

    text: str
    masks: np.ndarray


@dataclass(frozen=True)
class LabelledPicture:
    """A picture and all that was said of it.

    Attributes:
        name: the same in every run.
        frame: the picture.
        said: expressions with their masks.
    """

    name: str
    frame: Frame
    said: tuple[Said, ...]


@dataclass(frozen=True)
class CalibrationCase:
    """A question and the right decision.

    Attributes:
        picture: name of the picture.
        frame: the picture.
        text: what is asked.
        masks: (K, H, W) bool, of the objects of which it is true.
        made: it was said of another picture, and nobody has looked whether it is true here.
    """

    picture: str
    frame: Frame
    text: str
    masks: np.ndarray
    made: bool = False

    @property
    def truth(self) -> Status:
        """FOUND, NOT_FOUND or AMBIGUOUS."""
        count = len(self.masks)
        return Status.AMBIGUOUS if count > 1 else Status.FOUND if count else Status.NOT_FOUND


def absent_expressions(
    said: Sequence[tuple[str, str]], root_of: Callable[[str], str], seed: int = 0,
) -> dict[str, list[str]]:
    """What each picture is asked that was said of another one.

    As many as the picture has labels, fewer where the others say too little else.

    Args:
        said: a picture's name and an expression that is true of something in it, for each label.
        root_of: gives the root word of an expression.
        seed: of the choice; the same seed makes the same one.

    Returns:
        Expressions by the picture's name.
    """
    rng = np.random.default_rng(seed)
    roots = {text: root_of(text).lower() for text in {text for _, text in said}}
    texts_of: dict[str, list[str]] = {}
    for picture, text in said:
        texts_of.setdefault(picture, []).append(text)
    pool = [text for _, text in said]
    asked: dict[str, list[str]] = {}
    for picture, own in texts_of.items():
        known = {roots[text] for text in own}
        order = (pool[number] for number in rng.permutation(len(pool)))
        others = dict.fromkeys(text for text in order if roots[text] not in known)
        asked[picture] = list(others)[:len(own)]
    return asked


def questions(
    pictures: Iterable[LabelledPicture], absent: dict[str, list[str]],
) -> Iterator[CalibrationCase]:
    """Every question, those of one picture after each other.

    Args:
        pictures: read one by one.
        absent: as from `absent_expressions`.
    """
    for picture in pictures:
        nothing = np.zeros((0, *picture.frame.size_hw), bool)
        for each in picture.said:
            yield CalibrationCase(picture.name, picture.frame, each.text, each.masks)
        for text in absent.get(picture.name, ()):
            yield CalibrationCase(picture.name, picture.frame, text, nothing, made=True)
