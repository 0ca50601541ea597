"""Workflows as pure data: reading, validating and walking a graph of nodes. No clock, no network, no randomness."""
