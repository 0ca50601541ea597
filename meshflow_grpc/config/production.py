"""What production refuses to start without."""

from __future__ import annotations

from meshflow_grpc.config.problem import ConfigProblem


def unsafe(*, signed: bool, authenticated: bool) -> tuple[ConfigProblem, ...]:
    """Returns what a configuration lacks that serves others."""
    found = []
    if not signed:
        found.append(
            ConfigProblem(
                "MESHFLOW_SIGNING_KEY",
                "production signs the log's heads with a key of its own, and there is none",
                "make one with `meshflow ledger keygen` and set MESHFLOW_SIGNING_KEY_FILE to its file",
            )
        )
    if not authenticated:
        found.append(
            ConfigProblem("MESHFLOW_AUTH", "production demands authentication", "set it to api_key, jwt or mtls")
        )
    return tuple(found)
