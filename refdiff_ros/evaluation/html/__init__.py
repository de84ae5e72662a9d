"""A run of an evaluation as one HTML file that needs nothing else."""
