"""How a run and its pre-flight look on stdout."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from meshflow_grpc.cli.output import OutputFormat, printable, write_fields, write_record, write_records, write_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshflow_grpc.client.messages import CheckRunResponse, RunResponse


def write_run(run: RunResponse, output: OutputFormat) -> None:
    """Writes a run; the table form ends with its output."""
    from meshflow_grpc.client import to_json

    if output is not OutputFormat.TABLE:
        write_record(to_json(run), output)
        return
    write_fields(
        (
            ("run", run.run_id),
            ("status", run.status),
            ("workflow", run.workflow),
            ("blocked by", run.blocked_by),
            ("reason", run.block_reason or run.status_reason),
            ("approval", _approval(run)),
            ("tokens", f"{run.total_tokens:,}"),
            ("cost", f"${run.total_cost_usd:.6f}"),
            ("carbon", f"{run.total_carbon_g:.3f} g CO2e" if run.total_carbon_g else ""),
            ("duration", f"{run.duration_ms / 1000:.3f} s"),
            ("ledger", f"{run.ledger_entries} entries, head {run.ledger_head.sequence}:{run.ledger_head.hash[:16]}"),
            ("policy", run.policy_digest),
            ("session", run.session_id),
            ("labels", ", ".join(f"{key}={value}" for key, value in sorted(run.labels.items()))),
            ("created", run.create_time.ToJsonString() if run.HasField("create_time") else ""),
        )
    )
    if run.output:
        sys.stdout.write(f"\n{printable(run.output)}\n")


def write_runs(runs: Sequence[RunResponse], output: OutputFormat) -> None:
    """Writes runs, one a row."""
    from meshflow_grpc.client import to_json

    if output is not OutputFormat.TABLE:
        write_records((to_json(run) for run in runs), output)
        return
    write_table(
        ("RUN", "STATUS", "WORKFLOW", "TOKENS", "COST", "ENTRIES", "CREATED"),
        (
            (
                run.run_id,
                run.status,
                run.workflow,
                f"{run.total_tokens:,}",
                f"${run.total_cost_usd:.6f}",
                str(run.ledger_entries),
                run.create_time.ToJsonString() if run.HasField("create_time") else "",
            )
            for run in runs
        ),
    )


def write_check(check: CheckRunResponse, output: OutputFormat) -> None:
    """Writes a pre-flight: the verdict, the worst case, and every violation with its remedy."""
    from meshflow_grpc.client import to_json

    if output is not OutputFormat.TABLE:
        write_record(to_json(check), output)
        return
    write_fields(
        (
            ("admissible", "yes" if check.admissible else "no"),
            ("workflow", check.workflow),
            ("policy", check.policy_digest),
            ("worst case", f"${check.estimated_cost_usd:.6f}, {check.estimated_tokens:,} tokens{_carbon(check)}"),
            ("expected", _expected(check)),
            ("approvals", ", ".join(check.approval_nodes)),
        )
    )
    for violation in check.violations:
        sys.stdout.write(f"\nviolation: {printable(violation.description)}\n")
        sys.stdout.write(f"  where: {printable(violation.field)} (stage {printable(violation.stage)})\n")
        sys.stdout.write(f"  fix: {printable(violation.remedy)}\n")


def _approval(run: RunResponse) -> str:
    if not run.HasField("pending_approval"):
        return ""
    approval = run.pending_approval
    return f"{approval.approval_id} at {approval.node_id}: {approval.reason}"


def _expected(check: CheckRunResponse) -> str:
    if not check.HasField("expectation"):
        return ""
    found = check.expectation
    return f"${found.cost_usd:.6f}, {found.tokens:,} tokens, by {found.runs} finished run{'s' * (found.runs != 1)}"


def _carbon(check: CheckRunResponse) -> str:
    return f", {check.estimated_carbon_g:.3f} g CO2e" if check.estimated_carbon_g else ""
