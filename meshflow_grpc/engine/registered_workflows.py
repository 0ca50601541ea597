"""Finds the workflow that a request names: one that ships with the package, or one that the tenant registered."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from meshflow_grpc.domain.errors import FieldViolation, InvalidWorkflowError, WorkflowNotFoundError
from meshflow_grpc.domain.workflow import NodeKind, StoredWorkflow, Workflow
from meshflow_grpc.workflow.catalog import packaged_names, packaged_workflow
from meshflow_grpc.workflow.digest import workflow_digest
from meshflow_grpc.workflow.expansion import embedded, subgraphs
from meshflow_grpc.workflow.problem import did_you_mean
from meshflow_grpc.workflow.yaml_codec import dump_workflow, load_workflow

if TYPE_CHECKING:
    from meshflow_grpc.domain.run import RunRequest
    from meshflow_grpc.ports.workflows import WorkflowStore

SHOWN_NAMES = 50
MAX_DEPTH = 8
# What runs with subgraphs need anew each time, their own text and their subgraphs': the last 64 of up to so many characters are kept.
MAX_KEPT_CHARS: Final = 32_768


class RegisteredWorkflows:
    """The names of one server: packaged ones cannot be registered over."""

    def __init__(self, store: WorkflowStore) -> None:
        self._store = store

    async def of_request(self, tenant_id: str, request: RunRequest) -> StoredWorkflow | Workflow | None:
        """What a request's workflow is: a registered one, or a definition whose subgraphs were resolved.

        None when the request brings one without subgraphs, or names a packaged one. Raises as ``find`` and ``resolved``.
        """
        text, source = request.workflow_yaml, "workflow_yaml"
        registered = None
        if text is None and request.workflow not in packaged_names():
            registered = await self.find(tenant_id, request.workflow)
            text, source = registered.yaml, f"{registered.name}@{registered.version}"
        # A definition without the word has no such node; all others are read once more.
        if text is None or NodeKind.SUBGRAPH.value not in text:
            return registered
        workflow = _read(text, source)
        return await self.resolved(tenant_id, workflow) if subgraphs(workflow) else registered

    async def resolved(self, tenant_id: str, workflow: Workflow, inside: tuple[str, ...] = ()) -> Workflow:
        """The workflow with the definitions of its subgraphs' workflows in it, as they are registered now.

        Raises InvalidWorkflowError naming the node whose workflow is not there, contains itself, or brings a policy.
        """
        children: dict[str, Workflow] = {}
        for node in subgraphs(workflow):
            field = f"workflow.nodes.{node.id}.workflow"
            try:
                found = await self.find(tenant_id, str(node.config["workflow"]))
            except WorkflowNotFoundError as error:
                raise InvalidWorkflowError.of(FieldViolation(field, error.message)) from error
            child = _read(found.yaml, f"{found.name}@{found.version}")
            problem = _unusable(found, child, inside)
            if problem is not None:
                raise InvalidWorkflowError.of(FieldViolation(field, problem))
            children[node.id] = await self.resolved(tenant_id, child, (*inside, found.name))
        return embedded(workflow, children)

    async def authors(self, tenant_id: str, reference: str) -> tuple[str, ...]:
        """Principals that registered a workflow and, as they are registered now, its subgraphs' workflows. Raises as ``find``."""
        found = await self.find(tenant_id, reference)
        authors = {found.principal_id} - {""}
        for node in subgraphs(load_workflow(found.yaml, source=reference)):
            authors.update(await self.authors(tenant_id, str(node.config["workflow"])))
        return tuple(sorted(authors))

    async def find(self, tenant_id: str, reference: str) -> StoredWorkflow:
        """The workflow called NAME or NAME@VERSION; raises WorkflowNotFoundError, which lists what there is."""
        name, at, version = reference.partition("@")
        if name in packaged_names():
            packaged = packaged_entry(name, tenant_id)
            if not at or version == packaged.version:
                return packaged
        elif not at or version:
            found = await self._store.get_workflow(tenant_id, name, version)
            if found is not None:
                return found
        stored = await self._store.list_workflows(tenant_id, limit=SHOWN_NAMES)
        known = sorted({*packaged_names(), *(each.name for each in stored)})
        hint = did_you_mean(name, known) or f"; known: {', '.join(known)}"
        raise WorkflowNotFoundError(f"workflow {reference!r} was not found{hint}", metadata={"workflow": reference})


def _read(text: str, source: str) -> Workflow:
    return (_kept if len(text) <= MAX_KEPT_CHARS else load_workflow)(text, source=source)


_kept = lru_cache(maxsize=64)(load_workflow)


def packaged_entry(name: str, tenant_id: str) -> StoredWorkflow:
    """A packaged workflow as the registry shows it."""
    workflow = packaged_workflow(name)
    return StoredWorkflow(
        tenant_id, name, workflow.version, workflow_digest(workflow), dump_workflow(workflow), workflow.description
    )


def _unusable(found: StoredWorkflow, child: Workflow, inside: tuple[str, ...]) -> str | None:
    if found.name in inside:
        return f"{' contains '.join((*inside, found.name))}: a workflow cannot contain itself"
    if len(inside) >= MAX_DEPTH:
        return f"is nested deeper than {MAX_DEPTH} workflows"
    if child.policy:
        fields = ", ".join(sorted(child.policy))
        return f"{found.name!r} has a policy of its own ({fields}), which would not be applied; put it in this workflow"
    return None
