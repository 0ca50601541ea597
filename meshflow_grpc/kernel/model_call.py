"""A step of an agent node as a call of its model: the request, its worst case, and what it used."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from meshflow_grpc.domain.usage import Usage
from meshflow_grpc.ports.provider import ModelRequest

if TYPE_CHECKING:
    from meshflow_grpc.domain.policy import Policy
    from meshflow_grpc.domain.workflow import Node
    from meshflow_grpc.governance.learning import WorkflowStatistics
    from meshflow_grpc.kernel.ports import KernelPorts
    from meshflow_grpc.kernel.state import StepState
    from meshflow_grpc.ports.provider import ModelReply, ToolSpec, Turn

# A placeholder of redaction can be longer than the text it stands for.
REDACTION_GROWTH = 2
# What providers put around tools, turns and calls on their own; more than any documented figure.
TOOL_USE_TOKENS = 1000
CALL_TOKENS = 32


def model_of(node: Node, ports: KernelPorts) -> str:
    """The model a node asks for."""
    return node.model or ports.provider.default_model


def model_request(state: StepState, attempt: int, default_model: str, turns: tuple[Turn, ...] = ()) -> ModelRequest:
    """The request of one attempt; the prompt is the one that passed the input stages."""
    node, run = state.step.node, state.step.run
    return ModelRequest(
        run.run_id,
        node.id,
        node.role,
        node.model or default_model,
        node.system,
        state.prompt,
        node.max_output_tokens,
        attempt,
        state.step.iteration,
        state.step.tools.specs if state.step.tools else (),
        turns,
        node.config,
    )


def worst_case(
    node: Node,
    prompt: str,
    policy: Policy,
    ports: KernelPorts,
    tools: tuple[ToolSpec, ...] = (),
    turns: tuple[Turn, ...] = (),
    learned: WorkflowStatistics | None = None,
) -> Usage:
    """Most that one attempt of the node can use, with the tools it is offered and what happened in its loop so far.

    What was ``learned`` raises the bound where a model used more than it said, and never lowers it.
    """
    provider = ports.provider
    model = model_of(node, ports)
    growth = REDACTION_GROWTH if policy.scrub_pii else 1
    tokens_in = provider.max_input_tokens(node.system) + growth * provider.max_input_tokens(prompt)
    if tools or turns:
        tokens_in += _loop_tokens(tools, turns, ports)
    tokens_out = node.max_output_tokens
    if learned is not None:
        tokens_in, tokens_out = learned.margin_of(node.id, model).raised(tokens_in, tokens_out)
    price = provider.price(model)
    cost = tokens_in * price.input_nano_usd + tokens_out * price.output_nano_usd
    carbon = ports.carbon.micrograms(model, tokens_in, tokens_out) if policy.enable_environmental else 0
    return Usage(tokens_in, tokens_out, cost, carbon, 1)


def _loop_tokens(tools: tuple[ToolSpec, ...], turns: tuple[Turn, ...], ports: KernelPorts) -> int:
    """An upper bound of what tools and turns add to the input; opaque blocks may repeat text and calls."""
    bound = ports.provider.max_input_tokens
    total = TOOL_USE_TOKENS
    for tool in tools:
        total += CALL_TOKENS + bound(tool.name) + bound(tool.description) + bound(json.dumps(tool.parameters))
    for turn in turns:
        said = bound(turn.text) + sum(bound(c.name) + bound(json.dumps(c.arguments)) for c in turn.calls)
        opaque = bound(json.dumps(turn.opaque)) if turn.opaque else 0
        results = sum(bound(result.content) for result in turn.results)
        total += said + opaque + results + CALL_TOKENS * (1 + 2 * len(turn.calls))
    return total


def call_usage(reply: ModelReply, state: StepState, ports: KernelPorts) -> Usage:
    """What a call used, of no step; an unpriced model name in a reply is charged as the one asked for."""
    asked = model_of(state.step.node, ports)
    price = ports.provider.price(asked)
    cost = reply.input_tokens * price.input_nano_usd + reply.output_tokens * price.output_nano_usd
    wants_carbon = state.step.run.policy.enable_environmental
    carbon = ports.carbon.micrograms(asked, reply.input_tokens, reply.output_tokens) if wants_carbon else 0
    return Usage(reply.input_tokens, reply.output_tokens, cost, carbon)
