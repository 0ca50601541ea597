"""A server with keys for everyone in the scenarios, and every face of it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from meshflow_grpc.rpc.authenticators.api_key import new_api_key
from tests.contract.cli_face import CliFace
from tests.contract.faces import CLIENTS, DriverFace, Face
from tests.contract.http_faces import RestFace, SseFace
from tests.contract.python_face import PythonFace
from tests.contract.scenario import ROLES, load
from tests.e2e.conftest import MeshflowServer, StartServer, start_server

__all__ = ["start_server"]

BUILD_TIMEOUT_S = 600
# Name of the face, its client, the driver's options, and the programs it needs.
DRIVERS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "go": ("go", (), ("go",)),
    "java": ("java", (), ("java", "mvn")),
    "node": ("typescript", ("grpc",), ("node", "npm")),
    "grpc-web": ("typescript", ("grpc-web",), ("node", "npm")),
}
FACES = ("python", "rest", "sse", "cli", *DRIVERS)


@dataclass(frozen=True)
class Keys:
    """Who calls: a key for each face, role and tenant."""

    by_tenant: dict[str, dict[str, str]]

    def token(self, tenant: str, role: str) -> str | None:
        """The key of a role; a forger's is none, and nobody has none."""
        if role in ("nobody", "forger"):
            return {"nobody": None, "forger": "mf_forger_00"}[role]
        return self.by_tenant["stranger" if role == "stranger" else tenant]["operator" if role == "stranger" else role]

    def tenant_of(self, token: str | None) -> str:
        """Whose key it is."""
        return next((t for t, keys in self.by_tenant.items() if token in keys.values()), "default")


def tenant_of(face: str, scenario: str, alone: bool) -> str:
    """Scenarios that list things have a tenant each."""
    return f"{face} {scenario}" if alone else face


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Keys, Path]:
    """The keys, and the file with their hashes."""
    tenants = {tenant_of(face, scenario.name, scenario.lists) for face in FACES for scenario in load()} | {"stranger"}
    by_tenant: dict[str, dict[str, str]] = {}
    entries = []
    for number, tenant in enumerate(sorted(tenants)):
        for role in ROLES[:4]:
            key, entry = new_api_key(f"{role}{number}", tenant, (role,), secrets.token_hex)
            by_tenant.setdefault(tenant, {})[role] = key
            entries.append(entry)
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    path.write_text(json.dumps({"keys": entries}))
    return Keys(by_tenant), path


@pytest.fixture(scope="module")
def server(start_server: StartServer, keys: tuple[Keys, Path]) -> MeshflowServer:
    """One server for all scenarios."""
    return start_server(
        None,
        MESHFLOW_AUTH="api_key",
        MESHFLOW_API_KEYS_FILE=str(keys[1]),
        MESHFLOW_APP="tests.contract.application:registry",
        MESHFLOW_REVOKED_AGENTS="mallory",
    )


@pytest.fixture(scope="session")
def built() -> dict[str, str]:
    """Builds each driver once; returns the faces that cannot be, with the reason."""
    missing: dict[str, str] = {}
    outcome: dict[str, str] = {}
    for face, (language, _, programs) in DRIVERS.items():
        absent = [program for program in programs if shutil.which(program) is None]
        if absent:
            missing[face] = f"{', '.join(absent)} not on PATH"
            continue
        if language not in outcome:
            command = [str(CLIENTS / language / "contract-driver")]
            done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S)
            assert done.returncode == 0, done.stdout + done.stderr
            outcome[language] = "built"
    return missing


@pytest.fixture(scope="module")
def faces(server: MeshflowServer, keys: tuple[Keys, Path], built: dict[str, str]) -> Iterator[dict[str, Face]]:
    """Every face that can be had, on the one server. In CI none may be missing."""
    if os.environ.get("CI") == "true" and built:
        pytest.fail(f"CI must test every face; missing: {built}")
    made: list[Face] = [
        PythonFace(server.url),
        RestFace(server.url),
        SseFace(server.url),
        CliFace(server.url, server.ledger, keys[0].tenant_of),
    ]
    for name, (language, options, _) in DRIVERS.items():
        if name not in built:
            made.append(DriverFace(name, language, server.url, *options))
    yield {face.name: face for face in made}
    for face in made:
        face.close()
