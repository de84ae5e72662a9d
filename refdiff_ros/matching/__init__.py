"""Scores, places and the decision: Eq. (1), (2) and (9)."""
