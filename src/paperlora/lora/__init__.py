"""Micro-datasets → adapters: many small LoRAs trained at once on one frozen base."""
