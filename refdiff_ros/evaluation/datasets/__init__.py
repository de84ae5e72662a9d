"""Public data sets of referring expressions, read from the layouts in which they come."""
