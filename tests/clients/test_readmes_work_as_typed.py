"""What the clients' READMEs show: their commands typed into a clean checkout, their programs into a clean directory, against `make run`."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.conftest import program

ROOT = Path(__file__).resolve().parents[2]
# A cold machine first downloads what the builds need.
TIMEOUT_S = 400
pytestmark = [pytest.mark.slow, pytest.mark.timeout(TIMEOUT_S + 20)]
FOLLOWED = re.compile(r"run_completed.*\nrun_\S+: 4 entries, valid: true\n$")
GO_PROGRAM = """package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"meshflow.dev/go/meshflow"
)

func main() {
	if err := follow(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func follow(ctx context.Context) error {
SNIPPET	return nil
}
"""
JAVA_PROGRAM = """import dev.meshflow.*;
import dev.meshflow.PolicyBuilder.Mode;
import dev.meshflow.v1.*;

public class Shown {
    public static void main(String[] arguments) throws Exception {
SNIPPET    }
}
"""


@dataclass(frozen=True)
class Demonstration:
    """What `make run` left running, and where the READMEs' commands are typed."""

    address: str
    environment: dict[str, str]

    def typed(self, text: str, directory: Path) -> str:
        """Types text that must succeed into a shell; the address is the one that `make run` named. Returns what was printed."""
        done = subprocess.run(
            ["bash", "-eu", "-c", self.placed(text)],
            cwd=directory,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def placed(self, text: str) -> str:
        """The text with the address in place of the default one."""
        return text.replace("127.0.0.1:8765", self.address)


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    """`make run`, until it says that the server stays up."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MESHFLOW_", "ANTHROPIC_"))}
    environment = {**kept, "MESHFLOW_METRICS_PORT": "0", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "meshflow_grpc.cli.demo"],
        cwd=tmp_path_factory.mktemp("run"),
        env={**environment, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout:
        address = next((match[1] for line in process.stdout if (match := re.search(r"stays up at http://([\d.:]+);", line))), None)
        assert address is not None, "make run did not leave a server running"
        yield Demonstration(address, kept)
        process.send_signal(signal.SIGINT)
        process.stdout.read()
    assert process.wait(timeout=60) == 0


def checkout(name: str, directory: Path) -> Path:
    """A client as a fresh clone has it: what git would commit, and no build output."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", f"clients/{name}"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for path in filter(None, listed.split("\0")):
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, directory / path)
    return directory / "clients" / name


def commands(client: Path) -> str:
    """The indented block that comes after "in this directory"."""
    found = re.search(r"[Ii]n this directory.*?\n\n((?:    [^\n]+\n)+)", (client / "README.md").read_text("utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


def snippet(document: Path, language: str) -> str:
    """The first fenced program of a language."""
    found = re.search(rf"^```{language}\n(.*?)^```", document.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def shows_a_run(output: str) -> bool:
    """Whether each event of a run was printed, in order."""
    events = ["run_started", "agent_completed", "agent_completed", "run_completed"]
    return re.findall(r"\b(?:run_started|agent_completed|run_completed)\b", output) == events


def test_go(demonstration: Demonstration, tmp_path: Path) -> None:
    """The example, and the shown program in a module of its own."""
    program("go")
    client = checkout("go", tmp_path)
    assert FOLLOWED.search(demonstration.typed(commands(client), client))

    (tmp_path / "own").mkdir()
    shown = GO_PROGRAM.replace("SNIPPET", snippet(client / "README.md", "go"))
    (tmp_path / "own/main.go").write_text(demonstration.placed(shown))
    added = re.search(r"`(go mod edit .+?)`", (client / "README.md").read_text("utf-8"))
    assert added is not None
    typed = f"go mod init example.org/own\n{added[1].replace('PATH', str(tmp_path))}\ngo mod tidy\ngo run .\n"
    assert shows_a_run(demonstration.typed(typed, tmp_path / "own"))


def test_typescript(demonstration: Demonstration, tmp_path: Path) -> None:
    """The example, and the shown program in a package of its own."""
    program("node")
    program("npm")
    client = checkout("typescript", tmp_path)
    assert FOLLOWED.search(demonstration.typed(commands(client), client))

    (tmp_path / "own").mkdir()
    (tmp_path / "own/main.mjs").write_text(demonstration.placed(snippet(client / "README.md", "ts")))
    typed = f"npm init --yes --silent\nnpm install --no-audit --no-fund {client}\nnode main.mjs\n"
    assert shows_a_run(demonstration.typed(typed, tmp_path / "own"))


def test_java(demonstration: Demonstration, tmp_path: Path) -> None:
    """The example, and the shown program over the packaged client."""
    program("java")
    program("mvn")
    client = checkout("java", tmp_path)
    assert FOLLOWED.search(demonstration.typed(commands(client), client))

    shown = JAVA_PROGRAM.replace("SNIPPET", snippet(client / "README.md", "java"))
    (tmp_path / "Shown.java").write_text(demonstration.placed(shown))
    class_path = f"{client}/target/meshflow-client-0.1.0.jar:{client}/target/dependency/*"
    assert shows_a_run(demonstration.typed(f"java -cp '{class_path}' Shown.java", tmp_path))


def test_python(demonstration: Demonstration, tmp_path: Path) -> None:
    """The program that docs/cli.md shows."""
    (tmp_path / "main.py").write_text(demonstration.placed(snippet(ROOT / "docs/cli.md", "python")))
    output = demonstration.typed(f"PYTHONPATH={ROOT} {sys.executable} main.py", tmp_path)
    assert output.startswith("completed ")
    assert shows_a_run(output)
