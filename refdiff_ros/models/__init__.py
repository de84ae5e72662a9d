"""Model bundles: where they come from, and what is loaded of them."""
