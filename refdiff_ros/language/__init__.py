"""The sentence: what is meant, and its root token (Sec. 3.2)."""
