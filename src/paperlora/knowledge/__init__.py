"""Verdict → Lesson: what one run leaves for the next."""
