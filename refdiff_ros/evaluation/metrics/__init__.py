"""Figures of masks, poses and runs, each from its definition."""
