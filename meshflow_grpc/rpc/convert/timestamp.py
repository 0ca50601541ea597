"""RFC 3339 text as protobuf timestamps."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp


def timestamp(text: str) -> Timestamp:
    """The moment a text names, to the millisecond."""
    moment = datetime.fromisoformat(text)
    seconds = int(moment.timestamp())
    return Timestamp(seconds=seconds, nanos=moment.microsecond * 1000)
