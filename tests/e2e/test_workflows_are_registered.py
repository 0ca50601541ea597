"""Workflows registered from the terminal and over REST, on a real server and across its restart."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.e2e.conftest import StartServer

PAIR = "name: pair\nversion: '{version}'\nentry: writer\nnodes: {{writer: {{role: EXECUTOR}}}}\n"


def _meshflow(address: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "meshflow_grpc", "workflow", *arguments, "--address", address]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=os.environ)


def test_put_list_get_and_run(start_server: StartServer, tmp_path: Path) -> None:
    """The command line registers; REST reads and runs; a restart changes nothing."""
    server = start_server(tmp_path)
    address = server.url.removeprefix("http://")
    file = tmp_path / "pair.yaml"
    file.write_text(PAIR.format(version=1), encoding="utf-8")

    put = _meshflow(address, "put", str(file), "-o", "json")
    assert put.returncode == 0, put.stderr
    second = server.post("/v1/workflows", {"yaml": PAIR.format(version=2)})
    changed = server.post("/v1/workflows", {"yaml": PAIR.format(version=2).replace("EXECUTOR", "CRITIC")})
    assert (second.status_code, changed.status_code) == (200, 409)
    assert server.stop() == 0

    server = start_server(tmp_path)
    address = server.url.removeprefix("http://")
    listed = _meshflow(address, "list", "--name", "pair", "-o", "jsonl")
    assert [json.loads(line)["version"] for line in listed.stdout.splitlines()] == ["2", "1"]
    assert _meshflow(address, "get", "pair@1").stdout == PAIR.format(version=1)
    assert server.get("/v1/workflows/pair@1").json()["digest"] == json.loads(put.stdout)["digest"]
    assert [w["name"] for w in server.get("/v1/workflows").json()["workflows"]] == [
        "default",
        "pair",
        "production_pipeline",
    ]
    valid = server.post("/v1/workflows:validate", {"yaml": "name: w\n"}).json()
    assert (valid["valid"], valid["problems"][0]["field"]) == (False, "yaml:1:1")
    assert server.post("/run", {"task": "t", "workflow": "pair@1"}).json()["status"] == "completed"
    assert server.get("/v1/workflows/none").status_code == 404
