"""VerifyRun: is a run's chain intact?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.ledger.verify import ChainVerifier

if TYPE_CHECKING:
    from meshflow_grpc.domain.check import ChainVerification
    from meshflow_grpc.domain.run import Principal
    from meshflow_grpc.ports.storage import Storage


class VerifyRunCommand:
    """Verifies a run of the caller's tenant from the rows as stored."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def execute(self, principal: Principal, run_id: str) -> ChainVerification:
        """Returns every fault found; raises RunNotFoundError when nothing of the run is stored."""
        verifier = ChainVerifier(run_id)
        async with self._storage.raw_chain(principal.tenant_id, run_id) as chain:
            async for page in chain.pages:
                verifier.add(page)
        return verifier.finish(chain.run)
