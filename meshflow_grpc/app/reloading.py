"""Takes renewed files into use while the server serves."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from meshflow_grpc.config.problem import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from meshflow_grpc.config import Settings
    from meshflow_grpc.governance.recipients import DeclaredRecipients

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class ReloadedFiles:
    """Files that belong together. ``apply`` reads them and takes them into use; it raises when they cannot be used.

    It raises ConfigurationError, ValueError or OSError, and has then changed nothing.
    """

    what: str
    paths: tuple[Path, ...]
    apply: Callable[[], None]
    _seen: bytes = field(default=b"", init=False, repr=False)

    def __post_init__(self) -> None:
        self._seen = self._digest()

    def look(self) -> None:
        """Applies the files if they are not as they were at the last look, and logs how that went."""
        now = self._digest()
        if now == self._seen:
            return
        self._seen = now
        try:
            self.apply()
        except (ConfigurationError, ValueError, OSError) as error:
            _log.error("not_reloaded", what=self.what, reason=str(error), note="the one before stays in use")
        else:
            _log.info("reloaded", what=self.what)

    def _digest(self) -> bytes:
        """Of the content: mounted secrets change behind links, and not every copy changes the time."""
        digest = hashlib.sha256()
        for path in self.paths:
            try:
                digest.update(hashlib.sha256(path.read_bytes()).digest())
            except OSError as error:
                digest.update(str(error.errno).encode())
        return digest.digest()


def declared_files(settings: Settings, recipients: DeclaredRecipients) -> tuple[ReloadedFiles, ...]:
    """The file of the recipients that an operator declares, if there is one."""
    path = settings.recipients_file
    if path is None:
        return ()
    return (ReloadedFiles("recipients", (path,), lambda: recipients.replace(settings.recipients)),)


async def keep_reloading(files: Sequence[ReloadedFiles], every_s: float) -> None:
    """Looks at all of them again and again, until cancelled."""
    while True:
        await asyncio.sleep(every_s)
        for each in files:
            await asyncio.to_thread(each.look)
