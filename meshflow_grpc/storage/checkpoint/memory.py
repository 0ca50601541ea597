"""Journals in the process: the reference for the other checkpoint stores."""

from __future__ import annotations

from meshflow_grpc.ports.checkpoint import Journal, PositionTakenError


class MemoryCheckpoints:
    """See ``ports.checkpoint.CheckpointStore``. Durable until the process ends."""

    def __init__(self) -> None:
        self._journals: dict[str, Journal] = {}

    async def load(self, run_id: str) -> Journal:
        """See CheckpointStore."""
        return self._journals.get(run_id, Journal(0, ()))

    async def append(self, run_id: str, position: int, record: bytes) -> None:
        """See CheckpointStore."""
        journal = self._at(run_id, position)
        self._journals[run_id] = Journal(position + 1, (*journal.records, record))

    async def replace(self, run_id: str, position: int, snapshot: bytes) -> None:
        """See CheckpointStore."""
        self._at(run_id, position)
        self._journals[run_id] = Journal(position + 1, (snapshot,))

    async def delete(self, run_id: str) -> bool:
        """See CheckpointStore."""
        return self._journals.pop(run_id, None) is not None

    async def close(self) -> None:
        """See CheckpointStore."""

    def _at(self, run_id: str, position: int) -> Journal:
        journal = self._journals.get(run_id, Journal(0, ()))
        if position != journal.position:
            raise PositionTakenError
        return journal
