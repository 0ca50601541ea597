"""Builds the OpenTelemetry collector that deploy/ runs, of the same version, from its Go modules; prints where it is.

Needs Go. The first time takes about a minute; afterwards it is there.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import yaml

from tools.go_program import ROOT, built

BUILDER = "go.opentelemetry.io/collector/cmd/builder"
MODULES = {
    "receivers": "go.opentelemetry.io/collector/receiver/otlpreceiver",
    "exporters": "go.opentelemetry.io/collector/exporter/debugexporter",
}


def version() -> str:
    """The collector's version: the tag of its image in Compose."""
    services = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text("utf-8"))["services"]
    return str(services["collector"]["image"].rpartition(":")[2])


def collector() -> Path:
    """Returns the program, built on first use. Raises SystemExit without Go, CalledProcessError with the builder's own words."""
    number = version()
    folder = ROOT / "build" / "tools" / f"otelcol-{number}"
    program = folder / "otelcol"
    if not program.exists():
        builder = built(f"{BUILDER}@v{number}")
        folder.mkdir(parents=True, exist_ok=True)
        manifest = {
            "dist": {"name": "otelcol", "output_path": str(folder), "version": number, "module": "meshflow/otelcol"},
            **{kind: [{"gomod": f"{module} v{number}"}] for kind, module in MODULES.items()},
        }
        (folder / "builder.yaml").write_text(json.dumps(manifest))
        sys.stderr.write(f"Building the collector {number} ...\n")
        subprocess.run([builder, "--config", folder / "builder.yaml"], check=True, capture_output=True)
    return program


if __name__ == "__main__":
    sys.stdout.write(f"{collector()}\n")
