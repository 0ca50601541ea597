"""Compliance reports as a table, as JSON, and as a page that needs nothing else."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import TYPE_CHECKING, Any

import typer

from meshflow_grpc.cli.output import printable, write_table

if TYPE_CHECKING:
    from meshflow_grpc.commands.compliance_report import ComplianceReport
    from meshflow_grpc.governance.run_evidence import ControlResult

_NOTE = "Not legal advice: the report shows what the ledger holds; it cannot confer compliance."
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse;width:100%}th,td{border:1px solid #ccc;padding:.4em .6em;text-align:left;vertical-align:top}"
    ".pass{color:#06622b}.fail{color:#a40000;font-weight:bold}.not_evidenced{color:#6b4e00}"
)


def report_json(report: ComplianceReport) -> dict[str, Any]:
    """A report as JSON."""
    return {
        "run_id": report.run_id,
        "workflow": report.workflow,
        "status": report.status,
        "policy_digest": report.policy_digest,
        "profiles": list(report.profiles),
        "chain": {
            "valid": report.chain.valid,
            "entries_checked": report.chain.entries_checked,
            "ledger_head": {"sequence": report.chain.head_sequence, "hash": report.chain.head_hash},
        },
        "summary": _summary(report),
        "controls": [_control_json(result) for result in report.results],
        "note": _NOTE,
    }


def _control_json(result: ControlResult) -> dict[str, Any]:
    control = result.control
    return {
        "id": control.id,
        "source": control.source,
        "demand": control.demand,
        "stage": control.stage,
        "finding": result.finding.value,
        "evidence": result.evidence,
        "entries": list(result.entries),
    }


def _summary(report: ComplianceReport) -> dict[str, int]:
    counts = Counter(result.finding.value for result in report.results)
    return {name: counts[name] for name in ("pass", "fail", "not_evidenced")}


def _heading(report: ComplianceReport) -> str:
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in _summary(report).items())
    chain = "valid" if report.chain.valid else "TAMPERED"
    return f"run {report.run_id} ({report.status}), {', '.join(report.profiles)}: chain {chain}; {counts}"


def write_report(report: ComplianceReport) -> None:
    """Writes a report as a table, with its summary below."""
    write_table(
        ("CONTROL", "FINDING", "SOURCE", "STAGE", "DEMAND", "EVIDENCE"),
        (
            (
                r.control.id,
                r.finding.value.replace("_", " "),
                r.control.source,
                r.control.stage or "-",
                r.control.demand,
                r.evidence,
            )
            for r in report.results
        ),
    )
    typer.echo(printable(_heading(report)))


def report_html(report: ComplianceReport) -> str:
    """A report as one page; whatever a run says is escaped."""
    rows = "".join(
        f"<tr><td>{escape(r.control.id)}</td><td class={r.finding.value}>{r.finding.value.replace('_', ' ')}</td>"
        f"<td>{escape(r.control.source)}</td><td>{escape(r.control.stage or '-')}</td>"
        f"<td>{escape(r.control.demand)}</td><td>{escape(printable(r.evidence))}</td></tr>\n"
        for r in report.results
    )
    title = f"Compliance report of {escape(report.run_id)}"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style></head>\n'
        f"<body><h1>{title}</h1><p>{escape(_heading(report))}</p>\n"
        f"<p>Workflow {escape(report.workflow)}, policy {escape(report.policy_digest)}, "
        f"head {report.chain.head_sequence}:{escape(report.chain.head_hash)}</p>\n"
        "<table><thead><tr><th>Control</th><th>Finding</th><th>Source</th><th>Stage</th><th>Demand</th><th>Evidence</th></tr></thead>\n"
        f"<tbody>\n{rows}</tbody></table>\n<p>{_NOTE}</p></body></html>\n"
    )
