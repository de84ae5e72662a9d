"""Evaluation of FOUND, NOT_FOUND and AMBIGUOUS."""
