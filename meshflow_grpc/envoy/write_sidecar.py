"""Writes the sidecar's configuration: `python -m meshflow_grpc.envoy.write_sidecar envoy/envoy.yaml`."""

from __future__ import annotations

import argparse
from pathlib import Path

import yaml

from meshflow_grpc.envoy.bootstrap import EnvoyConfig, TcpAddress, bootstrap

HEADER = """\
# Envoy beside `meshflow serve --no-envoy`, made by `python -m meshflow_grpc.envoy.write_sidecar`; never edited by hand.
"""


def sidecar_yaml() -> str:
    """Returns the configuration for public port 8765, the server on port 50051 of the same pod, administration on loopback."""
    config = EnvoyConfig(
        public=TcpAddress("0.0.0.0", 8765),  # noqa: S104 - the public port of a container
        upstream=TcpAddress("127.0.0.1", 50051),
        admin=TcpAddress("127.0.0.1", 9901),
        readiness_service="meshflow-readiness",
    )
    return HEADER + yaml.dump(bootstrap(config), Dumper=PlainDumper, sort_keys=False, width=120)


class PlainDumper(yaml.SafeDumper):
    """Without anchors, which few readers know."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def main() -> None:
    """Writes the file named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path, help="file to write")
    parser.parse_args().target.write_text(sidecar_yaml(), "utf-8")


if __name__ == "__main__":
    main()
