"""Drives runs through their graphs: scheduling, events, cancellation, recovery."""
