"""Where signed heads are kept outside the ledger, so that a rolled-back ledger is noticed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class HeadAnchor(Protocol):
    """Keeps notes of signed heads. Raises OSError when it cannot."""

    async def append(self, note: str) -> None:
        """Keeps a note; durable when it returns."""
        ...

    async def newest_notes(self) -> Sequence[str]:
        """Returns the notes kept last, newest first; none when there are none yet."""
        ...
