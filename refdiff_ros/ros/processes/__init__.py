"""Processes and nodes that are started, spun and ended."""
