"""Where owed deliveries are kept, and what sends them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from meshflow_grpc.domain.webhook import RunWebhook


class WebhookStore(Protocol):
    """Keeps one delivery per run until it is dropped. Raises LedgerUnavailableError."""

    async def add_webhook(self, webhook: RunWebhook) -> None:
        """Keeps a delivery, durably; one per run, the first stays."""
        ...

    async def take_webhooks(self, now: str, until: str, orphaned: str, limit: int) -> tuple[RunWebhook, ...]:
        """Returns deliveries that are due at ``now`` and puts each off until ``until``, one more attempt counted.

        MUST give each to one caller alone. MUST give those of ended runs, and of runs that do not exist when the delivery was made
        before ``orphaned``; no others.
        """
        ...

    async def put_off_webhook(self, run_id: str, due_time: str) -> None:
        """Tries again later."""
        ...

    async def drop_webhook(self, run_id: str) -> None:
        """Forgets a delivery; nothing when there is none."""
        ...


class WebhookSender(Protocol):
    """Sends signed requests outside."""

    async def post(self, url: str, body: bytes, delivery_id: str) -> int:
        """Returns the HTTP status of the answer.

        Raises UnreachableTargetError when there is none, and RefusedTargetError for an address that is never called.
        """
        ...


class UnreachableTargetError(Exception):
    """No answer; it may be there later."""


class RefusedTargetError(Exception):
    """The address is not one that this server may be made to call."""
