"""A real PostgreSQL server for tests, in a temporary directory on a free port of the loopback interface."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.free_ports import free_port

START_TIMEOUT_S = 300
# After a crash it would otherwise fsync each file of hundreds of databases before it answers, which takes minutes on a busy disk.
SYNCED_AT_ONCE = "-c recovery_init_sync_method=syncfs"
SYNCS_AT_ONCE_SINCE = 14
PLACES = (Path("/usr/lib/postgresql"), Path("/usr/pgsql"))


class PostgresCluster:
    """One cluster; ``stop`` and ``start`` play outages."""

    def __init__(self, binaries: Path, directory: Path, port: int) -> None:
        self._binaries = binaries
        self._directory = directory
        self.port = port
        self._databases = 0

    def new_database(self) -> str:
        """Creates an empty database and returns its URL."""
        self._databases += 1
        name = f"ledger_{self._databases}"
        self._run("psql", "-h", "127.0.0.1", "-p", str(self.port), "-d", "postgres", "-qc", f"CREATE DATABASE {name}")
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        """Starts the server and waits until it takes connections."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self._directory} -c max_connections=50"
        if self._version() >= SYNCS_AT_ONCE_SINCE:
            options = f"{options} {SYNCED_AT_ONCE}"
        log = self._directory / "log"
        waiting = ("-w", "-t", str(START_TIMEOUT_S))
        self._run("pg_ctl", "-D", str(self._directory / "data"), "-l", str(log), *waiting, "-o", options, "start")

    def stop(self) -> None:
        """Stops the server at once, as a crash would."""
        self._run("pg_ctl", "-D", str(self._directory / "data"), "-m", "immediate", "-w", "stop")

    def freeze(self) -> None:
        """Stops every process of the server where it is; connections stay open and nothing answers, until ``thaw``."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets a frozen server go on."""
        self._signal(signal.SIGCONT)

    def files_with(self, text: bytes, database: int) -> list[str]:
        """The files of a database, by its oid, that hold a text."""
        folder = self._directory / "data" / "base" / str(database)
        return sorted(file.name for file in folder.iterdir() if text in file.read_bytes())

    def _signal(self, number: signal.Signals) -> None:
        postmaster = int((self._directory / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(postmaster, number)
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                # After the name in brackets: state, parent.
                if int(stat.read_text().rpartition(")")[2].split()[1]) == postmaster:
                    os.kill(int(stat.parent.name), number)

    def initialise(self) -> None:
        """Makes the data directory."""
        self._run(
            "initdb",
            "-D",
            str(self._directory / "data"),
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-instructions",
        )

    def _version(self) -> int:
        return int((self._directory / "data" / "PG_VERSION").read_text().partition(".")[0])

    def _run(self, program: str, *arguments: str) -> None:
        found = self._binaries / program
        command = [str(found if found.exists() else shutil.which(program) or program), *arguments]
        if program == "psql":
            command += ["-U", "postgres"]
        elif os.geteuid() == 0:
            # PostgreSQL refuses to run as root.
            command = ["runuser", "-u", "postgres", "--", *command]
        done = subprocess.run(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd="/", timeout=START_TIMEOUT_S + 10
        )
        assert done.returncode == 0, done.stderr


def binaries() -> Path | None:
    """Where initdb is: the newest of Debian's versions, or on PATH."""
    found = [path for place in PLACES for path in sorted(place.glob("*/bin/initdb"))]
    on_path = shutil.which("initdb")
    if found:
        return found[-1].parent
    return Path(on_path).parent if on_path else None


@contextmanager
def postgres_cluster() -> Iterator[PostgresCluster]:
    """A running cluster; skips where there is no PostgreSQL, except in CI, where that is a failure."""
    where = binaries()
    if where is None:
        reason = "no PostgreSQL server binaries on this machine; install postgresql to run these tests"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    directory = Path(tempfile.mkdtemp(prefix="meshflow-pg-"))
    if os.geteuid() == 0:
        shutil.chown(directory, "postgres", "postgres")
    cluster = PostgresCluster(where, directory, free_port())
    try:
        cluster.initialise()
        cluster.start()
        yield cluster
        cluster.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
