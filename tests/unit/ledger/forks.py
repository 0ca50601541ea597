"""A parent and its fork in memory, for the documented test vectors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from meshflow_grpc.domain.ledger_entry import EntryDraft, EntryKind
from meshflow_grpc.domain.run import Principal
from meshflow_grpc.engine.fork import ForkPoint, NewFork, fork_of
from meshflow_grpc.ports.storage import RunChange
from meshflow_grpc.storage.batch import Append, CreateRun
from meshflow_grpc.storage.sequencer import Sequencer
from tests.conformance.drafts import ENDED, TENANT, finished, new_run, time_of
from tests.unit.ledger.chains import salts

if TYPE_CHECKING:
    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.storage.batch import Command

START = {"policy": {"mode": "standard"}, "task": "tides", "workflow": {"name": "default"}}


def committed(node: str, place: int) -> EntryDraft:
    """A step with the facts that a fork takes along."""
    facts = {"iteration": 1, "labels": ["untrusted"], "step": place, "verdict": "committed"}
    output = json.dumps({"output": f"{node} says é"}, ensure_ascii=False, separators=(",", ":"))
    return EntryDraft(
        "run_1", TENANT, EntryKind.STEP_COMMITTED, time_of(place), node, f"{node}#1", 1, facts, None, output
    )


def forked() -> tuple[list[LedgerEntry], LedgerEntry]:
    """The entries of a parent, and the first entry of its fork before the node ``writer``."""
    sequencer = Sequencer(0, salts())
    start = EntryDraft(
        "run_1",
        TENANT,
        EntryKind.RUN_STARTED,
        time_of(0),
        facts={"actor": {"auth": "test", "principal": "p-1"}, "workflow": "default"},
        input=json.dumps(START, separators=(",", ":")),
    )
    commands: list[Command] = [CreateRun(new_run("run_1"), start, "")]
    commands += [
        Append("run_1", (committed(node, place),), RunChange())
        for place, node in enumerate(("researcher", "writer"), start=1)
    ]
    commands.append(Append("run_1", (finished("run_1"),), ENDED))
    parent = sequencer.plan(commands, {}, {}).entries
    sequencer.settle()
    run = new_run("run_1")._replace(entries=len(parent), head_hash=parent[-1].hash)
    fork = fork_of(
        run,
        parent,
        ForkPoint(before_node="writer"),
        NewFork("run_2", time_of(120)),
        Principal("p-2", TENANT, method="test"),
    )
    (entry,) = sequencer.plan([CreateRun(fork.run, fork.draft, fork.fingerprint)], {}, {}).entries
    return parent, entry
