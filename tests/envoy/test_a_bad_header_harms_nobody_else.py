"""Headers that the server's transport cannot read never reach it: it would fail the call, and others on the same connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import httpx


@pytest.mark.parametrize(
    ("name", "bad", "good"),
    [
        ("grpc-timeout", "banana", ["1S", "2S", "3S"]),
        ("grpc-timeout", "999999999S", ["1S", "2S", "3S"]),
        ("grpc-timeout", "-1S", ["1S", "2S", "3S"]),
        ("grpc-encoding", "nope", ["gzip", "identity", "gzip"]),
    ],
)
async def test_a_malformed_value_is_refused(http: httpx.AsyncClient, name: str, bad: str, good: list[str]) -> None:
    """400 that names the header; the callers after it, whose values are fine, are served."""
    refused = await http.get("/v1/runs", headers={name: bad})

    assert refused.status_code == 400
    assert name in refused.json()["message"]
    assert refused.json()["details"][0]["reason"] == "INVALID_REQUEST"
    assert [(await http.get("/v1/runs", headers={name: value})).status_code for value in good] == [200, 200, 200]


@pytest.mark.parametrize("header", ["x-bin", "grpc-trace-bin", "7|&", "x~y", "x'y"])
async def test_names_that_grpc_cannot_carry_are_dropped(http: httpx.AsyncClient, header: str) -> None:
    """Whoever sends them, and whoever comes later, is served."""
    answers = [
        (await http.get("/v1/runs", headers={header: value})).status_code for value in ("!!", "", "AAAA", "BBBB")
    ]

    assert answers == [200, 200, 200, 200]
