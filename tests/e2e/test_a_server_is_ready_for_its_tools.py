"""What the first step of a tool needs is there before the server says that it serves: no call waits while it is loaded."""

from __future__ import annotations

from meshflow_grpc.client import Client
from tests.e2e.conftest import StartServer, start_server

__all__ = ["start_server"]
ASK = "name: ask\nentry: ask\nnodes:\n  ask: {kind: python, ref: loaded}\n"


def test_the_library_of_schemas_is_loaded_before_the_first_run(start_server: StartServer) -> None:
    """In a server with tools; a step that needs no schema sees it."""
    server = start_server(None, MESHFLOW_APP="tests.e2e.loaded_modules:registry")
    with Client(server.url) as client:
        run = client.run("x", workflow_yaml=ASK)

    assert (run.status, run.output) == ("completed", "True")
