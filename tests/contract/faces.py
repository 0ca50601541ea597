"""What every face can do: take a call, give the answer; and the faces of other languages, through their drivers."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

CLIENTS = Path(__file__).resolve().parents[2] / "clients"
ANSWER_TIMEOUT_S = 120


@dataclass
class Answer:
    """Of one call: the events on the way, then a result or an error. A code of None is one that the face does not show."""

    result: Any = None
    error: dict[str, Any] | None = None
    events: list[dict[str, Any]] = field(default_factory=list)


class Face(Protocol):
    """One way to reach a server."""

    name: str

    def call(self, call: str, args: dict[str, Any], token: str | None) -> Answer:
        """Executes a call."""

    def close(self) -> None:
        """Ends what the face holds."""


def error(code: str | None, reason: str, violations: Sequence[dict[str, str]] = (), message: str = "") -> Answer:
    """An answer that is an error."""
    return Answer(error={"code": code, "reason": reason, "violations": list(violations), "message": message})


class DriverFace:
    """A client in another language, through its driver; see README.md for the protocol."""

    def __init__(self, name: str, language: str, address: str, *options: str) -> None:
        self.name = name
        self._stderr: list[str] = []
        self._process = subprocess.Popen(
            [str(CLIENTS / language / "contract-driver"), address, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._readers = [
            threading.Thread(target=self._read, args=args, daemon=True)
            for args in ((self._process.stdout, self._lines.put), (self._process.stderr, self._stderr.append))
        ]
        for reader in self._readers:
            reader.start()
        self._id = 0

    def _read(self, pipe: Any, put: Callable[[Any], None]) -> None:
        for line in pipe:
            put(line)
        put(None)

    def call(
        self, call: str, args: dict[str, Any], token: str | None, on_event: Callable[[Any], None] | None = None
    ) -> Answer:
        """Executes a call; ``on_event`` sees each event when it arrives."""
        self._id += 1
        line = {"id": self._id, "call": call, "args": args, **({"token": token} if token else {})}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()
        answer = Answer()
        while True:
            told = self._next()
            assert told["id"] == self._id, told
            if "event" not in told:
                answer.result, answer.error = told.get("result"), told.get("error")
                return answer
            answer.events.append(told["event"])
            if on_event is not None:
                on_event(told["event"])

    def _next(self) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=ANSWER_TIMEOUT_S)
        except queue.Empty:
            line = None
        assert line is not None, f"the {self.name} driver gives no answer: {''.join(map(str, self._stderr))}"
        told: dict[str, Any] = json.loads(line)
        return told

    def close(self) -> None:
        """The end of stdin ends the driver, with 0."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            code = self._process.wait(timeout=60)
        finally:
            self._process.kill()
        for reader in self._readers:
            reader.join()
        for pipe in (self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()
        assert code == 0, f"the {self.name} driver ended with {code}: {''.join(map(str, self._stderr))}"
