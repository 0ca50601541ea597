"""The workflows that ship with the package."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from meshflow_grpc.domain.errors import WorkflowNotFoundError
from meshflow_grpc.workflow.problem import did_you_mean
from meshflow_grpc.workflow.yaml_codec import load_workflow

if TYPE_CHECKING:
    from meshflow_grpc.domain.workflow import Workflow

_SUFFIX = ".yaml"


@cache
def packaged_names() -> tuple[str, ...]:
    """Returns the names of the packaged workflows, sorted."""
    files = resources.files("meshflow_grpc").joinpath("workflows").iterdir()
    return tuple(sorted(file.name.removesuffix(_SUFFIX) for file in files if file.name.endswith(_SUFFIX)))


@cache
def packaged_workflow(name: str) -> Workflow:
    """Returns a packaged workflow; raises WorkflowNotFoundError when there is none of that name."""
    if name not in packaged_names():
        raise WorkflowNotFoundError(f"there is no packaged workflow {name!r}{did_you_mean(name, packaged_names())}")
    file = resources.files("meshflow_grpc").joinpath("workflows", f"{name}{_SUFFIX}")
    return load_workflow(file.read_text(encoding="utf-8"), source=f"{name}{_SUFFIX}")
