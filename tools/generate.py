"""Generates what derives from proto/: the Python package meshflow_grpc/_gen, Envoy's descriptor set and the OpenAPI document.

`--check` generates into a temporary directory and fails when a committed file differs, is missing or is left over.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
GENERATED = Path("meshflow_grpc/_gen")
DESCRIPTORS = Path("meshflow_grpc/envoy/descriptors.binpb")
OPENAPI = Path("meshflow_grpc/rpc/openapi.json")
# Envoy prints google.rpc.Status details and google.api.HttpBody only if it knows their descriptors.
DESCRIPTOR_ROOTS = ("google/api/httpbody.proto", "google/rpc/error_details.proto", "google/rpc/status.proto")
PACKAGE_DOCSTRING = '"""Generated from proto/ by tools/generate.py; never edited by hand."""\n'
WIRE_IMPORT = re.compile(r"^(from|import) meshflow\.", re.MULTILINE)
SERVICE = re.compile(r"^service \w+ \{", re.MULTILINE)


def common_protos() -> Path:
    """Returns the include directory of googleapis-common-protos: the site-packages directory itself."""
    include = Path(sysconfig.get_path("purelib"))
    if not (include / "google/rpc/status.proto").is_file():
        sys.exit("googleapis-common-protos is not installed in this environment; run: make gen")
    return include


def sources() -> list[str]:
    """Returns the project's proto files, relative to proto/, in a fixed order."""
    found = sorted(path.relative_to(PROTO).as_posix() for path in PROTO.rglob("*.proto"))
    if not found:
        sys.exit(f"no .proto files under {PROTO.relative_to(ROOT)}/")
    return found


def protoc(*arguments: str) -> None:
    """Runs the pinned protoc with the plugins of this environment; exits with its status when it fails."""
    scripts = Path(sysconfig.get_path("scripts"))
    plugins = [f"--plugin=protoc-gen-{name}={scripts / f'protoc-gen-{name}'}" for name in ("mypy", "mypy_grpc")]
    includes = [f"-I{PROTO}", f"-I{common_protos()}"]
    command = [sys.executable, "-m", "grpc_tools.protoc", *plugins, *includes, *arguments]
    finished = subprocess.run(command, check=False)
    if finished.returncode != 0:
        sys.exit(finished.returncode)


def generate(target: Path) -> None:
    """Writes the generated package and the descriptor set below `target`, as they lie in the repository."""
    package, descriptors = target / GENERATED, target / DESCRIPTORS
    package.mkdir(parents=True, exist_ok=True)
    descriptors.parent.mkdir(parents=True, exist_ok=True)
    protoc(f"--python_out={package}", f"--mypy_out=quiet:{package}", *sources())
    services = [name for name in sources() if SERVICE.search((PROTO / name).read_text())]
    protoc(f"--grpc_python_out={package}", f"--mypy_grpc_out=quiet,only_async:{package}", *services)
    protoc(f"--descriptor_set_out={descriptors}", "--include_imports", *sources(), *DESCRIPTOR_ROOTS)
    for path in sorted(package.rglob("*.py*")):
        path.write_text(WIRE_IMPORT.sub(r"\1 meshflow_grpc._gen.meshflow.", path.read_text()))
    for directory in (package, *(path for path in package.rglob("*") if path.is_dir())):
        (directory / "__init__.py").write_text(PACKAGE_DOCSTRING)
    generate_openapi(target)


def generate_openapi(target: Path) -> None:
    """Writes the OpenAPI document below `target`. The generator uses the package, so it runs on what the package held before."""
    commented = target / "commented.binpb"
    protoc(f"--descriptor_set_out={commented}", "--include_imports", "--include_source_info", *sources())
    document = target / OPENAPI
    document.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tools.openapi", str(commented), str(document)]
    finished = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False)
    if finished.returncode != 0:
        sys.exit(finished.returncode)


def contents(base: Path) -> dict[str, bytes]:
    """Returns every generated file below `base` by its repository path."""
    files = [path for path in (base / GENERATED).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    files += [path for path in (base / DESCRIPTORS, base / OPENAPI) if path.is_file()]
    return {path.relative_to(base).as_posix(): path.read_bytes() for path in files}


def differences(committed: dict[str, bytes], fresh: dict[str, bytes]) -> list[str]:
    """Names each file that is missing, left over or different."""
    missing = [f"missing: {name}" for name in sorted(fresh.keys() - committed.keys())]
    left_over = [f"left over: {name}" for name in sorted(committed.keys() - fresh.keys())]
    changed = [f"differs: {name}" for name in sorted(fresh.keys() & committed.keys()) if fresh[name] != committed[name]]
    return missing + left_over + changed


def install(fresh: dict[str, bytes], committed: dict[str, bytes]) -> None:
    """Makes the repository hold exactly the fresh files, touching only those that differ."""
    for name in committed.keys() - fresh.keys():
        (ROOT / name).unlink()
    for name, data in fresh.items():
        if committed.get(name) != data:
            (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / name).write_bytes(data)


def main() -> None:
    """Generates in place, or with --check only compares; exit status 1 means stale files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only; fail when a committed file is not fresh")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as directory:
        generate(Path(directory))
        fresh = contents(Path(directory))
    committed = contents(ROOT)
    stale = differences(committed, fresh)
    if not check:
        install(fresh, committed)
        print(f"generated {len(fresh)} files from {len(sources())} protos, {len(stale)} changed")
    elif stale:
        sys.exit("\n".join([*stale, "generated code is not fresh; run: make gen"]))
    else:
        print(f"{len(fresh)} generated files are fresh")


if __name__ == "__main__":
    main()
