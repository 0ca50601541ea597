"""GetTreeHead: the newest signed head of the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshflow_grpc.ledger.checkpoint import open_checkpoint

if TYPE_CHECKING:
    from meshflow_grpc.domain.run import Principal
    from meshflow_grpc.engine.log_publisher import LogPublisher
    from meshflow_grpc.ports.log import StoredHead


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A head, the name of its log, and the vkeys that signed it."""

    origin: str
    head: StoredHead
    vkeys: tuple[str, ...]


class GetTreeHeadCommand:
    """Publishes what is durable, so that the head covers every answer given before."""

    def __init__(self, publisher: LogPublisher) -> None:
        self._publisher = publisher

    async def execute(self, principal: Principal) -> SignedHead:
        """Raises LogInconsistentError when the ledger is not the one that was signed. The head is the same for all tenants."""
        del principal
        head, keys = await self._publisher.publish(), self._publisher.keys
        signers = open_checkpoint(head.note, keys.verifiers).signers
        return SignedHead(keys.origin, head, tuple(key.vkey for key in signers))
