"""Which of the simulator's objects 'the red mug' or 'the mug' names, wherever they stand now."""

from collections.abc import Sequence
import re

from refdiff_ros.sim.shapes import COLOURS, SHAPES


def named_rows(text: str, names: Sequence[str]) -> list[int] | None:
    """Rows of the objects that a plain noun phrase is true of.

    Args:
        text: 'the red mug', 'the mug', 'a mug'.
        names: of the objects: 'red mug'.

    Returns:
        The rows, none where nothing fits; None for a text of another form.

    Example:
        >>> named_rows('the mug', ['red mug', 'blue box', 'blue mug'])
        [0, 2]
    """
    words = re.sub(r'^(the|a|an) ', '', text.lower().strip()).split()
    if not words or words[-1] not in SHAPES or len(words) > 2 or (
            len(words) == 2 and words[0] not in COLOURS):
        return None
    return [row for row, name in enumerate(names) if name.split()[-len(words):] == words]
