"""Pictures: what a file or a message claims to hold, and reading it."""
