"""An offline arXiv, Semantic Scholar and LLM endpoint on loopback, with papers of its own: for the demo, the tests and trials."""
