"""The tier of a call: the documented tables, by whole words, and never below what is declared."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshflow_grpc.domain.policy import RiskTier
from meshflow_grpc.domain.tool import Action, Tool
from meshflow_grpc.domain.workflow import Node, NodeKind
from meshflow_grpc.governance import risk
from meshflow_grpc.governance.risk import derived_tier, risk_of, words

DOCS = Path(__file__).parents[3] / "docs" / "risk.md"
READ, INSIDE, OUTSIDE, FINAL = RiskTier
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=10), children, max_size=3),
    max_leaves=8,
)
ARGUMENTS = st.dictionaries(st.text(max_size=10), JSON, max_size=4)


def named(name: str, declared: RiskTier = READ) -> Tool:
    """A tool that is never called."""

    async def call(arguments: object, context: object) -> str:
        raise AssertionError

    return Tool(name, "", {}, call, lambda _: None, declared)


@pytest.mark.parametrize(
    ("name", "arguments", "tier"),
    [
        ("look_up", {"q": "how to delete a file and send a mail"}, READ),
        ("sendEmail", {}, OUTSIDE),
        ("HTTPDelete", {}, FINAL),
        ("send-mail", {}, OUTSIDE),
        ("sender", {}, READ),
        ("payload_size", {}, READ),
        ("ｄｅｌｅｔｅ_row", {}, FINAL),
        ("run", {"sql": "select 1"}, READ),
        ("run", {"sql": "TRUNCATE  table users"}, FINAL),
        ("run", {"steps": [{"command": "deploy api"}]}, FINAL),
        ("run", {"note": "rm  -rf /"}, FINAL),
        ("run", {"note": "git push origin main --force"}, FINAL),
        ("call_api", {"method": "delete"}, FINAL),
        ("api", {"method": "GET"}, OUTSIDE),
        ("open", {"page": "see https://example.org"}, OUTSIDE),
        ("write_row", {"env": "prod-eu"}, READ),
    ],
)
def test_names_methods_and_commands_say_what_an_action_does(
    name: str, arguments: dict[str, object], tier: RiskTier
) -> None:
    """Examples of each row of the table, and of what must not match."""
    assert derived_tier(name, arguments, READ) is tier  # type: ignore[arg-type]


def test_a_production_target_makes_a_change_irreversible() -> None:
    """But reading production stays reading."""
    assert derived_tier("write_row", {"env": "prod-eu"}, INSIDE) is FINAL
    assert derived_tier("write_row", {"env": "product"}, INSIDE) is READ


@given(st.text(max_size=30), ARGUMENTS, st.sampled_from(RiskTier), st.sampled_from(RiskTier), st.booleans())
def test_nothing_lowers_a_declared_tier(
    name: str, arguments: dict[str, object], tool: RiskTier, node: RiskTier, in_loop: bool
) -> None:
    """Neither names nor arguments; the node's declaration counts for its own calls."""
    action = Action(name, named(name, tool), arguments, parent="a#1" if in_loop else None)  # type: ignore[arg-type]
    tier = risk_of(Node("n", NodeKind.AGENT if in_loop else NodeKind.TOOL, risk=node), action)

    assert tier >= tool
    assert in_loop or tier >= max(node, INSIDE)


@given(st.text(max_size=30), ARGUMENTS, ARGUMENTS, st.sampled_from(RiskTier))
def test_more_arguments_never_lower_the_tier(
    name: str, some: dict[str, object], more: dict[str, object], declared: RiskTier
) -> None:
    """The tier grows with what is asked for."""
    both = {**more, **some}
    assert derived_tier(name, both, declared) >= derived_tier(name, some, declared)  # type: ignore[arg-type]


@given(st.sampled_from(sorted(risk.VERBS[FINAL])), st.sampled_from(["{}", "do_{}", "{}-all", "{}X", "api.{}"]))
def test_a_verb_counts_wherever_it_is_a_word(verb: str, shape: str) -> None:
    """At the start, in the middle, at the end, in any case of letters."""
    assert derived_tier(shape.format(verb), {}, READ) is FINAL
    assert derived_tier(f"x{verb}x", {}, READ) is not FINAL or f"x{verb}x" in risk.VERBS[FINAL]


def test_the_documentation_shows_the_tables() -> None:
    """docs/risk.md and the code name the same words."""
    table = [line.split("|") for line in DOCS.read_text().splitlines() if line.startswith("| ")]
    rows = [(set(re.findall(r"`([^`]+)`", row[1])), row[3].strip()) for row in table[1:8]]
    methods = {tier: {m for m, t in risk.METHODS.items() if t is tier} for tier in (OUTSIDE, FINAL)}
    expected = [
        (set(risk.VERBS[OUTSIDE]), "external_io"),
        (set(risk.VERBS[FINAL]), "irreversible"),
        (methods[OUTSIDE], "external_io"),
        (methods[FINAL], "irreversible"),
        ({"http", "https", "ws", "wss", "ftp", "smtp"}, "external_io"),
        (set(risk.PATTERNS), "irreversible"),
        (set(risk.TARGETS), "irreversible"),
    ]
    listed = {
        line.split(":")[0]: set(re.findall(r"`([^`]+)`", line))
        for line in DOCS.read_text().splitlines()
        if re.match(r"\w+ arguments:", line)
    }

    assert [row for row in rows if row[0] != {"-"}][: len(expected)] == expected
    assert listed == {
        "Command arguments": set(risk.COMMAND_KEYS),
        "Method arguments": set(risk.METHOD_KEYS),
        "Target arguments": set(risk.TARGET_KEYS),
    }


def test_words_are_split_at_case_and_signs() -> None:
    """As people write names."""
    assert words("sendHTTPMail_2-now") == {"send", "http", "mail", "2", "now"}
