"""envoy/edge.yaml is what the code makes, Envoy takes it, and its arguments are checked."""

from __future__ import annotations

import asyncio
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from meshflow_grpc.envoy.bootstrap import TcpAddress, load_descriptors
from meshflow_grpc.envoy.edge import EdgeConfig, edge_bootstrap
from meshflow_grpc.envoy.jwt_filter import JWKS_CLUSTER, PUBLIC_DOCUMENTS, JwtFilter, jwt_filter
from meshflow_grpc.envoy.rest_routes import api_methods
from meshflow_grpc.envoy.retries import RETRY_ELSEWHERE
from meshflow_grpc.envoy.write_edge import edge_yaml, parsed
from meshflow_grpc.rpc import error_status
from meshflow_grpc.rpc.authorization import is_public
from tests.fakes.certificates import Authority

if TYPE_CHECKING:
    from meshflow_grpc.envoy.process import EnvoyOptions

ROOT = Path(__file__).resolve().parents[2]
EDGE = ROOT / "envoy" / "edge.yaml"
BY_FILE, BY_URL = ["--jwt-jwks-file", "/keys.json"], ["--jwt-jwks-url", "https://login.example.com/keys"]
PUBLIC, ADMIN = TcpAddress("127.0.0.1", 8765), TcpAddress("127.0.0.1", 9901)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Who signs certificates."""
    return Authority(tmp_path)


def manager(plain: dict[str, Any]) -> dict[str, Any]:
    """The connection manager of the public listener."""
    found: dict[str, Any] = plain["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    return found


def test_the_committed_file_is_fresh() -> None:
    """It changes only with the code that makes it."""
    _, config = parsed([str(EDGE)])
    assert EDGE.read_text() == edge_yaml(config), "run: python -m meshflow_grpc.envoy.write_edge envoy/edge.yaml"


async def test_envoy_accepts_it(options: EnvoyOptions) -> None:
    """`envoy --mode validate`."""
    command = [str(options.binary), "--mode", "validate", "--config-path", str(EDGE), "--log-level", "warning"]
    checked = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await checked.communicate()
    assert (checked.returncode, output.decode().strip()) == (0, f"configuration '{EDGE}' OK")


def test_streams_have_no_timeout_and_administration_is_on_loopback() -> None:
    """Every route of a run is as unlimited as in the sidecar."""
    plain = yaml.safe_load(EDGE.read_text())
    routes = [route for route in manager(plain)["route_config"]["virtual_hosts"][0]["routes"] if "route" in route]
    limited = {route["match"]["path"] for route in routes if route["route"]["timeout"] != "0s"}
    assert {path.split("/")[1] for path in limited} == {"meshflow.v1.SystemService"}
    assert plain["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"


def test_only_reads_are_sent_again_after_a_server_began() -> None:
    """By the contract's idempotency levels, so that a new RPC cannot be forgotten."""
    plain = edge_bootstrap(EdgeConfig(PUBLIC, (TcpAddress("a", 1), TcpAddress("b", 1)), ADMIN))
    routes = {r["match"].get("path"): r for r in manager(plain)["route_config"]["virtual_hosts"][0]["routes"]}
    for method in api_methods(load_descriptors()):
        conditions = routes[method.grpc_path]["route"]["retry_policy"]["retry_on"].split(",")
        repeated = {"unavailable", "cancelled", "reset"} & set(conditions)
        assert repeated == ({"unavailable", "cancelled", "reset"} if method.read_only else set())


def test_both_sides_mean_the_same_header() -> None:
    """The layers may not import one another."""
    assert RETRY_ELSEWHERE == error_status.RETRY_ELSEWHERE


def test_every_option_is_in_the_file(tmp_path: Path) -> None:
    """Servers by address and by name, origins, JWT filter."""
    jwks = tmp_path / "jwks.json"
    arguments = ["--upstream", "10.0.0.1:50051", "--upstream", "meshflow.internal:50052", "--listen", "[::1]:80"]
    arguments += ["--origin", "https://a.example", "--jwt-issuer", "i", "--jwt-audience", "a"]
    target, config = parsed([str(tmp_path / "edge.yaml"), *arguments, "--jwt-jwks-file", str(jwks)])
    plain = yaml.safe_load(edge_yaml(config))
    (cluster,) = plain["static_resources"]["clusters"]
    assert target == tmp_path / "edge.yaml"
    assert cluster["type"] == "STRICT_DNS"
    assert len(cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]) == 2
    assert plain["static_resources"]["listeners"][0]["address"]["socket_address"]["address"] == "::1"
    assert [f["name"] for f in manager(plain)["http_filters"]][2] == "envoy.filters.http.jwt_authn"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--upstream", "nowhere"], "write HOST:PORT"),
        (["--upstream", "a:1", "--upstream", "a:1"], "named twice"),
        (["--jwt-issuer", "i"], "go together"),
        (["--jwt-issuer", "i", "--jwt-audience", "a", "--jwt-jwks-file", "keys.json"], "absolute path"),
        (["--jwt-issuer", "i", "--jwt-audience", "a", *BY_FILE, *BY_URL], "go together"),
        (["--jwt-issuer", "i", "--jwt-audience", "a", "--jwt-jwks-url", "http://a.example/keys"], "https://"),
        (
            ["--jwt-issuer", "i", "--jwt-audience", "a", "--jwt-jwks-url", "https://me:x@a.example/keys"],
            "without credentials",
        ),
        (["--jwt-issuer", "i", "--jwt-audience", "a", *BY_URL, "--jwt-jwks-ca", "ca.pem"], "absolute path"),
        (["--upstream-ca", "ca.pem"], "absolute path"),
        (["--upstream-ca", "/ca.pem", "--upstream-cert", "/edge.pem"], "go together"),
        (["--upstream-name", "meshflow.internal"], "need --upstream-ca"),
        (["--listen", "h:70000"], "0 to 65535"),
    ],
)
def test_wrong_arguments_are_named(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And nothing is written."""
    with pytest.raises(SystemExit):
        parsed(["/nowhere/edge.yaml", *arguments])
    assert message in capsys.readouterr().err


async def test_tls_and_keys_at_a_url_are_taken_by_envoy(
    tmp_path: Path, options: EnvoyOptions, authority: Authority
) -> None:
    """By address and by name, one-sided and mutual: a servers' cluster with TLS, and one where keys are fetched."""
    edge = authority.client("edge")
    own = ["--upstream-cert", str(edge.certificate), "--upstream-key", str(edge.key)]
    issuer = ["--jwt-issuer", "i", "--jwt-audience", "a", *BY_URL, "--jwt-jwks-ca", str(authority.file)]
    for number, arguments in enumerate((["--upstream", "10.0.0.1:1"], ["--upstream-name", "a.example", *own], issuer)):
        tls = ["--upstream-ca", str(authority.file)]
        target, config = parsed([str(tmp_path / f"{number}.yaml"), *tls, *arguments])
        target.write_text(edge_yaml(config))
        command = [str(options.binary), "--mode", "validate", "--config-path", str(target), "--log-level", "error"]
        checked = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await checked.communicate()
        assert checked.returncode == 0, output.decode()
    names = [cluster["name"] for cluster in yaml.safe_load(target.read_text())["static_resources"]["clusters"]]
    assert names == ["meshflow", JWKS_CLUSTER]


def test_the_filter_lets_through_what_servers_answer_to_anybody() -> None:
    """Reflection excepted, so that a new public RPC cannot be forgotten."""
    methods = api_methods(load_descriptors())
    config = jwt_filter(JwtFilter("i", "a", "https://login.example.com/keys"), methods)["typed_config"]
    opened = {rule["match"]["path"] for rule in config["rules"] if "requires" not in rule and "path" in rule["match"]}
    ours = {method.grpc_path for method in methods}
    assert ours & opened == {path for path in ours if is_public(path)}
    assert opened > PUBLIC_DOCUMENTS


def test_an_edge_without_servers_or_names_of_its_tokens_is_refused() -> None:
    """A filter without issuer or audience would take anyone's tokens."""
    with pytest.raises(ValueError, match="server behind it"):
        EdgeConfig(PUBLIC, (), ADMIN)
    with pytest.raises(ValueError, match="issuer and an audience"):
        JwtFilter("", "a", PurePosixPath("/k"))
