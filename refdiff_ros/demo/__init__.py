"""`refdiff demo`: the node on a simulated camera."""
