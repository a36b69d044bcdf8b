"""Planted truth: tiny worlds whose models are known to know, to believe wrongly, or never to have seen a fact."""
