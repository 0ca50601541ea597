"""Clients of a meshflow server over gRPC: ``AsyncClient`` for asyncio and ``Client`` for blocking code."""

from __future__ import annotations

from meshflow_grpc.client.async_client import AsyncClient
from meshflow_grpc.client.connection import Connection, TlsFiles
from meshflow_grpc.client.errors import MeshflowCallError
from meshflow_grpc.client.messages import to_json
from meshflow_grpc.client.requests import RunOptions
from meshflow_grpc.client.sync_client import Client

__all__ = ["AsyncClient", "Client", "Connection", "MeshflowCallError", "RunOptions", "TlsFiles", "to_json"]
