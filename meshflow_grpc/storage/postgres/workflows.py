"""SQL of ``workflows``, and the part of the store that keeps them."""

from __future__ import annotations

from typing import Any

from meshflow_grpc.domain.workflow import StoredWorkflow
from meshflow_grpc.storage.postgres.log_store import PostgresLogStore

_COLUMNS = "tenant_id, name, version, digest, yaml, description, create_time, principal_id"
_SELECT = f"SELECT {_COLUMNS}, number FROM workflows WHERE tenant_id = $1"  # noqa: S608
_SELECT_VERSION = f"{_SELECT} AND name = $2 AND version = $3"
_SELECT_NEWEST = f"{_SELECT} AND name = $2 ORDER BY number DESC LIMIT 1"
_SELECT_VERSIONS = f"{_SELECT} AND name = $2 AND number < $3 ORDER BY number DESC LIMIT $4"
_NEWEST = "(SELECT max(number) FROM workflows AS w WHERE w.tenant_id = workflows.tenant_id AND w.name = workflows.name)"
_SELECT_NAMES = f'{_SELECT} AND name COLLATE "C" > $2 AND number = {_NEWEST} ORDER BY name COLLATE "C" LIMIT $3'
_ONCE = "ON CONFLICT (tenant_id, name, version) DO NOTHING"
_INSERT = f"INSERT INTO workflows ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) {_ONCE}"  # noqa: S608


class PostgresWorkflows(PostgresLogStore):
    """See ``ports.workflows.WorkflowStore``."""

    async def put_workflow(self, workflow: StoredWorkflow) -> StoredWorkflow:
        """See WorkflowStore."""
        found = await self._writing().call(
            lambda writer: writer.on_connection(lambda connection: _put(connection, workflow))
        )
        return _stored(found)

    async def get_workflow(self, tenant_id: str, name: str, version: str = "") -> StoredWorkflow | None:
        """See WorkflowStore."""
        if version:
            found = await self._fetch(_SELECT_VERSION, tenant_id, name, version)
        else:
            found = await self._fetch(_SELECT_NEWEST, tenant_id, name)
        return _stored(found[0]) if found else None

    async def list_workflows(self, tenant_id: str, *, after_name: str = "", limit: int) -> tuple[StoredWorkflow, ...]:
        """See WorkflowStore."""
        return tuple(map(_stored, await self._fetch(_SELECT_NAMES, tenant_id, after_name, limit)))

    async def workflow_versions(
        self, tenant_id: str, name: str, *, below: int, limit: int
    ) -> tuple[StoredWorkflow, ...]:
        """See WorkflowStore."""
        return tuple(map(_stored, await self._fetch(_SELECT_VERSIONS, tenant_id, name, below, limit)))


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


def _stored(row: Any) -> StoredWorkflow:
    return StoredWorkflow(*row)


async def _put(connection: Any, workflow: StoredWorkflow) -> Any:
    await connection.execute(_INSERT, *_values(workflow))
    return await connection.fetchrow(_SELECT_VERSION, *_values(workflow)[:3])
