"""Measurements of our own speed, each beside its peer in one run."""
