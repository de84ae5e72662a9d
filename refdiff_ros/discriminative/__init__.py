"""The discriminative half: CLIP on every proposal, Eq. (6), (7) and (10)."""
