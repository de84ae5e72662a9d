"""Training and measuring the parser that comes with the package."""
