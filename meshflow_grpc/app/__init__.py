"""The composition root: the only package that names concrete classes."""

from __future__ import annotations

from meshflow_grpc.app.assembly import Outside, Runtime, RuntimeOptions, assemble

__all__ = ["Outside", "Runtime", "RuntimeOptions", "assemble"]
