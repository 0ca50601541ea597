"""Every RPC of the contract, against every kind of bad credential; none can be forgotten, since the table is the descriptors."""

from __future__ import annotations

import json
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import grpc
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from google.protobuf import descriptor_pool, message_factory
from grpc import aio

from meshflow_grpc._gen.meshflow.v1.run_pb2 import RunRequest
from meshflow_grpc._gen.meshflow.v1.run_service_pb2 import GetRunRequest, ListRunsRequest
from meshflow_grpc._gen.meshflow.v1.run_service_pb2_grpc import RunServiceStub
from meshflow_grpc.domain.errors import UnauthenticatedError
from meshflow_grpc.rpc.authenticators.api_key import ApiKeyAuthenticator, new_api_key, parse_api_keys
from meshflow_grpc.rpc.authenticators.jwt import JwtAuthenticator, JwtRules
from meshflow_grpc.rpc.authorization import ALLOWED, is_public
from meshflow_grpc.rpc.server import SERVICE_NAMES, GrpcServer, ServerLimits
from tests.service.conftest import failing
from tests.unit.engine.conftest import make_world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SIGNER = ed25519.Ed25519PrivateKey.generate()
RULES = JwtRules(audience="meshflow", issuer="https://issuer.example")
OUR_SERVICES = [name for name in SERVICE_NAMES if name.startswith("meshflow.")]


def methods() -> list[Any]:
    """Descriptors of all our RPCs."""
    pool = descriptor_pool.Default()
    return [method for name in OUR_SERVICES for method in pool.FindServiceByName(name).methods]


def path(method: Any) -> str:
    """/package.Service/Method."""
    return f"/{method.containing_service.full_name}/{method.name}"


def jwks(key_id: str = "k1", signer: ed25519.Ed25519PrivateKey = SIGNER) -> str:
    """The key set that verifies a signer's tokens."""
    key = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(signer.public_key()))
    return json.dumps({"keys": [{**key, "kid": key_id, "alg": "EdDSA", "use": "sig"}]})


def token(signer: Any = SIGNER, algorithm: str = "EdDSA", key_id: str = "k1", **claims: object) -> str:
    """A token of alice, operator of acme, with some claims changed; None removes one."""
    now = time.time()
    base = {
        "sub": "alice",
        "tenant": "acme",
        "roles": ["operator"],
        "iss": RULES.issuer,
        "aud": RULES.audience,
        "exp": now + 300,
    }
    kept = {name: value for name, value in (base | claims).items() if value is not None}
    return jwt.encode(kept, signer, algorithm, headers={"kid": key_id})


KEYS = {
    name: new_api_key(name, tenant, (role,), lambda size: "ab" * size)
    for name, tenant, role in (("op", "acme", "operator"), ("view", "acme", "viewer"), ("other", "rival", "operator"))
}


@pytest.fixture(params=["api_key", "jwt"])
async def channel(request: pytest.FixtureRequest) -> AsyncIterator[aio.Channel]:
    """A channel to a server that asks for credentials."""
    file = json.dumps({"keys": [entry for _, entry in KEYS.values()]})
    keys = ApiKeyAuthenticator(parse_api_keys(file))
    authenticator = keys if request.param == "api_key" else JwtAuthenticator(jwks(), RULES)
    runtime = make_world().runtime
    async with AsyncExitStack() as stack:
        server = GrpcServer(runtime.commands, runtime.state, authenticator, ServerLimits())
        port = await server.start("127.0.0.1:0")
        stack.push_async_callback(server.stop, 0)
        opened = await stack.enter_async_context(aio.insecure_channel(f"127.0.0.1:{port}"))
        opened.kind = request.param
        yield opened


def bearer(credential: str) -> tuple[tuple[str, str], ...]:
    """As metadata."""
    return (("authorization", f"Bearer {credential}"),)


def credential(kind: str, who: str) -> tuple[tuple[str, str], ...]:
    """A good credential of op, view (both acme) or other (rival)."""
    if kind == "api_key":
        return bearer(KEYS[who][0])
    roles = ["viewer"] if who == "view" else ["operator"]
    return bearer(token(tenant="rival" if who == "other" else "acme", roles=roles))


async def call(channel: aio.Channel, method: Any, metadata: Any) -> Any:
    """Calls an RPC with an empty request and awaits the first answer."""
    request = message_factory.GetMessageClass(method.input_type)()
    make = channel.unary_stream if method.server_streaming else channel.unary_unary
    answer = make(path(method), type(request).SerializeToString, None)(request, metadata=metadata)
    return await (answer.read() if method.server_streaming else answer)


def test_the_table_holds_exactly_the_rpcs_that_are_not_public() -> None:
    """A new RPC must be put in it."""
    assert set(ALLOWED) == {path(method) for method in methods() if not is_public(path(method))}


async def test_without_a_credential_only_probes_answer(channel: aio.Channel) -> None:
    """None, another scheme, and an empty one."""
    for method in methods():
        for metadata in ((), (("authorization", "Basic abc"),), (("authorization", "Bearer "),)):
            if is_public(path(method)):
                # This server is no node of a mesh, which has keys to show.
                if method.name == "GetNodeKeys":
                    assert (await failing(call(channel, method, metadata))).reason == "MESH_NOT_CONFIGURED"
                elif method.name != "GetReadiness":
                    await call(channel, method, metadata)
                continue
            error = await failing(call(channel, method, metadata))
            assert (error.code, error.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED"), path(method)


async def test_bad_credentials_are_refused_on_every_rpc(channel: aio.Channel) -> None:
    """Unknown, wrong, expired, of another issuer or audience, unsigned, or signed by someone else."""
    stranger = ed25519.Ed25519PrivateKey.generate()
    bad = {
        "api_key": ["mf_op_wrong", "mf_nobody_x", "x", KEYS["op"][0][:-1], token()],
        "jwt": [
            token(exp=time.time() - 120),
            token(exp=None),
            token(aud="another"),
            token(iss="https://another.example"),
            token(tenant=None),
            token(tenant=""),
            token(roles=["king"]),
            token(roles="operator"),
            token(signer=stranger),
            token(key_id="k2"),
            token(signer="x" * 32, algorithm="HS256"),
            jwt.encode({"sub": "alice"}, None, "none"),
            "a.b.c",
            KEYS["op"][0],
        ],
    }[channel.kind]
    for method in methods():
        if is_public(path(method)):
            continue
        for secret in bad:
            error = await failing(call(channel, method, bearer(secret)))
            assert error.code is grpc.StatusCode.UNAUTHENTICATED, (path(method), secret)
            assert secret not in error.message


async def code_of(answer: Any) -> grpc.StatusCode:
    """How a call ended."""
    try:
        await answer
    except aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


async def test_a_viewer_may_only_read(channel: aio.Channel) -> None:
    """PERMISSION_DENIED before the request is looked at."""
    for method in methods():
        if is_public(path(method)):
            continue
        code = await code_of(call(channel, method, credential(channel.kind, "view")))
        if "viewer" in ALLOWED[path(method)]:
            assert code is not grpc.StatusCode.PERMISSION_DENIED, path(method)
        else:
            assert code is grpc.StatusCode.PERMISSION_DENIED, path(method)


async def test_another_tenants_runs_are_not_there(channel: aio.Channel) -> None:
    """Not found, not forbidden, and not listed."""
    runs: Any = RunServiceStub(channel)
    run = await runs.Run(RunRequest(task="x"), metadata=credential(channel.kind, "op"))
    rival = credential(channel.kind, "other")

    assert (await failing(runs.GetRun(GetRunRequest(run_id=run.run_id), metadata=rival))).reason == "RUN_NOT_FOUND"
    assert not (await runs.ListRuns(ListRunsRequest(), metadata=rival)).runs
    assert [
        r.run_id for r in (await runs.ListRuns(ListRunsRequest(), metadata=credential(channel.kind, "view"))).runs
    ] == [run.run_id]


async def test_the_same_request_id_in_two_tenants_is_two_runs(channel: aio.Channel) -> None:
    """Idempotency keys do not cross tenants."""
    runs: Any = RunServiceStub(channel)
    first = await runs.Run(RunRequest(task="x", request_id="r"), metadata=credential(channel.kind, "op"))
    second = await runs.Run(RunRequest(task="y", request_id="r"), metadata=credential(channel.kind, "other"))

    assert first.run_id != second.run_id


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"keys": [{}]}', '{"keys": [{"id": "a", "sha256": "x", "tenant": "t", "roles": ["admin"]}]}'],
)
def test_a_key_file_that_cannot_be_used_is_refused(text: str) -> None:
    """At start-up."""
    with pytest.raises(ValueError, match="API key"):
        parse_api_keys(text)


def test_entries_may_follow_one_another() -> None:
    """As `meshflow key new` appends them, beside a document of several."""
    entries = [new_api_key(name, "acme", ("viewer",), lambda size: "ab" * size)[1] for name in ("a", "b", "c")]
    written = f"{json.dumps(entries[0])}\n{json.dumps({'keys': entries[1:2]}, indent=1)}\n{json.dumps(entries[2])}\n"
    assert list(parse_api_keys(written)) == ["a", "b", "c"]
    assert parse_api_keys('{"keys": []}') == {}
    with pytest.raises(ValueError, match="API key file is not JSON"):
        parse_api_keys(written + "{")


def test_a_key_with_an_unknown_role_or_a_repeated_id_is_refused() -> None:
    """Named by its id."""
    with pytest.raises(ValueError, match="API key 'king'"):
        new_api_key("king", "acme", ("king",), lambda size: "ab" * size)
    _, entry = KEYS["op"]
    with pytest.raises(ValueError, match="twice"):
        parse_api_keys(json.dumps({"keys": [entry, entry]}))


@pytest.mark.parametrize(
    ("names", "claims"),
    [
        (("tid", "realm_access.roles"), {"tid": "acme", "realm_access": {"roles": ["operator", "offline"]}}),
        (
            ("https://acme.example/tenant", "a.b.c"),
            {"https://acme.example/tenant": "acme", "a": {"b": {"c": ["operator"]}}},
        ),
    ],
)
async def test_an_issuers_own_claims_say_tenant_and_roles(names: tuple[str, str], claims: dict[str, object]) -> None:
    """By name or by path; the default ones then mean nothing, and what is not of the right kind is refused."""
    rules = JwtRules(RULES.audience, RULES.issuer, *names)
    tokens = JwtAuthenticator(jwks(), rules)

    def metadata(**changed: object) -> dict[str, str]:
        return {"authorization": f"Bearer {token(**(claims | changed))}"}

    found = await tokens.authenticate(metadata(tenant="rival", roles=["admin"]))
    assert (found.tenant_id, found.roles) == ("acme", {"operator"})
    for changed in ({names[0]: None}, {names[0]: 7}, {names[1].partition(".")[0]: ["operator"]}):
        with pytest.raises(UnauthenticatedError):
            await tokens.authenticate(metadata(**changed))


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"auth_time": 1000, "iat": 2000}, 1000.0),
        ({"iat": 2000}, 2000.0),
        ({}, None),
        ({"auth_time": "long ago", "iat": 2000}, None),
    ],
)
async def test_a_token_says_when_its_person_signed_in(claims: dict[str, object], expected: float | None) -> None:
    """A renewed token is no new sign-in; what is no time says nothing."""
    held = {"authorization": f"Bearer {token(**claims)}"}
    principal = await JwtAuthenticator(jwks(), RULES).authenticate(held)

    assert principal.auth_time == expected
