"""Training of the bundle tabletop_mini, one command a model."""
