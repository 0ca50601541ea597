"""The command line."""

from __future__ import annotations

import io
import json
import re
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from meshflow_grpc.cli import main
from meshflow_grpc.cli.exit_codes import ExitCode, of_reason, of_status
from tests.contract.faces import Answer, error
from tests.contract.python_face import plain_request

_ERROR = re.compile(r"^error: (?P<what>.*?)(?: \((?P<reason>[A-Z_]+)\))?$", re.MULTILINE | re.DOTALL)
_WHERE = re.compile(r"^  where: (?P<field>.+?): (?P<description>.*)$", re.MULTILINE)
# The command, and how its JSON becomes the result; None when it writes events.
Command = tuple[list[str], Callable[[Any], Any] | None]


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    argv: list[str]
    code: int
    stdout: str
    stderr: str


class CliFace:
    """``meshflow``; what reads the ledger itself (verify, diff) is given the server's file and the tenant."""

    name = "cli"

    def __init__(self, address: str, ledger: Path, tenant_of: Callable[[str | None], str]) -> None:
        self._address = address
        self._ledger = ledger
        self._tenant_of = tenant_of

    def call(self, call: str, args: dict[str, Any], token: str | None) -> Answer:
        """Runs the command of a call."""
        args = dict(args)
        until = args.pop("until", None)
        with tempfile.TemporaryDirectory() as directory:
            command, fold = self._command(call, args, token, Path(directory))
            done = self._run(command, token)
        if done.stderr.startswith("error: "):
            return _failed(done)
        return _answered(done, fold, until)

    def close(self) -> None:
        """Nothing is held."""

    def _run(self, command: list[str], token: str | None) -> Done:
        """The command in this process, for speed; the end-to-end tests start processes of their own."""
        server = [f"--address={self._address}", *([f"--token={token}"] if token else [])]
        place = 0 if command[0] == "ledger" else 2
        argv = ["meshflow", *command[:place], *(server if place else []), *command[place:]]
        stdout, stderr = io.StringIO(), io.StringIO()
        kept, sys.argv = sys.argv, argv
        try:
            with redirect_stdout(stdout), redirect_stderr(stderr), pytest.raises(SystemExit) as ended:
                main()
        finally:
            sys.argv = kept
        return Done(argv, int(ended.value.code or 0), stdout.getvalue(), stderr.getvalue())

    def _command(self, call: str, args: dict[str, Any], token: str | None, directory: Path) -> Command:
        if "request" in args:
            return _starting(call, args["request"], directory)
        if call in ("verify_run", "diff_runs"):
            runs = [args[name] for name in ("run_id", "run_a", "run_b") if name in args]
            file = ["--db", str(self._ledger), "--tenant", self._tenant_of(token), "-o", "json"]
            return ["ledger", call.partition("_")[0], *runs, *file], lambda rows: rows[0]
        if call.startswith("list_"):
            return _listing(call, args)
        return _about(call, args)


def _same(value: Any) -> Any:
    return value


def _listing(call: str, args: dict[str, Any]) -> Command:
    noun = "runs" if call == "list_runs" else "approvals"
    named = {"run_id": "run", "status": "status", "workflow": "workflow"}
    options = _options({named[key]: value for key, value in args.items()})
    return [noun.removesuffix("s"), "list", *options, "-o", "json"], lambda rows: {noun: rows, "next_page_token": ""}


def _about(call: str, args: dict[str, Any]) -> Command:
    """What is said of one run or approval."""
    if call == "get_approval":
        return ["approval", "show", args["approval_id"], "-o", "json"], _same
    if call == "decide_approval":
        options = _options({"comment": args.get("comment"), "digest": args.get("expected_action_digest")})
        return ["approval", args["decision"], args["approval_id"], *options, "-o", "json"], _same
    if call == "watch_run":
        options = _options({"after": args.get("after_sequence"), "view": args.get("event_view")})
        return ["run", "watch", args["run_id"], *options, "-o", "jsonl"], None
    options = _options({"reason": args.get("reason"), "timeout": args.get("timeout_s")})
    return ["run", call.removesuffix("_run"), args["run_id"], *options, "-o", "json"], _same


def _options(values: dict[str, Any]) -> list[str]:
    return [f"--{name}={value}" for name, value in values.items() if value is not None]


def _starting(call: str, request: dict[str, Any], directory: Path) -> Command:
    """`run create` and `run check`, with every part of the request as its option."""
    request = plain_request(request)
    options = []
    for name in ("input", "policy"):
        if name in request:
            (directory / name).write_text(json.dumps(request[name]), encoding="utf-8")
            options.append(f"--{name}=@{directory / name}")
    if "workflow_yaml" in request:
        (directory / "workflow.yaml").write_text(request["workflow_yaml"], encoding="utf-8")
        options.append(f"--workflow-file={directory / 'workflow.yaml'}")
    named = {"workflow": "workflow", "session_id": "session", "request_id": "request-id"}
    named["expected_policy_digest"] = "expect-policy-digest"
    options += _options({option: request.get(name) for name, option in named.items()})
    options += [f"--label={key}={value}" for key, value in request.get("labels", {}).items()]
    verb = {"check_run": ["check"], "create_run": ["create", "--detach"], "stream_run": ["create", "--watch"]}
    task = ["--", request["task"]] if "task" in request else []
    output = "jsonl" if call == "stream_run" else "json"
    return ["run", *verb.get(call, ["create"]), *options, "-o", output, *task], None if call == "stream_run" else _same


def _failed(done: Done) -> Answer:
    """stderr names reason and fields; the exit code must be the reason's. A command shows no gRPC code."""
    told = _ERROR.search(done.stderr.split("\n  ", 1)[0].rstrip())
    assert told is not None, done.stderr
    violations = [match.groupdict() for match in _WHERE.finditer(done.stderr)]
    reason = told["reason"] or ""
    assert done.code == (of_reason(reason) if reason else ExitCode.USAGE), done.stderr
    return error(None if reason else "UNSENDABLE", reason, violations, told["what"])


def _answered(done: Done, fold: Callable[[Any], Any] | None, until: str | None) -> Answer:
    if fold is not None:
        assert done.stdout, (done.argv, done.stderr)
        result = fold(json.loads(done.stdout))
        if done.argv[2] in ("create", "wait") and "--detach" not in done.argv:
            assert done.code == of_status(result["status"]), done
        return Answer(result=result)
    events = [json.loads(line) for line in done.stdout.split("\n") if line]
    assert until is None or events[-1]["event_type"] == until, events
    return Answer(events=events)
