"""A durable engine that only writes down what it is told."""

from __future__ import annotations

from dataclasses import dataclass, field

from meshflow_grpc.ports.dispatch import DispatchUnavailableError


@dataclass
class FakeDispatch:
    """See RunDispatch. ``away``: it cannot be reached."""

    begun: dict[str, bool] = field(default_factory=dict)
    said: list[tuple[str, ...]] = field(default_factory=list)
    away: bool = False

    async def begin(self, tenant_id: str, run_id: str, *, here: bool) -> bool:
        """See RunDispatch."""
        self._reached()
        self.said.append(("begin", tenant_id, "here" if here else "anywhere"))
        new = run_id not in self.begun
        self.begun.setdefault(run_id, here)
        return new

    async def decided(self, run_id: str, approval_id: str, action_digest: str) -> None:
        """See RunDispatch."""
        self._reached()
        assert run_id in self.begun
        self.said.append(("decided", approval_id, action_digest))

    async def ended(self, run_id: str) -> None:
        """See RunDispatch."""
        self._reached()
        self.said.append(("ended", run_id))

    def _reached(self) -> None:
        if self.away:
            raise DispatchUnavailableError("nobody answers")
