"""CPU of each stage and of all fourteen beside execution, on a step whose input has 2 kB of clean prose.

    python -m benchmarks.stages [--seconds S]

The durable write is left out: stage 14 builds its entry and hands it to a recorder that keeps nothing. The same text goes through
again and again, so the scanner remembers its result; what the scan of a text costs that it does not remember is told apart: for
the same prose, and for the pages of docs/ in pieces of 2 kB, which its automata have not met and have met.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from meshflow_grpc.app import Outside, RuntimeOptions, assemble
from meshflow_grpc.domain.policy import PolicyRule, RuleEffect
from meshflow_grpc.domain.run import Principal, RunRequest
from meshflow_grpc.domain.usage import ZERO_USAGE
from meshflow_grpc.governance.detection.scanner import TextScanner
from meshflow_grpc.kernel.decision import Verdict
from meshflow_grpc.kernel.kernel import Kernel
from meshflow_grpc.kernel.pipeline import FIFTEEN_STAGES
from meshflow_grpc.kernel.stage import Check, Noted
from meshflow_grpc.kernel.stages.audit_ledger import AuditLedger, StepEnd
from meshflow_grpc.kernel.stages.execution import ExecutionStage
from meshflow_grpc.kernel.stages.sla_record import SlaRecord
from meshflow_grpc.kernel.state import StepState
from meshflow_grpc.providers.mock import MockProvider
from meshflow_grpc.storage.factory import open_storage
from meshflow_grpc.telemetry.logging import configure_logging

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshflow_grpc.kernel.ports import KernelPorts
    from meshflow_grpc.kernel.state import Step

DOCS = Path(__file__).parent.parent / "docs"
CALLER = Principal("bench", "bench", method="bench")
PROSE = (
    "The committee met on Tuesday to weigh the two drafts; revenue grew while support tickets fell, and nobody could say "
    "why the third region lagged. A follow-up is due in the second part of the plan, owned by the platform team. "
)
EVERYTHING: dict[str, Any] = {
    "enable_uncertainty": True,
    "enable_environmental": True,
    "scrub_pii": True,
    "max_output_chars": 100_000,
    "allowed_tools": ("calculator",),
    "denied_tools": ("clock",),
    "compliance": ("sox",),
    "human_in_loop": {"enabled": True},
    "rules": (PolicyRule("no-health-data-outside", RuleEffect.DENY, '"phi" in taint && risk >= external_io'),),
}


class _Nowhere:
    """Keeps nothing, at no cost."""

    async def append(self, *_: object) -> tuple[None]:
        return (None,)


async def _captured(policy: dict[str, Any]) -> tuple[KernelPorts, Step]:
    """The ports and the first step of a real run under this policy."""
    found: list[tuple[KernelPorts, Step]] = []
    real = Kernel.run_step

    async def capture(kernel: Kernel, step: Step) -> Any:  # noqa: ANN401 - passes on what it wraps
        found.append((kernel._ports, step))
        return await real(kernel, step)

    Kernel.run_step = capture  # type: ignore[method-assign]
    try:
        storage = await open_storage("memory:")
        runtime = assemble(Outside(storage, MockProvider()), RuntimeOptions(step_rate_per_s=1e9))
        task = (PROSE * 20)[:2048]
        await runtime.commands.run.execute(CALLER, RunRequest(task=task, policy=policy))
    finally:
        Kernel.run_step = real  # type: ignore[method-assign]
    return found[0]


def _cpu_us(work: Callable[[], object], seconds: float) -> float:
    """Least CPU microseconds of one call over seven rounds."""
    begun, calls = time.process_time(), 0
    while time.process_time() - begun < seconds / 8:
        work()
        calls += 1
    best = float("inf")
    for _ in range(7):
        begun = time.process_time()
        for _ in range(calls):
            work()
        best = min(best, (time.process_time() - begun) / calls)
    return best * 1e6


async def _measure(policy: dict[str, Any], seconds: float) -> dict[str, float]:
    ports, step = await _captured(policy)
    ports = type(ports)(**{name: getattr(ports, name) for name in ports.__slots__} | {"recorder": _Nowhere()})
    state = StepState(step, step.prompt, step.labels, step.node.risk, 0.0)
    figures: dict[str, float] = {}
    for kind in FIFTEEN_STAGES:
        stage = kind(ports)
        if isinstance(stage, ExecutionStage):
            result: Any = await stage.apply(state)
        elif isinstance(stage, Check):
            figures[kind.name] = _cpu_us(_call(stage, state), seconds)
            result = stage.apply(state)
        else:
            end = StepEnd(
                state,
                Verdict.COMMITTED,
                [{"stage": s.name, "decision": "allow"} for s in FIFTEEN_STAGES],
                state.execution.usage,
                1,
                "none",
            )
            figures[kind.name] = _cpu_us(_record(stage, end), seconds)
            continue
        if not isinstance(result, StepState | Noted):
            sys.exit(f"{kind.name} refused the step: {result}")
    return figures


def _call(stage: Check, state: StepState) -> Callable[[], object]:
    """One call; what budget_check reserves is given back."""
    if stage.name != "budget_check":
        return lambda: stage.apply(state)
    budget = state.step.run.budget

    def reserve() -> None:
        stage.apply(state)
        budget.settle(state.reserved, ZERO_USAGE)

    return reserve


def _record(stage: AuditLedger | SlaRecord, end: StepEnd) -> Callable[[], object]:
    """One entry built, or one step judged and told to the observer."""
    if isinstance(stage, SlaRecord):
        return lambda: (stage.judge(end.state.step.node, end.latency_ms), stage.observe(end))

    def record() -> None:
        work = stage.record(end)
        try:
            work.send(None)
        except StopIteration:
            return

    return record


def _scans(seconds: float) -> tuple[float, float, float]:
    """CPU microseconds of a scan that is not remembered: of the prose, of texts the automata have not met, of the same again."""
    scanner = TextScanner()
    prose = _cpu_us(lambda: scanner._scan((PROSE * 20)[:2048], "input"), seconds)
    texts = [page.read_text(encoding="utf-8") for page in sorted(DOCS.glob("*.md"))]
    pieces = [text[start : start + 2048] for text in texts for start in range(0, len(text), 2048)]
    half = len(pieces) // 2
    for piece in pieces[:half]:
        scanner._scan(piece, "input")
    figures = []
    for _ in range(2):
        begun = time.process_time()
        for piece in pieces[half:]:
            scanner._scan(piece, "input")
        figures.append((time.process_time() - begun) / (len(pieces) - half) * 1e6)
    return prose, figures[0], figures[1]


def main() -> None:
    """Prints microseconds per stage for the default policy and for one that uses every stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.8, help="CPU seconds per stage")
    seconds = parser.parse_args().seconds
    configure_logging("warning", "json")
    plain = asyncio.run(_measure({}, seconds))
    every = asyncio.run(_measure(EVERYTHING, seconds))
    sys.stdout.write(f"{'stage':<24}{'default us':>12}{'every us':>12}\n")
    for name, figure in plain.items():
        sys.stdout.write(f"{name:<24}{figure:>12.2f}{every[name]:>12.2f}\n")
    sys.stdout.write(f"{'all fourteen':<24}{sum(plain.values()):>12.1f}{sum(every.values()):>12.1f}\n")
    prose, new, known = _scans(seconds)
    sys.stdout.write(
        f"\none scan of 2 kB that is not remembered: {prose:.0f} us for clean prose, "
        f"{new:.0f} us for documentation that is new, {known:.0f} us when the automata know it\n"
    )


if __name__ == "__main__":
    main()
