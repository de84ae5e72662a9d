"""Evaluation on simulated tabletops."""
