"""Queries that can read rows whose text is not valid UTF-8."""

from __future__ import annotations

from typing import NamedTuple


class RawQuery(NamedTuple):
    """A query in two forms: the plain one, and one that gives text as bytes."""

    text: str
    as_bytes: str

    @classmethod
    def of(cls, columns: tuple[str, ...], sql: str) -> RawQuery:
        """Builds both forms of a query; ``{columns}`` stands for its columns."""
        as_bytes = (f"CASE typeof({name}) WHEN 'text' THEN CAST({name} AS BLOB) ELSE {name} END" for name in columns)
        return cls(sql.format(columns=", ".join(columns)), sql.format(columns=", ".join(as_bytes)))
