"""One RPC, one use case, one file: the listing of commands/ is the table of contents of the API."""

from __future__ import annotations

import re

from tests.architecture.descriptors import rpcs
from tests.architecture.repository import PACKAGE

EXEMPT = {
    "SystemService": "answers about the process itself, from state the server holds; there is no use case to authorise",
    "RestService": "the JSON face of other RPCs; each of its RPCs runs the command of its typed twin",
}
TWINS = {"WatchRunEvents": "WatchRun", "WatchMeshEvents": "WatchMesh"}
# They have no typed twin: one describes the JSON face, and gRPC clients have the protos; the other is for libraries of JSON Web
# Tokens, which fetch keys over HTTP, and nodes read the registry.
ABOUT_REST = {"GetOpenApi", "GetNodeKeys"}


def snake(name: str) -> str:
    """Returns an RPC name as a module name."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def test_every_rpc_has_a_command_file() -> None:
    """Each RPC of a service that is not exempt by name has commands/<rpc>.py."""
    governed = [name for service, names in rpcs().items() if service not in EXEMPT for name in names]
    missing = [name for name in governed if not (PACKAGE / "commands" / f"{snake(name)}.py").is_file()]

    assert "CreateRun" in governed
    assert missing == []


def test_every_json_rpc_has_a_typed_twin() -> None:
    """Each RPC of the JSON face is the twin of a typed RPC, so REST can do nothing that gRPC cannot."""
    typed = {name for service, names in rpcs().items() if service not in EXEMPT for name in names}
    twins = {TWINS.get(name, name.removesuffix("Json")) for name in rpcs()["RestService"] if name not in ABOUT_REST}

    assert twins - typed == set()


def test_exemptions_name_services_that_exist() -> None:
    """An exemption for a service that is gone is itself gone."""
    assert EXEMPT.keys() - rpcs().keys() == set()
