"""Registries of nodes: a small store of their own, which all nodes of a mesh share."""

from __future__ import annotations
