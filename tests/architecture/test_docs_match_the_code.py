"""Tables in the documentation say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from meshflow_grpc.domain.policy import Policy
from meshflow_grpc.governance.compliance import CONTROLS
from meshflow_grpc.governance.effective_policy import policy_json
from meshflow_grpc.governance.enforcement import ENFORCED_BY, POLICY_FIELDS
from meshflow_grpc.kernel.pipeline import STAGE_NAMES

DOCS = Path(__file__).parents[2] / "docs"


def rows(document: str, heading: str) -> list[list[str]]:
    """The cells of the table whose header row starts with the heading."""
    lines = (DOCS / document).read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {heading} |"))
    table = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return table


def test_the_kernel_table_is_the_pipeline() -> None:
    """Fifteen rows, the same names, the same order."""
    table = rows("kernel.md", "#")

    assert [int(row[0]) for row in table] == list(range(1, 16))
    assert tuple(row[1] for row in table) == STAGE_NAMES


def test_the_reasons_of_the_kernel_table_are_those_the_stages_give() -> None:
    """Each reason is in the file of its stage, and no stage gives another one."""
    package = Path(__file__).parents[2] / "meshflow_grpc" / "kernel"
    work = ("agent_call", "model_attempts", "tool_call", "peer_call", "peer_outcome")
    for row in rows("kernel.md", "#"):
        source = (package / "stages" / f"{row[1]}.py").read_text()
        if row[1] == "execution":
            source += "".join((package / f"{name}.py").read_text() for name in work)
        if row[1] == "compliance_profile":
            source += (package.parent / "governance" / "compliance.py").read_text()
        if row[1] == "tool_permission":
            source += (package.parent / "governance" / "recipients.py").read_text()
        given = set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', source))
        assert given == set(filter(None, (r.strip() for r in row[4].split(",")))), row[1]


def test_the_policy_table_has_every_field_in_order_with_its_stage() -> None:
    """A field without a stage is said to be refused."""
    table = rows("policy.md", "field")

    assert [row[0].strip("`") for row in table] == list(POLICY_FIELDS)
    for name, _, _, stage, hit in table:
        expected = ENFORCED_BY.get(name.strip("`"), "not enforced")
        assert stage == expected, name
        assert (hit == "refused") == (stage == "not enforced"), name


def test_the_compliance_table_is_the_list_of_controls() -> None:
    """Every control with its source and stage, in order; what no stage holds is said to be not evidenced."""
    shown = [(row[0].strip("`"), row[1], row[2]) for row in rows("compliance.md", "control")]

    assert shown == [(control.id, control.source, control.stage) for control in CONTROLS]
    assert all((row[3] == "not evidenced") == (row[2] == "") for row in rows("compliance.md", "control"))


def test_the_policy_table_has_the_defaults_of_the_code() -> None:
    """Numbers, words and switches."""
    defaults = policy_json(Policy())
    for name, _, shown, _, _ in rows("policy.md", "field"):
        value = defaults[name.strip("`")]
        if isinstance(value, (bool, int, float)):
            assert shown == str(value).lower(), name
        elif isinstance(value, str):
            assert shown == f"`{value}`", name
