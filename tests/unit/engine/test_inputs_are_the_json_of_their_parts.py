"""The short ways to the next state of a step give what ``_replace`` gives; inputs made of texts are the JSON of their parts."""

from __future__ import annotations

import json
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from meshflow_grpc.domain.json_value import json_string
from meshflow_grpc.domain.policy import RiskTier
from meshflow_grpc.domain.usage import ZERO_USAGE, Usage
from meshflow_grpc.domain.workflow import Node
from meshflow_grpc.engine.prompt import node_input_json
from meshflow_grpc.governance.detection.finding import ScanResult
from meshflow_grpc.kernel.state import Execution, RunContext, Step, StepState

NODE = Node("n", risk=RiskTier.EXTERNAL_IO)
STEP = Step(cast("RunContext", "run"), NODE, "n#1", 1, "prompt", "{}", frozenset("l"))
STATE = StepState(
    cast("Step", "step"),
    "prompt",
    frozenset("a"),
    RiskTier.INTERNAL,
    1.0,
    Usage(1),
    ("c",),
    None,
    {"m": 1},
    None,
    "o",
    (),
)


def test_each_short_way_changes_its_own_fields_alone() -> None:
    """For all four; and a step that begins has its input's state and nothing else."""
    execution, scan = Execution("said", "m", ZERO_USAGE, ZERO_USAGE, 1), ScanResult()
    assert STATE.holding(Usage(7)) == STATE._replace(reserved=Usage(7))
    assert STATE.scanned(scan) == STATE._replace(scan=scan)
    assert STATE.executed(execution, frozenset("b")) == STATE._replace(execution=execution, labels=frozenset("b"))
    assert STATE.saying("x") == STATE._replace(output="x")
    begun = StepState.begun(STEP, 2.0)
    assert begun == StepState(STEP, "prompt", frozenset("l"), RiskTier.EXTERNAL_IO, 2.0)
    assert all(
        type(way) is StepState for way in (begun, STATE.holding(Usage()), STATE.saying("x"), STATE.scanned(scan))
    )


@given(st.text(), st.lists(st.tuples(st.sampled_from(["a", "b", 'q"\\']), st.text()), max_size=4))
def test_an_input_is_the_json_of_its_parts(task: str, upstream: list[tuple[str, str]]) -> None:
    """Whatever its texts hold; of two outputs of one node the later counts."""
    document: dict[str, object] = {"task": task}
    if upstream:
        document["upstream"] = dict(upstream)
    expected = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    written = [(node_id, json_string(output)) for node_id, output in upstream]
    assert node_input_json(json_string(task), written) == expected
