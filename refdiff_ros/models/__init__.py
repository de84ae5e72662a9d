"""Bundles: which files make up which model, how they get here, and how they are loaded."""
