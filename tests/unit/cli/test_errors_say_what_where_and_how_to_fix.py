"""Wrong input and broken surroundings are told in words."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.cli.failures import explain
from meshflow_grpc.domain.errors import ApprovalNotFoundError
from meshflow_grpc.domain.mesh_errors import NodeNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from meshflow_grpc.domain.errors import MeshflowError
    from tests.unit.cli.conftest import Finished

    Meshflow = Callable[..., Finished]


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        (("--policy", '{"budgt_usd": 1}'), "policy.budgt_usd: unknown key; did you mean 'budget_usd'?"),
        (("--policy", "{oops"), "--policy: not JSON: Expecting property name"),
        (
            ("--policy", "p.json"),
            "--policy: not JSON: Expecting value at line 1, column 1; for a file write --policy @p",
        ),
        (("--policy", "[1]"), "--policy: must be a JSON object"),
        (("--input", "@no/such/file"), "--input: cannot read no/such/file: No such file or directory"),
        (("--set", "budget_usd=1"), "--set: 'budget_usd' does not start with policy."),
        (("--set", "policy.budget_usd"), "--set: 'policy.budget_usd' is not KEY=VALUE"),
        (("--set", "policy.mode=dev", "--set", "policy.mode.x=1"), "--set: 'policy.mode.x' lies under a value"),
        (("--label", "=x"), "--label: '=x' is not KEY=VALUE"),
        (("--workflow-file", "no/such.yaml"), "--workflow-file: cannot read no/such.yaml"),
    ],
)
def test_bad_arguments_are_usage_errors(meshflow: Meshflow, arguments: tuple[str, ...], where: str) -> None:
    """Exit code 2, with the option or field named; no server is needed to say so."""
    finished = meshflow("run", "create", "a task", *arguments, "--address", "127.0.0.1:1")

    assert finished.code == 2
    assert f"  where: {where}" in finished.err
    assert finished.err.startswith("error: ")
    assert "\n  fix: " in finished.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "a task", "--detach", "--watch"),
        ("get", "run_1", "--address", "nowhere"),
        ("get", "run_1", "--tls-cert", "c.pem"),
        ("get", "run_1", "--token-file", "no/such/file"),
        ("get", "run_1", "--tls-ca", "no/such/file"),
        ("get", "run_1", "--token", "a", "--token-file", "b"),
        ("get",),
        ("gett", "run_1"),
        ("get", "run_1", "-o", "xml"),
        ("wait", "run_1", "--timeout", "0"),
    ],
)
def test_impossible_combinations_are_usage_errors(meshflow: Meshflow, arguments: tuple[str, ...]) -> None:
    """Options that exclude each other, missing arguments and unknown commands end with 2."""
    finished = meshflow("run", *arguments)

    assert finished.code == 2
    assert finished.err
    assert "Traceback" not in finished.err


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        (ApprovalNotFoundError("apr_1"), "`meshflow approval list` shows what waits"),
        (NodeNotFoundError("x.ai"), "`meshflow mesh status` shows the nodes"),
    ],
)
def test_what_is_not_there_is_not_there_in_a_moment_either(error: MeshflowError, fix: str) -> None:
    """The fix is where to look, not to try again."""
    assert [fix in line for line in explain(error).fix] == [True]


def test_no_server_is_5_and_says_how_to_start_one(meshflow: Meshflow) -> None:
    """An unreachable server names the address and the ways out."""
    finished = meshflow("run", "get", "run_1", "--address", "127.0.0.1:1")

    assert finished.code == 5
    assert "no meshflow server answers at 127.0.0.1:1" in finished.err
    assert "meshflow serve" in finished.err


def test_config_show_tells_value_and_source(meshflow: Meshflow, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each variable has a row; a secret is not shown."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")

    table = meshflow("config", "show")
    assert table.code == 0
    assert ["MESHFLOW_PORT", "8765", "default"] in [line.split() for line in table.out.splitlines()]
    assert "sk-secret" not in table.out

    values = json.loads(meshflow("config", "show", "-o", "json").out)
    assert values["ANTHROPIC_API_KEY"] == "(set, not shown)"


def test_a_broken_configuration_lists_its_problems(meshflow: Meshflow, monkeypatch: pytest.MonkeyPatch) -> None:
    """All problems are lines of one error, for config show and serve alike."""
    monkeypatch.setenv("MESHFLOW_PRT", "1")

    for command in (("config", "show"), ("serve",)):
        finished = meshflow(*command)
        assert finished.code == 2
        assert "where: MESHFLOW_PRT: no such setting (did you mean MESHFLOW_PORT?)" in finished.err
        assert "where: ANTHROPIC_API_KEY: no model provider is configured" in finished.err


def test_a_defect_names_its_place_in_one_line() -> None:
    """What nobody foresaw is told without a traceback, with the line that raised."""
    try:
        raise KeyError("missing")
    except KeyError as error:
        failure = explain(error)

    assert failure.code == 1
    assert failure.what == "unexpected KeyError: 'missing'"
    assert __file__ in failure.where[0]


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_load_no_transport(option: str) -> None:
    """Neither needs gRPC, protobuf, pydantic or the store, so they answer at once."""
    script = (
        "import sys\n"
        "from meshflow_grpc.cli.root import app\n"
        f"try: app(['{option}'], prog_name='meshflow')\n"
        "except SystemExit: pass\n"
        "heavy = {'grpc', 'google.protobuf', 'pydantic', 'httpx', 'sqlite3', 'asyncpg', 'anthropic'}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)\n"
    )
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert (finished.returncode, finished.stderr) == (0, "")
    assert "meshflow" in finished.stdout


def test_the_module_is_the_command(tmp_path: Path) -> None:
    """Python -m meshflow_grpc is meshflow, and a usage error ends with 2."""
    command = [sys.executable, "-m", "meshflow_grpc", "nonsense"]
    finished = subprocess.run(command, capture_output=True, text=True)

    assert finished.returncode == 2
    assert "No such command" in finished.stderr
