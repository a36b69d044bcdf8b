"""Adapter → Measurement → Verdict → Diagnosis: what the model absorbed, what it resisted, what broke."""
