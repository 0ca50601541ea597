"""What servers on one ledger tell each other: runs that were written, and that something is to be done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

RUNS_CHANNEL: Final = "meshflow_runs"
SERVERS_CHANNEL: Final = "meshflow_servers"
NOTIFY: Final = "SELECT pg_notify($1, $2)"
# PostgreSQL refuses payloads of 8000 bytes and more.
MAX_PAYLOAD: Final = 7500


def payloads(run_ids: Iterable[str]) -> Iterator[str]:
    """Joins run ids into payloads that fit."""
    joined = ""
    for run_id in run_ids:
        if joined and len(joined) + len(run_id) >= MAX_PAYLOAD:
            yield joined
            joined = ""
        joined = f"{joined} {run_id}" if joined else run_id
    if joined:
        yield joined
