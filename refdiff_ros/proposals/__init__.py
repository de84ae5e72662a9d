"""Mask proposals: weight-free ones, Eq. (8), and those of SAM."""
