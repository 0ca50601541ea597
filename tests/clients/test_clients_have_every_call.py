"""Each client offers every RPC: one contract, the same calls in each language."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RPC = re.compile(r"^  rpc (\w+)\(", re.MULTILINE)
# Kubernetes and load balancers ask these, over grpc.health.v1 or REST.
PROBES = {"GetLiveness", "GetReadiness"}
# Where a client's calls are, and how one shows that it makes the RPC.
CLIENTS = {
    "Python": ("meshflow_grpc/client/async_*.py", r"\._\w+\.{rpc}\("),
    "Go": ("clients/go/*.go", r"\b(?:runs|ledger|approvals|workflows|system|mesh)\.{rpc}\b"),
    "Java": ("clients/java/src/main/java/dev/meshflow/*.java", r"Grpc\.get{rpc}Method\(\)"),
    "TypeScript": ("clients/typescript/src/client.ts", r"this\.#\w+\.(?i:{rpc})\("),
}


def rpcs() -> set[str]:
    """Every RPC of the services for native clients."""
    protos = [path for path in (ROOT / "proto").rglob("*_service.proto") if path.name != "rest_service.proto"]
    return {rpc for path in protos for rpc in RPC.findall(path.read_text())} - PROBES


@pytest.mark.parametrize("client", CLIENTS)
def test_no_call_is_missing(client: str) -> None:
    """An RPC that a client lacks is named."""
    files, call = CLIENTS[client]
    source = "\n".join(path.read_text() for path in sorted(ROOT.glob(files)))
    assert len(rpcs()) > 20

    missing = {rpc for rpc in rpcs() if re.search(call.replace("{rpc}", rpc), source) is None}

    assert not missing, f"clients: {client} has no call for {', '.join(sorted(missing))}"
