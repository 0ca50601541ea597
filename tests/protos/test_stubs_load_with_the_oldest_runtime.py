"""The generated Python code works with the oldest protobuf and grpcio that pyproject.toml allows, not only with the locked ones."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("protobuf", "grpcio", "googleapis-common-protos")
SCRIPT = """
import importlib, pathlib, sys
import google.protobuf, grpc
root = pathlib.Path(sys.argv[1])
names = [".".join(path.relative_to(root).with_suffix("").parts) for path in sorted(root.glob("meshflow_grpc/_gen/meshflow/v1/*.py"))]
modules = {name.rpartition(".")[2]: importlib.import_module(name) for name in names}
request = modules["run_pb2"].RunRequest(task="Grüße", labels={"empty": ""})
request.policy.budget_usd = 0.5
request.input.update({"nested": [1, None, "two"]})
again = modules["run_pb2"].RunRequest.FromString(request.SerializeToString())
assert again == request and again.policy.HasField("budget_usd") and not again.policy.HasField("max_steps")
modules["run_service_pb2_grpc"].RunServiceStub(grpc.insecure_channel("127.0.0.1:1"))
print(len(modules), google.protobuf.__version__, grpc.__version__)
"""


def floors() -> dict[str, str]:
    """The lower bound of each package."""
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    found = (re.fullmatch(r"([\w-]+)>=([\w.]+)", requirement) for requirement in wanted)
    return {match[1]: match[2] for match in found if match is not None and match[1] in PACKAGES}


def environment_with(versions: dict[str, str]) -> Path:
    """A virtual environment with exactly these, made once; returns its Python. Skips where nothing can be downloaded."""
    place = ROOT / "build/oldest" / "-".join([sys.implementation.cache_tag, *versions.values()])
    python = place / "bin/python"
    done = place / "complete"
    if not done.exists():
        uv = str(Path(sysconfig.get_path("scripts")) / "uv")
        wanted = [f"{name}=={version}" for name, version in versions.items()]
        subprocess.run(
            [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(place)], check=True, timeout=60
        )
        command = [uv, "pip", "install", "--quiet", "--python", str(python), *wanted]
        installed = subprocess.run(command, capture_output=True, text=True, timeout=280)
        if installed.returncode != 0 and os.environ.get("CI") != "true" and "error sending request" in installed.stderr:
            pytest.skip("the oldest protobuf cannot be downloaded now")
        assert installed.returncode == 0, installed.stderr
        done.touch()
    return python


@pytest.mark.slow
def test_every_stub_loads_and_a_request_survives() -> None:
    """In an environment that holds the lower bounds alone, with no other package of ours."""
    versions = floors()
    assert set(versions) == set(PACKAGES)
    python = environment_with(versions)
    command = [str(python), "-W", "error", "-c", SCRIPT, str(ROOT)]
    outcome = subprocess.run(
        command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60
    )
    assert outcome.returncode == 0, outcome.stderr
    count, protobuf, grpcio = outcome.stdout.split()
    assert int(count) > len(list(ROOT.glob("proto/meshflow/v1/*.proto")))
    assert (protobuf, grpcio) == (versions["protobuf"], versions["grpcio"])
