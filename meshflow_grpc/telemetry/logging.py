"""Structured logs: one JSON object a line on stderr, or readable lines for people."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final

import structlog

from meshflow_grpc.telemetry.log_writer import LogWriter

# Made once: json.dumps with a default makes one for every line.
_ENCODER: Final = json.JSONEncoder(default=repr)


def _encoded(line: dict[str, object], **_: object) -> str:
    """A line as json.dumps writes it; what JSON does not know as its repr."""
    return _ENCODER.encode(line)


def _stamped(_logger: object, _method: str, line: structlog.types.EventDict) -> structlog.types.EventDict:
    line["timestamp"] = datetime.now(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
    return line


def configure_logging(level: str, log_format: str, *enrich: structlog.types.Processor) -> None:
    """Sets up structlog once per process; ``level`` is a standard name, ``log_format`` is json or console."""
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer(serializer=_encoded)
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    writer = LogWriter()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            *enrich,
            structlog.processors.add_log_level,
            _stamped,
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=lambda *_: writer,
        cache_logger_on_first_use=True,
    )
