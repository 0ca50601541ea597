"""An agent's answer shown as it comes, as far as nothing that is still to come can make the output guard refuse what was shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshflow_grpc.domain.policy import Policy
    from meshflow_grpc.kernel.output_windows import Window, Windows
    from meshflow_grpc.kernel.ports import KernelPorts
    from meshflow_grpc.kernel.state import StepState
    from meshflow_grpc.ports.provider import ModelReply

_log = structlog.get_logger(__name__)


class _Unguarded:
    """The window of a run without guardian: no content can be refused."""

    def add(self, piece: str) -> str:
        return piece


def shown_early(policy: Policy, *, has_schema: bool) -> bool:
    """Whether parts of an output may be shown before the whole is judged.

    Not when the whole can be refused for its length, for its form or for the agent's doubt, and not when what it holds is to be masked.
    """
    return not (has_schema or policy.enable_uncertainty or policy.max_output_chars or policy.scrub_pii)


class TokenDeltas:
    """What is shown of one step's answer: each piece with its offset. An answer that is not to be the output is taken back."""

    def __init__(self, tell: Callable[[int, str], None], windows: Windows | None) -> None:
        self._tell = tell
        self._windows = windows
        self._window: Window | None = None
        self._shown: list[str] = []
        self._length = 0

    @classmethod
    def of(cls, state: StepState, ports: KernelPorts) -> TokenDeltas | None:
        """None when nobody watches, or nothing may be shown before the whole is judged."""
        tell, policy = state.step.deltas, state.step.run.policy
        if tell is None or not shown_early(policy, has_schema=state.step.output_check is not None):
            return None
        if not policy.enable_guardian:
            return cls(tell, None)
        return None if ports.windows is None else cls(tell, ports.windows)

    async def begin(self) -> None:
        """A model starts to answer. When there is no window for it, nothing is shown."""
        try:
            self._window = _Unguarded() if self._windows is None else await self._windows.open()
        except Exception:  # noqa: BLE001 - fail closed: whatever opening a window raises, nothing is shown
            _log.exception("output_window_failed")
            self._window = None

    def take(self, piece: str) -> None:
        """The next piece of the answer. Never raises: when a window fails, nothing more is shown."""
        if self._window is None:
            return
        try:
            released = self._window.add(piece)
        except Exception:  # noqa: BLE001 - fail closed: whatever a window raises, nothing more is shown
            _log.exception("output_window_failed")
            self._window = None
            return
        if released:
            self._tell(self._length, released)
            self._shown.append(released)
            self._length += len(released)

    def answered(self, reply: ModelReply) -> None:
        """The answer is whole. What was shown is taken back when it is not the beginning of an output."""
        self._window = None
        if reply.calls or not reply.text.startswith("".join(self._shown)):
            self.take_back()

    def take_back(self) -> None:
        """What was shown is not part of the output: an empty piece at offset 0 says so."""
        self._window = None
        if self._shown:
            self._shown.clear()
            self._length = 0
            self._tell(0, "")
