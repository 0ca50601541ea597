"""Every REST route through Envoy: no credential, bad ones, too small a role, another tenant's. The descriptors are the table."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from meshflow_grpc.envoy.bootstrap import load_descriptors
from meshflow_grpc.envoy.rest_routes import ApiMethod, RestBinding, api_methods
from meshflow_grpc.rpc.authorization import ALLOWED, is_public
from tests.e2e.conftest import MeshflowServer, StartServer

SIGNER = ed25519.Ed25519PrivateKey.generate()
ISSUER = "https://issuer.example"
SECRET = "the thoroughfare of acme"
WORKFLOW = f"name: ours\nversion: '1'\nentry: a\nnodes:\n  a: {{role: EXECUTOR, system: '{SECRET}'}}\n"
ROUTES = [(method, binding) for method in api_methods(load_descriptors()) for binding in method.bindings]
BODIES = {
    "EraseRunJson": {"basis": "gdpr art. 17"},
    "ForkRunJson": {"before_node": "writer"},
    "DecideApprovalJson": {"decision": "approve"},
}
# Whose answer depends on the tenant, without a name in the path.
QUERIES = {"DiffRuns": "run_a={run_id}&run_b={run_id}", "GetInclusionProof": "run_id={run_id}&sequence=1"}


def token(signer: ed25519.Ed25519PrivateKey = SIGNER, key_id: str = "k1", **claims: object) -> str:
    """A token of an admin of acme, with some claims changed."""
    base = {
        "sub": "alice",
        "tenant": "acme",
        "roles": ["operator", "approver", "admin"],
        "iss": ISSUER,
        "aud": "meshflow",
        "exp": time.time() + 600,
    }
    return jwt.encode(base | claims, signer, "EdDSA", headers={"kid": key_id})


BAD = {
    "none": {},
    "another scheme": {"authorization": "Basic YWRtaW46YWRtaW4="},
    "empty": {"authorization": "Bearer"},
    "no token": {"authorization": "Bearer x"},
    "expired": {"authorization": f"Bearer {token(exp=time.time() - 120)}"},
    "of another issuer": {"authorization": f"Bearer {token(iss='https://another.example')}"},
    "for another audience": {"authorization": f"Bearer {token(aud='another')}"},
    "without a tenant": {"authorization": f"Bearer {token(tenant='')}"},
    "signed by a stranger": {"authorization": f"Bearer {token(ed25519.Ed25519PrivateKey.generate())}"},
    "of an unknown key": {"authorization": f"Bearer {token(key_id='k2')}"},
    "unsigned": {"authorization": f"Bearer {jwt.encode({'sub': 'alice'}, None, 'none')}"},
}


@dataclass(frozen=True)
class Served:
    """A server, what acme has there, and one connection to it."""

    server: MeshflowServer
    things: dict[str, str]
    http: httpx.Client

    def send(self, method: ApiMethod, binding: RestBinding, headers: dict[str, str]) -> httpx.Response:
        """A well-formed request about acme's things; of a stream only the head is waited for."""
        values = {name: self.things.get(name, "nothing") for name in binding.variables}
        url = binding.template.format(**values)
        query = QUERIES.get(method.name, "").format(**self.things)
        body = BODIES.get(method.name, {}) if binding.takes_body else None
        return self.http.request(binding.http_method, f"{url}?{query}" if query else url, json=body, headers=headers)


@pytest.fixture(scope="module")
def served(start_server: StartServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that takes tokens; acme has a run, an approval that waits, and a workflow."""
    directory: Path = tmp_path_factory.mktemp("tokens")
    key = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(SIGNER.public_key()))
    jwks = directory / "jwks.json"
    jwks.write_text(json.dumps({"keys": [{**key, "kid": "k1", "alg": "EdDSA", "use": "sig"}]}))
    server = start_server(
        directory,
        MESHFLOW_AUTH="jwt",
        MESHFLOW_JWT_JWKS_FILE=str(jwks),
        MESHFLOW_JWT_AUDIENCE="meshflow",
        MESHFLOW_JWT_ISSUER=ISSUER,
    )
    acme = {"authorization": f"Bearer {token()}"}
    run = server.post("/run", {"task": SECRET, "session_id": "shared"}, headers=acme).json()
    gate = {"human_in_loop": {"enabled": True, "tier_threshold": "internal"}}
    waiting = server.post("/run", {"task": SECRET, "policy": gate}, headers=acme).json()
    assert server.post("/v1/workflows", {"yaml": WORKFLOW}, headers=acme).status_code == 200
    things = {
        "run_id": run["run_id"],
        "approval_id": waiting["pending_approval"]["approval_id"],
        "name": "ours",
        "session_id": "shared",
    }
    with httpx.Client(base_url=server.url, timeout=60, trust_env=False) as http:
        yield Served(server, things, http)


def reason(answer: httpx.Response) -> str:
    """The reason of an error, of whatever face."""
    found = [detail for detail in answer.json()["details"] if detail["@type"].endswith("ErrorInfo")]
    return str(found[0]["reason"]) if found else ""


@pytest.mark.slow
@pytest.mark.parametrize("which", BAD)
def test_nothing_but_probes_and_the_document_goes_without_a_credential(served: Served, which: str) -> None:
    """401 on each route, and the answer says nothing of the token; what is public needs none."""
    sent = BAD[which].get("authorization", "").partition(" ")[2]
    for method, binding in ROUTES:
        answer = served.send(method, binding, BAD[which])
        if is_public(method.grpc_path):
            # This server is no node of a mesh, which would show its keys.
            keyless = method.name == "GetNodeKeys" and reason(answer) == "MESH_NOT_CONFIGURED"
            assert keyless or answer.status_code == 200, binding
            continue
        assert answer.status_code == 401, (binding, answer.text)
        assert reason(answer) == "UNAUTHENTICATED"
        assert len(sent) < 8 or sent not in answer.text


@pytest.mark.slow
def test_a_role_that_is_too_little_is_refused(served: Served) -> None:
    """403 before the request is looked at, on each route whose RPC the table does not allow the role."""
    viewer = {"authorization": f"Bearer {token(roles=['viewer'])}"}
    refused = 0
    for method, binding in ROUTES:
        if is_public(method.grpc_path) or "viewer" in ALLOWED[method.grpc_path]:
            continue
        answer = served.send(method, binding, viewer)
        assert (answer.status_code, reason(answer)) == (403, "PERMISSION_DENIED"), binding
        refused += 1
    assert refused >= 8


@pytest.mark.slow
def test_another_tenants_things_are_not_found(served: Served) -> None:
    """404 on each route that names a run, an approval or a workflow: runs, entries, events, exports, proofs, approvals, workflows."""
    rival = {"authorization": f"Bearer {token(tenant='rival')}"}
    asked = [
        (method, binding)
        for method, binding in ROUTES
        if set(binding.variables) & served.things.keys() or method.name in QUERIES
    ]
    assert len(asked) >= 14
    for method, binding in asked:
        answer = served.send(method, binding, rival)
        assert answer.status_code == 404, (binding, answer.text)
        assert reason(answer).endswith("_NOT_FOUND"), binding
        assert SECRET not in answer.text
    mine = {"authorization": f"Bearer {token()}"}
    run = served.http.get(f"/v1/runs/{served.things['run_id']}", headers=mine).json()
    assert (run["status"], SECRET in served.http.get("/v1/workflows/ours", headers=mine).text) == ("completed", True)


@pytest.mark.slow
def test_another_tenants_lists_are_empty(served: Served) -> None:
    """Runs, runs of a session, approvals, workflows; an entry of acme's named by its place in the log is not proved to others."""
    rival = {"authorization": f"Bearer {token(tenant='rival')}"}

    def get(path: str) -> Any:
        return served.http.get(path, headers=rival).json()

    assert get("/v1/runs")["runs"] == []
    assert get("/v1/runs?session_id=shared")["runs"] == []
    assert get("/v1/approvals")["approvals"] == []
    assert "ours" not in [workflow["name"] for workflow in get("/v1/workflows")["workflows"]]
    assert get("/v1/workflows?name=ours").get("workflows", []) == []
    proof = served.http.get("/v1/log/inclusion?seq=1", headers=rival)
    assert proof.status_code == 404, proof.text
    assert not [entry for entry in served.server.log if "Bearer" in json.dumps(entry)]
