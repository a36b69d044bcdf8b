"""Idea → MicroDataset: probes first, then rows that share no surface with them."""
