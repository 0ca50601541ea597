"""The rules of governance: pure decisions, no I/O, no clock."""
