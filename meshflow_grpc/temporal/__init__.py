"""Temporal as the durable engine: one workflow per run, whose activities have servers drive it. Needs the extra ``temporal``."""
