"""Two runs of the same questions: which cases belong together, and who was better where."""

from dataclasses import dataclass

import numpy as np

from refdiff_ros.evaluation.html.cases import ReportedRun
from refdiff_ros.evaluation.metrics.bootstrap import bootstrap_interval


@dataclass(frozen=True)
class Comparison:
    """A second run beside a first one.

    Attributes:
        rows: pairs of row numbers of the first and the second run; None where a run lacks the
            case. The first run's order, then what the second has alone.
        differences: second less first IoU, one for each case that both could score.
        interval: 95 % bootstrap interval of the mean difference, pictures drawn whole; NaN
            without differences.
    """

    rows: tuple[tuple[int | None, int | None], ...]
    differences: tuple[float, ...]
    interval: tuple[float, float]

    @property
    def mean(self) -> float | None:
        """Of the differences; None without any."""
        return float(np.mean(self.differences)) if self.differences else None

    @property
    def better(self) -> int:
        """Cases in which the second run has the higher IoU."""
        return sum(difference > 0 for difference in self.differences)

    @property
    def worse(self) -> int:
        """Cases in which the second run has the lower IoU."""
        return sum(difference < 0 for difference in self.differences)

    @property
    def equal(self) -> int:
        """Cases in which both have the same IoU."""
        return len(self.differences) - self.better - self.worse

    @property
    def alone(self) -> tuple[int, int]:
        """How many cases the first and the second run have alone."""
        return (sum(second is None for _, second in self.rows),
                sum(first is None for first, _ in self.rows))


def compare(first: ReportedRun, second: ReportedRun) -> Comparison:
    """Pair the cases by their ids."""
    places = {answer.sample_id: row for row, answer in enumerate(second.answers)}
    rows: list[tuple[int | None, int | None]] = []
    differences, groups = [], []
    for row, answer in enumerate(first.answers):
        place = places.pop(answer.sample_id, None)
        rows.append((row, place))
        if place is not None and answer.scored and second.answers[place].scored:
            differences.append(second.answers[place].iou - answer.iou)
            groups.append(answer.image_id)
    rows += [(None, place) for place in places.values()]
    return Comparison(tuple(rows), tuple(differences),
                      bootstrap_interval(differences, groups=groups))
