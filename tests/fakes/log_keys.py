"""Keys of a log that are the same in every test."""

from __future__ import annotations

from meshflow_grpc.engine.log_publisher import LogPublisher
from meshflow_grpc.ledger.log_keys import LogKeys
from meshflow_grpc.ledger.note_key import generate_signing_key
from meshflow_grpc.ports.anchor import HeadAnchor
from meshflow_grpc.ports.log import LogStore
from meshflow_grpc.system import SystemClock

ORIGIN = "log.example.org/meshflow"
KEY = generate_signing_key(ORIGIN, lambda size: bytes(range(size)))
NEW_KEY = generate_signing_key(ORIGIN, lambda size: bytes(range(7, size + 7)))
KEYS = LogKeys(ORIGIN, (KEY,))


def publisher(store: LogStore, keys: LogKeys = KEYS, anchor: HeadAnchor | None = None) -> LogPublisher:
    """A publisher that is not started yet."""
    return LogPublisher(store, keys, SystemClock(), anchor)
