"""The Dockerfile's steps, without a container engine: the same commands in a directory that stands for the image's root."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy import image_root
from tests.deploy.dockerfile import ROOT, instructions

# Not run here: they make the user of the image and its data directory, and need to be root of a system of its own.
NOT_RUN = ("useradd",)


@pytest.mark.slow
def test_each_build_step_works_and_the_result_runs(tmp_path: Path) -> None:
    """Locked packages first, then the product as a wheel without network; the entry point answers from the copied tree."""
    if not image_root.missing():
        pytest.skip("test_the_image_runs_restricted.py does the same in a root of its own")
    image = str(tmp_path)
    for instruction, words in instructions():
        if instruction == "COPY" and not words.startswith("--from"):
            *sources, target = words.split()
            place = tmp_path / target.lstrip("/")
            for source in sources:
                _copy(ROOT / source, place, whole=len(sources) == 1 and not target.endswith("/"))
        elif instruction == "RUN" and not words.startswith(NOT_RUN):
            command = words.replace("/opt/meshflow", f"{image}/opt/meshflow").replace("/src", f"{image}/src")
            command = re.sub(r"^python ", f"{shlex.quote(sys.executable)} ", command)
            done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, f"{command}\n{done.stderr}"
    meshflow = tmp_path / "opt" / "meshflow" / "bin" / "meshflow"
    outside = {"PATH": "/usr/bin:/bin"}
    shown = subprocess.run([meshflow, "--version"], cwd=tmp_path, env=outside, capture_output=True, text=True)
    assert shown.stdout.startswith("meshflow "), shown.stderr
    listed = subprocess.run(
        [meshflow.with_name("python"), "-c", "import meshflow_grpc; print(meshflow_grpc.__file__)"],
        cwd=tmp_path,
        env=outside,
        capture_output=True,
        text=True,
    )
    assert listed.stdout.startswith(image), "the image must not use the sources of this checkout"


def _copy(source: Path, target: Path, *, whole: bool) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        return
    place = target if whole else target / source.name
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, place)


def test_the_image_runs_as_a_numeric_user_with_python_as_its_first_process() -> None:
    """Kubernetes' runAsNonRoot needs the number; the exec form hands SIGTERM to the server itself."""
    found = dict(instructions())
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", found["USER"])
    assert json.loads(found["ENTRYPOINT"]) == ["meshflow"]
    assert json.loads(found["CMD"]) == ["serve"]
    assert found["STOPSIGNAL"] == "SIGTERM"
    assert found["VOLUME"] == "/data"


def test_dependencies_come_before_code() -> None:
    """A change of code reuses the layer of packages."""
    steps = [words for instruction, words in instructions() if instruction in {"COPY", "RUN"}]
    packages = next(i for i, words in enumerate(steps) if "--require-hashes" in words)
    code = next(i for i, words in enumerate(steps) if words.startswith("meshflow_grpc "))
    assert packages < code
    assert not any("meshflow_grpc" in words for words in steps[:packages])


def test_every_base_image_is_pinned_and_slim() -> None:
    """A build of next year is the build of today."""
    bases = [words.split()[0] for instruction, words in instructions() if instruction == "FROM"]
    assert all(re.fullmatch(r"python:\d+\.\d+\.\d+-slim-bookworm", base) for base in bases)
    assert len(set(bases)) == 1


def test_the_health_check_fails_where_nothing_listens(tmp_path: Path) -> None:
    """Its exit code is what the engine reads."""
    check = next(words for instruction, words in instructions() if instruction == "HEALTHCHECK")
    command = json.loads(check[check.index("CMD ") + 4 :])
    command[0] = sys.executable
    ended = subprocess.run(command, env={"MESHFLOW_PORT": "1"}, cwd=tmp_path, capture_output=True)
    assert ended.returncode != 0
