"""The generative half: the diffusion model and its cross-attention, Eq. (3) to (5)."""
