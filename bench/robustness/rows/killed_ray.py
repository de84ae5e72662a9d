"""An evaluation on two Ray workers, killed at random moments."""

from killed_rounds import killed_rounds
from row import Effort, Outcome, Row


def measure(effort: Effort) -> Outcome:
    """Whoever starts Ray is killed; Ray's own processes have to end by themselves."""
    return killed_rounds(effort, ('--ray', '--workers', '2'))


ROW = Row('evaluation killed at random moments, two Ray workers', '20 of 20 equal', measure)
