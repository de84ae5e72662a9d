"""An evaluation in one process, killed at random moments."""

from killed_rounds import killed_rounds
from row import Row

ROW = Row('evaluation killed at random moments, one process', '20 of 20 equal', killed_rounds)
