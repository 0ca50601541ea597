"""What a server and its children hold of the machine, read from /proc."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.e2e.conftest import MeshflowServer


@dataclass(frozen=True)
class ProcessUse:
    """Resident memory in bytes, open files and threads, of all processes of a server."""

    memory: int
    files: int
    threads: int


def used_by(server: MeshflowServer) -> ProcessUse:
    """The server and Envoy together."""
    memory = files = threads = 0
    for folder in _family(server.process.pid):
        fields = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines() if ":" in line)
        memory += int(fields["VmRSS"].split()[0]) * 1024
        threads += int(fields["Threads"])
        files += len(list((folder / "fd").iterdir()))
    return ProcessUse(memory, files, threads)


def _family(pid: int) -> list[Path]:
    found, open_ = [], [pid]
    while open_:
        folder = Path(f"/proc/{open_.pop()}")
        found.append(folder)
        for task in (folder / "task").iterdir():
            with suppress(FileNotFoundError):  # a thread that has ended since
                open_ += [int(child) for child in (task / "children").read_text().split()]
    return found
