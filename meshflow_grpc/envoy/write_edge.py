"""Writes the configuration of an Envoy in front of several servers: `python -m meshflow_grpc.envoy.write_edge envoy/edge.yaml`."""

from __future__ import annotations

import argparse
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import yaml

from meshflow_grpc.envoy.bootstrap import TcpAddress
from meshflow_grpc.envoy.edge import EdgeConfig, edge_bootstrap
from meshflow_grpc.envoy.jwt_filter import SYSTEM_AUTHORITIES, JwtFilter
from meshflow_grpc.envoy.tls import EdgeTls
from meshflow_grpc.envoy.upstream_tls import UpstreamTls
from meshflow_grpc.envoy.write_sidecar import PlainDumper

if TYPE_CHECKING:
    from collections.abc import Sequence

HEADER = """\
# Envoy in front of several `meshflow serve --no-envoy`, made by `python -m meshflow_grpc.envoy.write_edge`; never edited by hand.
"""
UPSTREAM = "meshflow:50051"
LISTEN = "0.0.0.0:8765"
# Whoever reaches it can stop Envoy.
ADMIN = "127.0.0.1:9901"


def edge_yaml(config: EdgeConfig) -> str:
    """Returns the configuration as it is written."""
    return HEADER + yaml.dump(edge_bootstrap(config), Dumper=PlainDumper, sort_keys=False, width=120)


def parsed(arguments: Sequence[str] | None = None) -> tuple[Path, EdgeConfig]:
    """Returns the file to write and what goes into it; ends the program with a message when an argument is wrong."""
    parser = argparse.ArgumentParser(prog="python -m meshflow_grpc.envoy.write_edge", description=__doc__)
    parser.add_argument("target", type=Path, help="file to write")
    upstream = f"a server's gRPC port, or a DNS name of which every address is a server; repeatable; default {UPSTREAM}"
    parser.add_argument("--upstream", action="append", default=[], help=upstream, metavar="HOST:PORT")
    parser.add_argument("--listen", default=LISTEN, help="public address (default: %(default)s)", metavar="HOST:PORT")
    parser.add_argument(
        "--admin", default=ADMIN, help="Envoy's administration (default: %(default)s)", metavar="HOST:PORT"
    )
    parser.add_argument("--origin", action="append", default=[], help="origin whose web pages may call; repeatable")
    parser.add_argument("--cert", type=PurePosixPath, help="TLS to callers: absolute path of the edge's certificate")
    parser.add_argument("--key", type=PurePosixPath, help="absolute path of its key")
    parser.add_argument(
        "--client-ca", type=PurePosixPath, help="mutual TLS to callers: absolute path of their authorities"
    )
    parser.add_argument("--jwt-issuer", help="check tokens at the edge already: their iss")
    parser.add_argument("--jwt-audience", help="their aud")
    parser.add_argument("--jwt-jwks-file", type=PurePosixPath, help="absolute path of the JWKS on Envoy's machine")
    parser.add_argument("--jwt-jwks-url", help="https URL of their issuer's JWKS, followed; instead of the file")
    authorities = "absolute path of who may sign that server's certificate (default: %(default)s)"
    parser.add_argument("--jwt-jwks-ca", type=PurePosixPath, default=SYSTEM_AUTHORITIES, help=authorities)
    parser.add_argument(
        "--upstream-ca", type=PurePosixPath, help="TLS to the servers: absolute path of their authorities"
    )
    parser.add_argument("--upstream-name", help="a name in every server's certificate (default: the upstreams' hosts)")
    parser.add_argument("--upstream-cert", type=PurePosixPath, help="mutual TLS: absolute path of Envoy's certificate")
    parser.add_argument("--upstream-key", type=PurePosixPath, help="absolute path of its key")
    given = parser.parse_args(arguments)
    try:
        config = EdgeConfig(
            _address(given.listen),
            tuple(map(_address, given.upstream or [UPSTREAM])),
            _address(given.admin),
            tuple(given.origin),
            _jwt(given),
            _tls(given),
            _public_tls(given),
        )
    except ValueError as error:
        parser.error(str(error))
    return given.target, config


def _address(text: str) -> TcpAddress:
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdecimal():
        raise ValueError(f"{text!r} is not an address; write HOST:PORT")
    return TcpAddress(host.removeprefix("[").removesuffix("]"), int(port))


def _jwt(given: argparse.Namespace) -> JwtFilter | None:
    keys = [each for each in (given.jwt_jwks_file, given.jwt_jwks_url) if each]
    values = (given.jwt_issuer, given.jwt_audience, *keys)
    if not any(values):
        return None
    if not all(values) or len(keys) != 1:
        raise ValueError("--jwt-issuer, --jwt-audience and one of --jwt-jwks-file and --jwt-jwks-url go together")
    return JwtFilter(given.jwt_issuer, given.jwt_audience, keys[0], given.jwt_jwks_ca)


def _tls(given: argparse.Namespace) -> UpstreamTls | None:
    more = (given.upstream_name, given.upstream_cert, given.upstream_key)
    if given.upstream_ca is not None:
        return UpstreamTls(given.upstream_ca, given.upstream_cert, given.upstream_key, given.upstream_name)
    if any(more):
        raise ValueError(
            "--upstream-name, --upstream-cert and --upstream-key need --upstream-ca, without which there is no TLS"
        )
    return None


def _public_tls(given: argparse.Namespace) -> EdgeTls | None:
    if given.cert is not None and given.key is not None:
        return EdgeTls(given.cert, given.key, given.client_ca)
    if given.cert or given.key or given.client_ca:
        raise ValueError("--cert and --key go together, and --client-ca needs both")
    return None


def main() -> None:
    """Writes the file named on the command line."""
    target, config = parsed()
    target.write_text(edge_yaml(config), "utf-8")


if __name__ == "__main__":
    main()
