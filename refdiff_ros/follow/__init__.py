"""From a whole order to what is done: read, grounded, asked, moved, verified."""
