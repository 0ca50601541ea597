"""Writes the configuration of an Envoy in front of several servers: `python -m meshflow_grpc.envoy.write_edge envoy/edge.yaml`."""

from __future__ import annotations

import argparse
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import yaml

from meshflow_grpc.envoy.bootstrap import TcpAddress
from meshflow_grpc.envoy.edge import EdgeConfig, JwtFilter, edge_bootstrap
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
    parser.add_argument("--jwt-issuer", help="check tokens at the edge already: their iss")
    parser.add_argument("--jwt-audience", help="their aud")
    parser.add_argument("--jwt-jwks-file", type=PurePosixPath, help="absolute path of the JWKS on Envoy's machine")
    given = parser.parse_args(arguments)
    try:
        config = EdgeConfig(
            _address(given.listen),
            tuple(map(_address, given.upstream or [UPSTREAM])),
            _address(given.admin),
            tuple(given.origin),
            _jwt(given),
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
    values = (given.jwt_issuer, given.jwt_audience, given.jwt_jwks_file)
    if not any(values):
        return None
    if not all(values):
        raise ValueError("--jwt-issuer, --jwt-audience and --jwt-jwks-file go together")
    return JwtFilter(*values)


def main() -> None:
    """Writes the file named on the command line."""
    target, config = parsed()
    target.write_text(edge_yaml(config), "utf-8")


if __name__ == "__main__":
    main()
