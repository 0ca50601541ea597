"""A node's token proves who calls, to one peer, in one tenant, once, for a minute."""

from __future__ import annotations

import json
import secrets
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from meshflow_grpc.domain.errors import LedgerUnavailableError, RateLimitedError
from meshflow_grpc.domain.node_token import NODE_HEADER, TOKEN_TYPE, NodeRefusedError, RefusalCause
from meshflow_grpc.domain.run import Principal
from meshflow_grpc.mesh.channel_files import ChannelFiles
from meshflow_grpc.mesh.known_nodes import FRESH_S, RETRY_S, STALE_S, KnownNodes
from meshflow_grpc.mesh.node_credentials import SignedCalls
from meshflow_grpc.mesh.node_key import NodeKey, key_id_of, public_key_of
from meshflow_grpc.rpc.authenticators.node_token import NodesAndUsers, NodeTokenAuthenticator
from meshflow_grpc.rpc.authenticators.used_tokens import UsedTokens
from meshflow_grpc.rpc.interceptors.authentication import AnonymousAuthenticator
from tests.fakes.clock import FakeClock
from tests.fakes.mesh_registry import DictRegistry, node

BUILD, STRANGER = NodeKey.generate(), NodeKey.generate()
MARCO = node("marco.ai")


class World:
    """build.ai calls marco.ai; the clock stands still."""

    def __init__(self, *, tenant: str = "") -> None:
        self.clock = FakeClock()
        self.registry = DictRegistry(node("build.ai", tenant=tenant, public_key=BUILD.public_jwk), MARCO)
        self.known = KnownNodes(self.registry, self.clock.monotonic)
        self.marco = NodeTokenAuthenticator("marco.ai", self.known, self.clock.monotonic)
        self.build = SignedCalls("build.ai", BUILD, ChannelFiles(), self.clock.monotonic)
        self.refused: list[NodeRefusedError] = []
        self.face = NodesAndUsers(self.marco, AnonymousAuthenticator(), self.refused.append)

    def token(
        self, key: NodeKey = BUILD, headers: dict[str, Any] | None = None, algorithm: str = "EdDSA", **claims: object
    ) -> dict[str, str]:
        """What a call carries, with some claims or headers changed; None removes one."""
        now = int(self.clock.seconds)
        base = {
            "iss": "build.ai",
            "sub": "node:build.ai",
            "aud": "marco.ai",
            "iat": now,
            "exp": now + 60,
            "jti": secrets.token_hex(8),
            "tenant": "acme",
            "roles": ["operator"],
        }
        kept = {name: value for name, value in (base | claims).items() if value is not None}
        signer: Any = key.private if algorithm == "EdDSA" else ("x" * 32 if algorithm == "HS256" else None)
        text = jwt.encode(kept, signer, algorithm, headers={"typ": TOKEN_TYPE, "kid": key.key_id} | (headers or {}))
        return {"authorization": f"Bearer {text}"}

    async def cause(self, metadata: dict[str, str]) -> RefusalCause:
        """Why marco.ai refuses a call."""
        with pytest.raises(NodeRefusedError) as refused:
            await self.face.authenticate(metadata)
        assert self.refused[-1] is refused.value
        assert refused.value.metadata == {"cause": refused.value.cause.value}
        return refused.value.cause


async def test_a_registered_node_is_let_in_with_its_tenant_and_roles() -> None:
    """What SignedCalls makes is what the authenticator takes."""
    world = World()

    principal = await world.face.authenticate(dict(world.build.metadata(MARCO, "acme")))

    assert principal == Principal("node:build.ai", "acme", frozenset({"operator"}), "node")
    assert world.refused == []


async def test_a_token_is_good_for_one_call() -> None:
    """The second use is refused, and so is a third after half a minute; a new token is not."""
    world = World()
    metadata = dict(world.build.metadata(MARCO, "acme"))
    await world.face.authenticate(metadata)

    assert await world.cause(metadata) is RefusalCause.REPLAYED
    world.clock.advance(30)
    assert await world.cause(metadata) is RefusalCause.REPLAYED
    await world.face.authenticate(dict(world.build.metadata(MARCO, "acme")))


async def test_a_token_dies_after_a_minute_and_the_leeway_of_the_clocks() -> None:
    """At 64 s it still lives, at 65 s it does not."""
    world = World()
    first, second = (dict(world.build.metadata(MARCO, "acme")) for _ in range(2))
    world.clock.advance(64)
    await world.face.authenticate(first)
    world.clock.advance(1)

    assert await world.cause(second) is RefusalCause.EXPIRED


@pytest.mark.parametrize(
    ("claims", "cause"),
    [
        ({"aud": "cortex.ai"}, RefusalCause.WRONG_AUDIENCE),
        ({"aud": ["marco.ai", "cortex.ai"]}, RefusalCause.WRONG_AUDIENCE),
        ({"iss": "cortex.ai"}, RefusalCause.UNKNOWN_NODE),
        ({"exp": 990}, RefusalCause.EXPIRED),
        ({"iat": 1006, "exp": 1060}, RefusalCause.NOT_YET_VALID),
        ({"exp": 1061}, RefusalCause.LIVES_TOO_LONG),
        ({"exp": None}, RefusalCause.MALFORMED),
        ({"exp": "1060"}, RefusalCause.MALFORMED),
        ({"iat": True}, RefusalCause.MALFORMED),
        ({"jti": None}, RefusalCause.MALFORMED),
        ({"jti": 7}, RefusalCause.MALFORMED),
        ({"sub": None}, RefusalCause.MALFORMED),
        ({"aud": None}, RefusalCause.MALFORMED),
        ({"iss": None}, RefusalCause.MALFORMED),
        ({"tenant": None}, RefusalCause.MALFORMED),
        ({"tenant": ""}, RefusalCause.WRONG_TENANT),
        ({"tenant": 1}, RefusalCause.WRONG_TENANT),
        ({"roles": ["admin"]}, RefusalCause.WRONG_ROLES),
        ({"roles": ["operator", "approver"]}, RefusalCause.WRONG_ROLES),
        ({"roles": []}, RefusalCause.WRONG_ROLES),
        ({"roles": "operator"}, RefusalCause.WRONG_ROLES),
        ({"roles": [["operator"]]}, RefusalCause.WRONG_ROLES),
    ],
)
async def test_a_claim_that_is_wrong_is_refused_by_name(claims: dict[str, object], cause: RefusalCause) -> None:
    """Each with its cause."""
    world = World()

    assert await world.cause(world.token(**claims)) is cause


async def test_what_is_not_signed_by_the_registered_key_is_refused() -> None:
    """A stranger's key, a stranger under the node's key id, no signature, a shared secret, another node's key."""
    world = World()

    assert await world.cause(world.token(STRANGER)) is RefusalCause.UNKNOWN_NODE
    assert await world.cause(world.token(STRANGER, {"kid": BUILD.key_id})) is RefusalCause.BAD_SIGNATURE
    for algorithm in ("none", "HS256"):
        assert await world.cause(world.token(algorithm=algorithm)) in {
            RefusalCause.MALFORMED,
            RefusalCause.BAD_SIGNATURE,
        }
    world.registry.kept["other"] = node("cortex.ai", public_key=STRANGER.public_jwk)
    world.clock.advance(FRESH_S)
    assert await world.cause(world.token(STRANGER)) is RefusalCause.UNKNOWN_NODE


async def test_a_node_without_credentials_is_refused_even_where_users_need_none() -> None:
    """It says that it is a node, and shows nothing, or something that is no node's token."""
    world = World()
    named = {NODE_HEADER: "build.ai"}

    assert await world.cause(named) is RefusalCause.NO_CREDENTIAL
    assert world.refused[-1].slug == "build.ai"
    for credential in ("mf_op_abc", "a.b.c", jwt.encode({"iss": "build.ai"}, "x" * 32, "HS256")):
        assert await world.cause(named | {"authorization": f"Bearer {credential}"}) is RefusalCause.NO_CREDENTIAL
    assert await world.cause({NODE_HEADER: "cortex.ai"} | world.token()) is RefusalCause.MALFORMED


async def test_users_are_authenticated_as_the_server_is_configured() -> None:
    """No credential, and one that is no node's token, go to the users' authenticator."""
    world = World()

    for metadata in ({}, {"authorization": "Bearer mf_op_abc"}, {"authorization": "Basic x"}):
        assert (await world.face.authenticate(metadata)).id == "anonymous"


async def test_a_node_of_one_tenant_speaks_for_that_tenant_alone() -> None:
    """Its registration says which."""
    world = World(tenant="acme")

    assert (await world.face.authenticate(world.token(tenant="acme"))).tenant_id == "acme"
    assert await world.cause(world.token(tenant="rival")) is RefusalCause.WRONG_TENANT


async def test_a_removed_node_is_refused_within_seconds_and_a_new_one_known_at_once() -> None:
    """The registry is what counts, and is not read for every call."""
    world = World()
    for _ in range(50):
        await world.face.authenticate(world.token())
    assert world.registry.reads == 1

    world.clock.advance(RETRY_S)
    world.registry.kept["new"] = node("cortex.ai", public_key=STRANGER.public_jwk)
    await world.face.authenticate(world.token(STRANGER, iss="cortex.ai", sub="node:cortex.ai"))
    await world.registry.remove("id-of-build.ai-")
    world.clock.advance(FRESH_S)
    assert await world.cause(world.token()) is RefusalCause.UNKNOWN_NODE


async def test_unknown_keys_do_not_hammer_the_registry() -> None:
    """A thousand strangers are one read."""
    world = World()
    for _ in range(1000):
        await world.cause(world.token(STRANGER))

    assert world.registry.reads == 1


async def test_known_nodes_stay_known_while_the_registry_is_down_and_not_for_ever() -> None:
    """Five minutes; then the call fails as unavailable, not as unauthenticated."""
    world = World()
    await world.face.authenticate(world.token())
    world.registry.down = True
    world.clock.advance(STALE_S - 1)
    await world.face.authenticate(world.token())
    world.clock.advance(1)

    with pytest.raises(LedgerUnavailableError):
        await world.face.authenticate(world.token())


def test_used_tokens_are_remembered_for_a_lifetime_and_their_number_is_bounded() -> None:
    """Rather than forget one too early it refuses new ones for a while."""
    used = UsedTokens(10.0, most=3)

    assert [used.use("a", 0), used.use("a", 9), used.use("a", 18)] == [True, False, False]
    assert used.use("a", 28)
    assert used.use("b", 29)
    assert used.use("c", 30)
    with pytest.raises(RateLimitedError) as refused:
        used.use("d", 31)
    assert refused.value.retry_after_s == 7
    assert used.use("d", 38)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 8)), max_size=30),
)
def test_no_token_passes_twice_within_its_lifetime(uses: list[tuple[str, float]]) -> None:
    """Whatever the order and the pauses."""
    used, now = UsedTokens(10.0), 0.0
    passed: dict[str, float] = {}
    for name, pause in uses:
        now += pause
        if used.use(name, now):
            assert now - passed.get(name, -100.0) >= 10.0
            passed[name] = now


def test_a_key_is_read_from_pem_and_never_shown() -> None:
    """As openssl writes it; its id is its thumbprint; other keys are refused without being quoted."""
    pem = BUILD.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    read = NodeKey.parse(pem)
    raw = public_key_of(read.public_jwk)

    assert (read.key_id, read.public_jwk) == (BUILD.key_id, BUILD.public_jwk)
    assert raw is not None
    assert key_id_of(raw) == json.loads(read.public_jwk)["kid"]
    assert "PRIVATE" not in repr(read)
    rsa = generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    for text in ("", "x", rsa, pem.replace("PRIVATE", "PUBLIC")):
        with pytest.raises(ValueError, match="openssl genpkey") as refused:
            NodeKey.parse(text)
        assert text.strip() == "" or len(text) == 1 or text.splitlines()[1] not in str(refused.value)


def test_the_thumbprint_is_that_of_the_rfc() -> None:
    """RFC 8037, appendix A.3."""
    key = public_key_of('{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}')

    assert key is not None
    assert key_id_of(key) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@pytest.mark.parametrize(
    "jwk",
    ["", "{}", "[]", '{"kty":"RSA"}', '{"kty":"OKP","crv":"Ed25519","x":"AA"}', '{"kty":"OKP","crv":"Ed25519","x":1}'],
)
def test_what_is_no_key_belongs_to_nobody(jwk: str) -> None:
    """A node that registered rubbish can sign nothing."""
    assert public_key_of(jwk) is None


def test_each_call_has_a_token_of_its_own() -> None:
    """Signed for one peer and tenant, with the private key in none of it."""
    world = World()
    one, two = (dict(world.build.metadata(MARCO, "acme"))["authorization"] for _ in range(2))

    assert one != two
    claims = jwt.decode(one.removeprefix("Bearer "), options={"verify_signature": False})
    assert (claims["aud"], claims["tenant"], claims["exp"] - claims["iat"]) == ("marco.ai", "acme", 60)


def test_private_keys_are_of_this_process_unless_configured() -> None:
    """Two are never equal."""
    assert NodeKey.generate().key_id != NodeKey.of(Ed25519PrivateKey.generate()).key_id
