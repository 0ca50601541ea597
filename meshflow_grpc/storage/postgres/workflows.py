"""SQL of ``workflows``, and the part of the store that keeps them."""

from __future__ import annotations

import json
from typing import Any

from meshflow_grpc.domain.workflow import ApprovedChange, StoredWorkflow
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

_CHANGE = "tenant_id, workflow_digest, policy_digest, name, version, authors, approver, comment, create_time"
_SELECT_CHANGE = f"SELECT {_CHANGE} FROM approved_changes WHERE tenant_id = $1 AND workflow_digest = $2"  # noqa: S608
_SELECT_FIRST_CHANGE = f"{_SELECT_CHANGE} ORDER BY number LIMIT 1"
_SELECT_CHANGE_UNDER = f"{_SELECT_CHANGE} AND policy_digest = $3"
_ONE_CHANGE = "ON CONFLICT (tenant_id, workflow_digest, policy_digest) DO NOTHING"
_INSERT_CHANGE = f"INSERT INTO approved_changes ({_CHANGE}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) {_ONE_CHANGE}"  # noqa: S608


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
            found = await self._fetch(_SELECT_FIRST_CHANGE, tenant_id, workflow_digest)
        else:
            found = await self._fetch(_SELECT_CHANGE_UNDER, tenant_id, workflow_digest, policy_digest)
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


def _stored(row: Any) -> StoredWorkflow:
    return StoredWorkflow(*row)


async def _put(connection: Any, workflow: StoredWorkflow) -> Any:
    await connection.execute(_INSERT, *_values(workflow))
    return await connection.fetchrow(_SELECT_VERSION, *_values(workflow)[:3])


def _change_values(change: ApprovedChange) -> tuple[str, ...]:
    kept = change.tenant_id, change.workflow_digest, change.policy_digest, change.name, change.version
    return (*kept, json.dumps(change.authors), change.approver, change.comment, change.create_time)


def _approved(row: Any) -> ApprovedChange:
    tenant_id, workflow, policy, name, version, authors, *rest = row
    return ApprovedChange(tenant_id, workflow, policy, name, version, tuple(json.loads(authors)), *rest)


async def _approve(connection: Any, change: ApprovedChange) -> Any:
    await connection.execute(_INSERT_CHANGE, *_change_values(change))
    return await connection.fetchrow(_SELECT_CHANGE_UNDER, *_change_values(change)[:3])
