"""Turns every error into words: what happened, where, and how to fix it."""

from __future__ import annotations

import sys
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshflow_grpc.cli.exit_codes import ExitCode, of_call_error, of_reason
from meshflow_grpc.cli.output import printable
from meshflow_grpc.domain.errors import ErrorReason, MeshflowError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshflow_grpc.client import MeshflowCallError
    from meshflow_grpc.domain.errors import FieldViolation

_FIXES = {
    ErrorReason.INVALID_REQUEST: "correct what is named above; every option is in --help",
    ErrorReason.POLICY_FIELD_NOT_ENFORCED: "leave the field out; docs/policy.md lists what is enforced",
    ErrorReason.INVALID_WORKFLOW: "correct the definition at the place named above",
    ErrorReason.UNAUTHENTICATED: "pass --token or set MESHFLOW_TOKEN",
    ErrorReason.PERMISSION_DENIED: "use a token whose role may do this",
    ErrorReason.RUN_NOT_FOUND: "check the id; `meshflow run list` shows the runs",
    ErrorReason.WORKFLOW_NOT_FOUND: "check the name given to --workflow",
    ErrorReason.RUN_CONFLICT: "see where the run stands with `meshflow ledger show`, or `meshflow run get` on its server",
    ErrorReason.REQUEST_ID_REUSED: "choose a new --request-id, or repeat the earlier request unchanged",
    ErrorReason.POLICY_DIGEST_MISMATCH: "see the policy in force with `meshflow run check`",
    ErrorReason.POLICY_FLOOR_VIOLATED: "tighten the policy as `meshflow run check` proposes",
    ErrorReason.REQUEST_TOO_LARGE: "send less, or raise MESHFLOW_MAX_REQUEST_BYTES on the server",
    ErrorReason.LEDGER_UNAVAILABLE: "check the ledger at MESHFLOW_LEDGER_DB or --db",
    ErrorReason.DEADLINE_EXCEEDED: "allow more time",
    ErrorReason.PAYLOAD_KEY_UNAVAILABLE: "set MESHFLOW_PAYLOAD_KEY or MESHFLOW_PAYLOAD_KEY_FILE to the key the ledger was written with",
    ErrorReason.INTERNAL: "see the server's log",
    ErrorReason.APPROVAL_NOT_FOUND: "check the id; `meshflow approval list` shows what waits",
    ErrorReason.APPROVAL_ALREADY_DECIDED: "nothing is left to decide; `meshflow approval show` says how it ended",
    ErrorReason.APPROVAL_EXPIRED: "run it again, and decide within policy.human_in_loop.timeout_s",
    ErrorReason.APPROVAL_DIGEST_MISMATCH: "look again with `meshflow approval show`, and decide about what it shows",
    ErrorReason.WORKFLOW_VERSION_EXISTS: "give the definition another version",
    ErrorReason.RUN_IMMUTABLE: "leave the run as it is: its policy has immutable_audit",
    ErrorReason.MESH_NOT_CONFIGURED: "name a server that is a node, or set MESHFLOW_MESH_SLUG on this one",
    ErrorReason.NODE_NOT_FOUND: "check the name; `meshflow mesh status` shows the nodes",
    ErrorReason.REAUTHENTICATION_REQUIRED: "sign in again, and repeat with the new token",
}
_START_A_SERVER = "start one with `meshflow serve`, or name another with --address or MESHFLOW_ADDRESS"


@dataclass(frozen=True, slots=True)
class Failure:
    """What to tell about an error; each entry of ``where`` and ``fix`` is a line."""

    code: ExitCode
    what: str
    where: tuple[str, ...] = ()
    fix: tuple[str, ...] = ()


def report(error: Exception) -> ExitCode:
    """Writes an error to stderr and returns the exit code."""
    failure = explain(error)
    lines = [f"error: {failure.what}", *(f"  where: {line}" for line in failure.where)]
    lines += [f"  fix: {line}" for line in failure.fix]
    sys.stderr.write("\n".join(map(printable, lines)) + "\n")
    return failure.code


def explain(error: Exception) -> Failure:
    """Finds the words for an error."""
    from meshflow_grpc.client.errors import MeshflowCallError
    from meshflow_grpc.config import ConfigurationError

    match error:
        case MeshflowCallError():
            return _call_failure(error)
        case ConfigurationError():
            what = "the configuration is not usable"
            where = tuple(f"{problem.variable}: {problem.what} ({problem.fix})" for problem in error.problems)
            return Failure(ExitCode.USAGE, what, where, ("docs/configuration.md lists every setting",))
        case MeshflowError():
            what, where = _told(error.message, error.violations)
            return Failure(of_reason(error.reason), what, where, (_fix(error.reason, error.retry_after_s),))
        case FileNotFoundError() | PermissionError() | IsADirectoryError() if error.filename:
            what, where = f"cannot open a file: {error.strerror}", (str(error.filename),)
            return Failure(
                ExitCode.USAGE, what, where, ("name a file that can be read, or written where it is the output",)
            )
        case OSError():
            return Failure(ExitCode.UNAVAILABLE, error.strerror or str(error))
        case ValueError():
            return Failure(ExitCode.USAGE, str(error))
        case _:
            return _defect(error)


def _call_failure(error: MeshflowCallError) -> Failure:
    what, where = _told(error.message, error.violations)
    if error.reason not in ErrorReason.__members__:
        fix = (_START_A_SERVER,) if error.code == "UNAVAILABLE" else ()
        return Failure(of_call_error(error), f"{what} ({error.code})", where, fix)
    fix = (_fix(ErrorReason(error.reason), error.retry_after_s),)
    return Failure(of_call_error(error), f"{what} ({error.reason})", where, fix)


def _told(message: str, violations: Sequence[FieldViolation]) -> tuple[str, tuple[str, ...]]:
    """With violations the message only repeats them, so a line each says it better."""
    if not violations:
        return message, ()
    return "the request is not valid", tuple(f"{each.field}: {each.description}" for each in violations)


def _fix(reason: ErrorReason, retry_after_s: float | None) -> str:
    if reason in _FIXES:
        return _FIXES[reason]
    return f"try again in {retry_after_s:g} s" if retry_after_s else "try again in a moment"


def _defect(error: Exception) -> Failure:
    frames = traceback.extract_tb(error.__traceback__)
    where = (f"{frames[-1].filename}:{frames[-1].lineno}",) if frames else ()
    fix = ("this is a defect of meshflow; please report it with the command you ran",)
    return Failure(ExitCode.RUN_FAILED, f"unexpected {type(error).__name__}: {error}", where, fix)
