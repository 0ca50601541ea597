"""Adapters that call models. Import the module of the one you need: each loads its own SDK."""
