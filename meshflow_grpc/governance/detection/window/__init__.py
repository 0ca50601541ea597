"""How much of a text that is still growing can be shown before the whole of it was scanned."""
