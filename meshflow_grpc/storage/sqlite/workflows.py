"""SQL of ``workflows``, and the part of the store that keeps them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from meshflow_grpc.domain.workflow import ApprovedChange, StoredWorkflow
from meshflow_grpc.storage.sqlite.log_store import SqliteLogStore

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    import aiosqlite

    from meshflow_grpc.storage.sqlite.transaction import BatchWriter
    from meshflow_grpc.storage.sqlite.writer import Writer

MAX_KEPT: Final = 256
MAX_KEPT_CHARS: Final = 32_768

_COLUMNS = "tenant_id, name, version, digest, yaml, description, create_time, principal_id"
_SELECT = f"SELECT {_COLUMNS}, number FROM workflows WHERE tenant_id = ?"  # noqa: S608
_SELECT_VERSION = f"{_SELECT} AND name = ? AND version = ?"
_SELECT_NEWEST = f"{_SELECT} AND name = ? ORDER BY number DESC LIMIT 1"
_SELECT_VERSIONS = f"{_SELECT} AND name = ? AND number < ? ORDER BY number DESC LIMIT ?"
_NEWEST = "(SELECT max(number) FROM workflows AS w WHERE w.tenant_id = workflows.tenant_id AND w.name = workflows.name)"
_SELECT_NAMES = f"{_SELECT} AND name > ? AND number = {_NEWEST} ORDER BY name LIMIT ?"
_ONCE = "ON CONFLICT (tenant_id, name, version) DO NOTHING"
_INSERT = f"INSERT INTO workflows ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) {_ONCE}"  # noqa: S608

_CHANGE = "tenant_id, workflow_digest, policy_digest, name, version, authors, approver, comment, create_time"
_SELECT_CHANGE = f"SELECT {_CHANGE} FROM approved_changes WHERE tenant_id = ? AND workflow_digest = ?"  # noqa: S608
_SELECT_FIRST_CHANGE = f"{_SELECT_CHANGE} ORDER BY number LIMIT 1"
_SELECT_CHANGE_UNDER = f"{_SELECT_CHANGE} AND policy_digest = ?"
_ONE_CHANGE = "ON CONFLICT (tenant_id, workflow_digest, policy_digest) DO NOTHING"
_INSERT_CHANGE = f"INSERT INTO approved_changes ({_CHANGE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) {_ONE_CHANGE}"  # noqa: S608


class SqliteWorkflows(SqliteLogStore):
    """See ``ports.workflows.WorkflowStore``. Who holds the file's lock puts workflows alone, and so may keep what runs ask for.

    What is kept is found until the next put is durable: ``_puts``, which the writer's thread counts, is part of its key.
    """

    def __init__(self, path: Path, reader: aiosqlite.Connection, writer: Writer | None) -> None:
        super().__init__(path, reader, writer)
        self._kept: dict[tuple[int, str, str, str], StoredWorkflow] = {}
        self._puts = 0

    async def put_workflow(self, workflow: StoredWorkflow) -> StoredWorkflow:
        """See WorkflowStore."""

        def put(writer: BatchWriter) -> Any:  # noqa: ANN401 - a driver's row
            try:
                return writer.on_connection(lambda connection: _put(connection, workflow))
            finally:
                self._puts += 1

        return _stored(await self._writing().call(put))

    async def get_workflow(self, tenant_id: str, name: str, version: str = "") -> StoredWorkflow | None:
        """See WorkflowStore."""
        self._check_open()
        key = (self._puts, tenant_id, name, version)
        kept = self._kept.get(key)
        if kept is not None:
            return kept
        if version:
            rows = await self._fetch(_SELECT_VERSION, (tenant_id, name, version))
        else:
            rows = await self._fetch(_SELECT_NEWEST, (tenant_id, name))
        found = _stored(rows[0]) if rows else None
        if found is not None and self._writer is not None and len(found.yaml) <= MAX_KEPT_CHARS:
            if len(self._kept) >= MAX_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = found
        return found

    async def list_workflows(self, tenant_id: str, *, after_name: str = "", limit: int) -> tuple[StoredWorkflow, ...]:
        """See WorkflowStore."""
        return tuple(map(_stored, await self._fetch(_SELECT_NAMES, (tenant_id, after_name, limit))))

    async def workflow_versions(
        self, tenant_id: str, name: str, *, below: int, limit: int
    ) -> tuple[StoredWorkflow, ...]:
        """See WorkflowStore."""
        return tuple(map(_stored, await self._fetch(_SELECT_VERSIONS, (tenant_id, name, below, limit))))

    async def approve_change(self, change: ApprovedChange) -> ApprovedChange:
        """See WorkflowStore."""
        found = await self._writing().call(
            lambda writer: writer.on_connection(lambda connection: _approve(connection, change))
        )
        return _approved(found)

    async def approved_change(
        self, tenant_id: str, workflow_digest: str, policy_digest: str | None
    ) -> ApprovedChange | None:
        """See WorkflowStore."""
        if policy_digest is None:
            found = await self._fetch(_SELECT_FIRST_CHANGE, (tenant_id, workflow_digest))
        else:
            found = await self._fetch(_SELECT_CHANGE_UNDER, (tenant_id, workflow_digest, policy_digest))
        return _approved(found[0]) if found else None


def _values(workflow: StoredWorkflow) -> tuple[str, ...]:
    return (
        workflow.tenant_id,
        workflow.name,
        workflow.version,
        workflow.digest,
        workflow.yaml,
        workflow.description,
        workflow.create_time,
        workflow.principal_id,
    )


def _stored(row: Any) -> StoredWorkflow:  # noqa: ANN401 - a driver's row
    return StoredWorkflow(*row)


def _put(connection: sqlite3.Connection, workflow: StoredWorkflow) -> Any:  # noqa: ANN401 - a driver's row
    connection.execute(_INSERT, _values(workflow))
    return connection.execute(_SELECT_VERSION, _values(workflow)[:3]).fetchone()


def _change_values(change: ApprovedChange) -> tuple[str, ...]:
    kept = change.tenant_id, change.workflow_digest, change.policy_digest, change.name, change.version
    return (*kept, json.dumps(change.authors), change.approver, change.comment, change.create_time)


def _approved(row: Any) -> ApprovedChange:  # noqa: ANN401 - a driver's row
    tenant_id, workflow, policy, name, version, authors, *rest = row
    return ApprovedChange(tenant_id, workflow, policy, name, version, tuple(json.loads(authors)), *rest)


def _approve(connection: sqlite3.Connection, change: ApprovedChange) -> Any:  # noqa: ANN401 - a driver's row
    connection.execute(_INSERT_CHANGE, _change_values(change))
    return connection.execute(_SELECT_CHANGE_UNDER, _change_values(change)[:3]).fetchone()
