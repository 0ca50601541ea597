"""Where tools and functions come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection

    from meshflow_grpc.domain.tool import Tool


class ToolCatalog(Protocol):
    """The tools and python functions of an application. Fixed once the server runs."""

    def tool(self, name: str) -> Tool | None:
        """The tool of that name."""
        ...

    def function_of(self, ref: str) -> Tool | None:
        """The function that python nodes name in ``ref``."""
        ...

    @property
    def tool_names(self) -> Collection[str]:
        """All tools."""
        ...

    @property
    def function_names(self) -> Collection[str]:
        """All functions."""
        ...
