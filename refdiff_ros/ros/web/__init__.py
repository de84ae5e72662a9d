"""The operator page that the node serves."""
