"""How the catalog's tables came to be, step by step. Opening a catalog runs what is missing."""
