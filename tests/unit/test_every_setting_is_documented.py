"""docs/configuration.md names every setting as the code has it."""

from __future__ import annotations

from pathlib import Path

from meshflow_grpc.config import Settings, known_variables, variable_of


def test_the_documented_table_is_the_code() -> None:
    """docs/configuration.md lists every server variable with its default and meaning, and no other."""
    documented = [
        line
        for line in Path("docs/configuration.md").read_text().splitlines()
        if line.startswith("| `") and "_" in line
    ]
    expected = []
    for name, field in Settings.model_fields.items():
        extra = field.json_schema_extra
        default = str(extra["default"]) if isinstance(extra, dict) else _default_text(field.default)
        expected.append(f"| `{variable_of(name)}` | {default} | {field.description} |")

    server = [line for line in documented if line.split("`")[1] in map(variable_of, Settings.model_fields)]
    assert server == expected
    assert {line.split("`")[1] for line in documented} == set(known_variables())


def _default_text(default: object) -> str:
    if default is None:
        return "unset"
    return f"`{int(default) if isinstance(default, bool) else default}`"
