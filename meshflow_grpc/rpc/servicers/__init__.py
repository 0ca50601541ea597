"""Decode, one command, encode; nothing else."""
