"""`MESHFLOW_AUTH=mtls`: the names in a client's certificate are the caller, directly or as Envoy forwards them."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from cryptography import x509
from grpc import aio
from hypothesis import given
from hypothesis import strategies as st

from meshflow_grpc._gen.meshflow.v1.run_pb2 import RunRequest
from meshflow_grpc._gen.meshflow.v1.run_service_pb2 import GetRunRequest
from meshflow_grpc._gen.meshflow.v1.run_service_pb2_grpc import RunServiceStub
from meshflow_grpc._gen.meshflow.v1.system_service_pb2 import GetHealthRequest
from meshflow_grpc._gen.meshflow.v1.system_service_pb2_grpc import SystemServiceStub
from meshflow_grpc.domain.errors import UnauthenticatedError
from meshflow_grpc.envoy import tls as envoy_tls
from meshflow_grpc.rpc.authenticators import forwarded_certificate
from meshflow_grpc.rpc.authenticators.forwarded_certificate import forwarded_names
from meshflow_grpc.rpc.authenticators.mtls import MtlsAuthenticator, Names, parse_identities
from meshflow_grpc.rpc.server import GrpcServer, ServerLimits
from meshflow_grpc.rpc.transport_security import ServerTls
from tests.fakes.certificates import Authority, PemFiles
from tests.service.conftest import failing
from tests.unit.engine.conftest import World, make_world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

CI = "spiffe://example.org/ci"
ENTRIES: list[dict[str, Any]] = [
    {"id": "ci", "uri": CI, "tenant": "acme", "roles": ["operator"]},
    {"id": "auditor", "uri": "spiffe://example.org/auditor", "tenant": "acme", "roles": ["viewer"]},
    {"id": "rival", "uri": "spiffe://rival.example/ci", "tenant": "rival", "roles": ["operator"]},
    {"id": "batch", "dns": "Batch.Acme.example", "tenant": "acme", "roles": ["operator"]},
    {"id": "night", "dns": "night.acme.example", "tenant": "acme", "roles": ["operator"]},
]
IDENTITIES = parse_identities(json.dumps({"identities": ENTRIES}))


class Secure:
    """A server that demands certificates, and channels to it."""

    def __init__(self, authority: Authority, world: World, port: int, stack: AsyncExitStack, tls: ServerTls) -> None:
        self.authority = authority
        self.world = world
        self.tls = tls
        self._port = port
        self._stack = stack

    async def channel(self, client: PemFiles) -> aio.Channel:
        """A connection of its own with a certificate."""
        credentials = grpc.ssl_channel_credentials(
            self.authority.file.read_bytes(), client.key.read_bytes(), client.certificate.read_bytes()
        )
        options = [("grpc.use_local_subchannel_pool", 1)]
        channel = aio.secure_channel(f"127.0.0.1:{self._port}", credentials, options)
        return await self._stack.enter_async_context(channel)

    async def runs(self, name: str, *names: x509.GeneralName) -> Any:
        """RunService with a certificate of these names."""
        return RunServiceStub(await self.channel(self.authority.issue(name, *names)))


@pytest.fixture
async def secure(tmp_path: Path) -> AsyncIterator[Secure]:
    """It, with nothing in front."""
    authority, world = Authority(tmp_path), make_world()
    files = authority.server()
    tls = ServerTls(files.certificate.read_bytes(), files.key.read_bytes(), authority.file.read_bytes())
    async with AsyncExitStack() as stack:
        server = GrpcServer(world.runtime.commands, world.runtime.state, MtlsAuthenticator(IDENTITIES), ServerLimits())
        port = await server.start("127.0.0.1:0", tls.credentials())
        stack.push_async_callback(server.stop, 0)
        yield Secure(authority, world, port, stack, tls)


def uri(name: str) -> x509.UniformResourceIdentifier:
    """A URI of a certificate."""
    return x509.UniformResourceIdentifier(name)


async def test_the_certificate_says_tenant_and_roles(secure: Secure) -> None:
    """The run is its tenant's and its own; another tenant's certificate does not find it, a viewer's may not start one."""
    ci, rival = await secure.runs("ci", uri(CI)), await secure.runs("rival", uri("spiffe://rival.example/ci"))
    run = await ci.Run(RunRequest(task="x"))
    assert run.status == "completed"
    assert (await secure.world.runtime.storage.get_run("acme", run.run_id)).principal_id == "ci"
    assert (await failing(rival.GetRun(GetRunRequest(run_id=run.run_id)))).reason == "RUN_NOT_FOUND"
    auditor = await secure.runs("auditor", uri("spiffe://example.org/auditor"))
    assert (await auditor.GetRun(GetRunRequest(run_id=run.run_id))).run_id == run.run_id
    assert (await failing(auditor.Run(RunRequest(task="x")))).code is grpc.StatusCode.PERMISSION_DENIED


async def test_dns_names_count_where_there_is_no_uri(secure: Secure) -> None:
    """In any case of letters; beside a URI they do not, and two identities in one certificate are none."""
    batch, night = x509.DNSName("BATCH.acme.example"), x509.DNSName("night.acme.example")
    assert (await (await secure.runs("dns", batch)).Run(RunRequest(task="x"))).status == "completed"
    for number, names in enumerate(((uri("spiffe://example.org/unknown"), batch), (batch, night))):
        refused = await failing((await secure.runs(f"odd{number}", *names)).Run(RunRequest(task="x")))
        assert (refused.code, refused.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


@pytest.mark.parametrize(
    "names",
    [(), (uri("spiffe://example.org/ci/more"),), (uri(CI), uri("spiffe://example.org/auditor"))],
    ids=["none", "unknown", "two"],
)
async def test_a_good_certificate_of_nobody_known_is_refused(secure: Secure, names: tuple[Any, ...]) -> None:
    """UNAUTHENTICATED, on a connection whose handshake passed; probes answer."""
    channel = await secure.channel(secure.authority.issue("nobody", *names))
    runs: Any = RunServiceStub(channel)
    assert (await failing(runs.Run(RunRequest(task="x")))).code is grpc.StatusCode.UNAUTHENTICATED
    system: Any = SystemServiceStub(channel)
    assert (await system.GetHealth(GetHealthRequest())).ok


async def test_headers_do_not_stand_for_a_certificate(secure: Secure) -> None:
    """What Envoy would forward counts for nothing where there is no Envoy."""
    runs = await secure.runs("liar", uri("spiffe://example.org/auditor"))
    metadata = ((forwarded_certificate.HEADER, f"URI={CI}"), (forwarded_certificate.PROOF_HEADER, ""))
    assert (await failing(runs.Run(RunRequest(task="x"), metadata=metadata))).code is grpc.StatusCode.PERMISSION_DENIED


async def test_a_replaced_authority_counts_for_the_next_handshake(secure: Secure, tmp_path: Path) -> None:
    """Clients of the old authority stay connected and cannot connect anew."""
    (tmp_path / "next").mkdir()
    following = Authority(tmp_path / "next", "following")
    old = await secure.runs("ci", uri(CI))
    await old.Run(RunRequest(task="x"))
    files = secure.authority.server("renewed")
    secure.tls.replace(files.certificate.read_bytes(), files.key.read_bytes(), following.file.read_bytes())
    assert (await old.Run(RunRequest(task="y"))).status == "completed"
    anew = RunServiceStub(await secure.channel(secure.authority.issue("again", uri(CI))))
    assert (await failing(anew.Run(RunRequest(task="x")))).code is grpc.StatusCode.UNAVAILABLE  # type: ignore[attr-defined]
    signed = RunServiceStub(await secure.channel(following.issue("signed", uri(CI))))
    assert (await signed.Run(RunRequest(task="x"))).status == "completed"  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="decided when the server starts"):
        secure.tls.replace(files.certificate.read_bytes(), files.key.read_bytes(), None)


async def test_forwarded_names_need_the_proof() -> None:
    """Whoever reaches the port behind Envoy cannot say who they are."""
    behind = MtlsAuthenticator(IDENTITIES, proof="s3cret")
    names = {forwarded_certificate.HEADER: f"Hash=00;URI={CI};DNS=batch.acme.example"}
    assert (await behind.authenticate({**names, forwarded_certificate.PROOF_HEADER: "s3cret"})).id == "ci"
    bad: list[dict[str, str]] = [names, {**names, forwarded_certificate.PROOF_HEADER: "S3cret"}]
    bad += [{forwarded_certificate.HEADER: text, forwarded_certificate.PROOF_HEADER: "s3cret"} for text in ("", "URI")]
    for metadata in bad:
        with pytest.raises(UnauthenticatedError):
            await behind.authenticate(metadata)


def test_both_sides_mean_the_same_header() -> None:
    """Envoy's configuration and the server."""
    assert envoy_tls.PROOF_HEADER == forwarded_certificate.PROOF_HEADER


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", {}),
        ("URI=spiffe://a/b", {"uri": ("spiffe://a/b",)}),
        ("By=x;Hash=00;URI=a;URI=b;DNS=c", {"by": ("x",), "hash": ("00",), "uri": ("a", "b"), "dns": ("c",)}),
        ('Subject="CN=a,O=\\"b;c\\"";URI=d', {"subject": ('CN=a,O="b;c"',), "uri": ("d",)}),
        ("URI=;DNS=", {"uri": ("",), "dns": ("",)}),
    ],
)
def test_forwarded_certificates_are_read(text: str, names: dict[str, tuple[str, ...]]) -> None:
    """As Envoy writes them."""
    assert forwarded_names(text) == names


@pytest.mark.parametrize("text", ["URI=a,URI=b", "URI", "=a", 'URI="a', 'URI="a"b', "U RI=a", ";URI=a"])
def test_other_texts_are_refused(text: str) -> None:
    """Several certificates, and what is no list of keys and values."""
    with pytest.raises(ValueError):
        forwarded_names(text)


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    """It returns or raises ValueError; a quoted URI comes back as it was."""
    with suppress(ValueError):
        forwarded_names(text)
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    assert forwarded_names(f'URI="{quoted}"') == {"uri": (text,)}


def changed(**fields: object) -> str:
    """A file with one entry, changed."""
    entry = {name: value for name, value in (ENTRIES[0] | fields).items() if value is not None}
    return json.dumps({"identities": [entry]})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "must be JSON"),
        ('{"identities": {}}', "must be JSON"),
        (changed(dns="x"), "either uri or dns"),
        (changed(uri=None), "either uri or dns"),
        (changed(more=1), "either uri or dns"),
        (changed(uri="ci"), "no URI"),
        (changed(tenant=""), "must be text"),
        (changed(roles=["king"]), "roles must be"),
        (json.dumps({"identities": [ENTRIES[0], ENTRIES[0]]}), "two identities"),
    ],
)
def test_a_file_of_identities_that_cannot_be_used_is_refused(text: str, problem: str) -> None:
    """At start-up, with what is wrong."""
    with pytest.raises(ValueError, match=problem):
        parse_identities(text)


def test_an_identity_is_found_by_exact_uri() -> None:
    """No prefix, no other case."""
    of: Callable[[Names], Any] = IDENTITIES.of
    assert of(Names((CI,))).tenant_id == "acme"
    for name in ("spiffe://example.org/CI", "spiffe://example.org/", CI + "/"):
        with pytest.raises(UnauthenticatedError):
            of(Names((name,)))
