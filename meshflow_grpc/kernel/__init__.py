"""The step kernel: one agent step through the fifteen stages."""
