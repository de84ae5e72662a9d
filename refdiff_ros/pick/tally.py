"""What many episodes come to: shares with their uncertainty, and whose fault a failure is."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
import math
from typing import Any

from refdiff_ros.pick.verdict import Verdict

_Z95 = 1.959964


@dataclass(frozen=True)
class Trial:
    """One episode with one source of masks.

    Attributes:
        seed: of the episode.
        text, kind: what was asked, and of which kind it is ('absent' where it is not there).
        shape: of the object that was asked for, '' where it is not there.
        verdict: what happened.
        status, reason: what the server said.
        iou: of the mask with the true one; NaN where there is none.
        seconds: wall-clock time that it took.
    """

    seed: int
    text: str
    kind: str
    shape: str
    verdict: Verdict
    status: str
    reason: str
    iou: float
    seconds: float

    def values(self) -> dict[str, Any]:
        """As JSON's types."""
        return {**self.__dict__, 'verdict': self.verdict.name,
                'iou': None if math.isnan(self.iou) else round(self.iou, 4),
                'seconds': round(self.seconds, 2)}


def wilson(count: int, total: int) -> tuple[float, float]:
    """95 % interval of a share after Wilson (1927); (0, 1) without any case.

    Example:
        >>> [round(bound, 3) for bound in wilson(8, 10)]
        [0.49, 0.943]
    """
    if total == 0:
        return 0.0, 1.0
    share, z2 = count / total, _Z95 ** 2
    centre = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = _Z95 / (1 + z2 / total) * math.sqrt(
        share * (1 - share) / total + z2 / (4 * total ** 2))
    return max(centre - half, 0.0), min(centre + half, 1.0)


def shares(trials: Sequence[Trial]) -> dict[str, dict[str, Any]]:
    """Count, share and interval of each verdict, apart for objects that are there and not."""
    result = {}
    for name, group in (('present', [t for t in trials if t.kind != 'absent']),
                        ('absent', [t for t in trials if t.kind == 'absent'])):
        counts = Counter(trial.verdict for trial in group)
        result[name] = {'episodes': len(group), **{
            verdict.name: {
                'count': counts[verdict], 'share': counts[verdict] / max(len(group), 1),
                'interval95': [round(bound, 4) for bound in wilson(counts[verdict], len(group))]}
            for verdict in Verdict if counts[verdict]}}
    return result


def faults(ours: Sequence[Trial], true: Sequence[Trial]) -> dict[str, int]:
    """Whose fault it was where ours did not lift an object that is there, episode by episode.

    Returns:
        'failures'; of these 'grounding' (with the true mask it was lifted) and 'grasping' (with
        the true mask it was not either); and 'luck', episodes in which ours lifted it and the
        true mask did not.
    """
    by_seed = {trial.seed: trial for trial in true}
    found = Counter({'failures': 0, 'grounding': 0, 'grasping': 0, 'luck': 0})
    for trial in ours:
        other = by_seed.get(trial.seed)
        if trial.kind == 'absent' or other is None:
            continue
        right, other_right = (t.verdict is Verdict.RIGHT for t in (trial, other))
        if right:
            found['luck'] += not other_right
        else:
            found['failures'] += 1
            found['grounding' if other_right else 'grasping'] += 1
    return dict(found)


def table(name: str, trials: Sequence[Trial]) -> str:
    """The shares as lines of text."""
    lines = []
    for group, values in shares(trials).items():
        lines.append(f'{name}, object {group}: {values["episodes"]} episodes')
        for verdict in Verdict:
            if verdict.name in values:
                row = values[verdict.name]
                low, high = row['interval95']
                lines.append(f'  {verdict.value:<26} {row["count"]:>4}  {row["share"]:6.1%}  '
                             f'({low:.1%} to {high:.1%})')
    return '\n'.join(lines)
