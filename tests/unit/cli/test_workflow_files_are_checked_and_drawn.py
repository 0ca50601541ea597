"""``meshflow workflow``: init, validate, graph and schema."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.conftest import Finished

    Meshflow = Callable[..., Finished]


def test_a_new_file_is_valid_and_is_not_written_over(meshflow: Meshflow, tmp_path: Path) -> None:
    """What init writes, validate accepts; a second init leaves the file alone."""
    file = tmp_path / "mine.yaml"

    assert meshflow("workflow", "init", str(file)).code == 0
    valid = meshflow("workflow", "validate", str(file), "-o", "json")
    assert json.loads(valid.out)["nodes"] == 6
    file.write_text("mine", encoding="utf-8")
    again = meshflow("workflow", "init", str(file))

    assert again.code == 2
    assert "File exists" in again.err
    assert file.read_text(encoding="utf-8") == "mine"


def test_problems_are_told_with_their_place_and_the_nearest_name(meshflow: Meshflow, tmp_path: Path) -> None:
    """A misspelt key: file, line, column, path and what was probably meant."""
    file = tmp_path / "w.yaml"
    file.write_text("name: w\nentry: a\nnodes:\n  a:\n    sytem: Be brief.\n", encoding="utf-8")

    wrong = meshflow("workflow", "validate", str(file))

    assert wrong.code == 2
    assert f"{file}:5:5 nodes.a.sytem" in wrong.err
    assert "'system'" in wrong.err


@pytest.mark.parametrize(
    ("language", "first"), [("mermaid", "flowchart TD"), ("dot", 'digraph "production_pipeline" {')]
)
def test_definitions_are_drawn(meshflow: Meshflow, tmp_path: Path, language: str, first: str) -> None:
    """In both languages, with every node."""
    file = tmp_path / "w.yaml"
    meshflow("workflow", "init", str(file))

    drawn = meshflow("workflow", "graph", str(file), "--format", language)

    assert drawn.out.splitlines()[0] == first
    assert all(
        name in drawn.out for name in ("researcher", "analyst_a", "analyst_b", "writer", "quality_gate", "publisher")
    )


def test_the_schema_is_published(meshflow: Meshflow) -> None:
    """As JSON Schema, draft 2020-12."""
    schema = json.loads(meshflow("workflow", "schema").out)

    assert schema["$schema"].endswith("2020-12/schema")
    assert schema["required"] == ["name", "nodes"]


def test_a_file_that_is_not_there_is_named(meshflow: Meshflow) -> None:
    """Exit code 2 and the file's name."""
    missing = meshflow("workflow", "validate", "no/such.yaml")

    assert missing.code == 2
    assert "cannot read no/such.yaml: No such file or directory" in missing.err
