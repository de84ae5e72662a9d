"""One question with its truth, wherever it comes from: a data set, a bag, a simulation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from refdiff_ros.results import Frame


@dataclass(frozen=True)
class Sample:
    """A referring expression, its picture and the mask that it means.

    Attributes:
        sample_id: unique within its data set, and the same in every run.
        image_id: of the picture; samples of one picture should follow each other, since the
            engine keeps what belongs to a frame.
        expression: what was said.
        load: reads the picture and the true mask, (H, W) bool, when they are needed.

            Raises:
                RefDiffError: the picture or the mask cannot be read.
        tags: what figures are broken down by, such as {'kind': 'relation', 'distractors': '2'}.
    """

    sample_id: str
    image_id: str
    expression: str
    load: Callable[[], tuple[Frame, np.ndarray]]
    tags: Mapping[str, str] = field(default_factory=dict)
