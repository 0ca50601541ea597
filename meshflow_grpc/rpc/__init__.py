"""The wire: decode, one command, encode."""
