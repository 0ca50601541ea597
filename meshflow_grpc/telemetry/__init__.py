"""Logs and observers."""
