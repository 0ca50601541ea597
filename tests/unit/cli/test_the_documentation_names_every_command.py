"""docs/cli.md and the command tree say the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from meshflow_grpc.cli.exit_codes import ExitCode
from meshflow_grpc.cli.root import app

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT = Path("docs/cli.md").read_text()


def leaves(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yields every command that does something, with its words."""
    children = getattr(command, "commands", None)
    if not children:
        yield path, command
    for name, child in (children or {}).items():
        yield from leaves(child, f"{path} {name}")


def test_every_command_has_a_row_and_no_other() -> None:
    """The table of commands is the command tree."""
    documented = re.findall(r"^\| `(meshflow [a-z ]+?)(?: [A-Z\[].*?)?` \|", DOCUMENT, re.MULTILINE)

    assert sorted(documented) == sorted(path for path, _ in leaves(typer.main.get_command(app), "meshflow"))


def test_every_option_is_named() -> None:
    """No option of a command is missing in the document."""
    options = {
        option
        for path, command in leaves(typer.main.get_command(app), "meshflow")
        if path != "meshflow serve"  # its options are in docs/configuration.md
        for parameter in command.params
        for option in parameter.opts
        if option.startswith("--") and option not in {"--output", "--help"}
    }

    assert len(options) > 20
    assert {option for option in options if not re.search(rf"{option}\b", DOCUMENT)} == set()


def test_every_exit_code_has_a_row() -> None:
    """The table of exit codes lists all of them."""
    assert re.findall(r"^\| (\d) \|", DOCUMENT, re.MULTILINE) == [str(code.value) for code in ExitCode]
