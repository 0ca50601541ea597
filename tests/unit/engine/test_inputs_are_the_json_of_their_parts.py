"""The input of a step, put together from texts that are JSON already, is the JSON of its parts."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from meshflow_grpc.domain.json_value import json_string
from meshflow_grpc.engine.prompt import node_input_json


@given(st.text(), st.lists(st.tuples(st.sampled_from(["a", "b", 'q"\\']), st.text()), max_size=4))
def test_an_input_is_the_json_of_its_parts(task: str, upstream: list[tuple[str, str]]) -> None:
    """Whatever its texts hold; of two outputs of one node the later counts."""
    document: dict[str, object] = {"task": task}
    if upstream:
        document["upstream"] = dict(upstream)
    expected = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    written = [(node_id, json_string(output)) for node_id, output in upstream]
    assert node_input_json(json_string(task), written) == expected
