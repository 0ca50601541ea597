"""From a ModelRequest to the parameters of the Messages API."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from meshflow_grpc.ports.provider import ProviderError, ProviderFault

if TYPE_CHECKING:
    from anthropic.types import ContentBlockParam, MessageParam, ToolParam, ToolResultBlockParam, ToolUseBlockParam

    from meshflow_grpc.ports.provider import ModelRequest, Turn


def message_params(request: ModelRequest) -> list[MessageParam]:
    """Returns the conversation: the prompt, then each turn as what the model said and the results it got.

    Raises ProviderError (INVALID) for a turn whose results do not answer its calls one to one.
    """
    messages: list[MessageParam] = [{"role": "user", "content": request.prompt}]
    for number, turn in enumerate(request.turns, start=1):
        if not turn.calls or [call.call_id for call in turn.calls] != [result.call_id for result in turn.results]:
            message = f"turn {number} needs one result for each of its tool calls, in their order"
            raise ProviderError(ProviderFault.INVALID, message, retryable=False)
        messages.append({"role": "assistant", "content": _said(turn)})
        messages.append({"role": "user", "content": [_result(turn, place) for place in range(len(turn.results))]})
    return messages


def tool_params(request: ModelRequest) -> list[ToolParam]:
    """Returns the tools on offer."""
    return [
        {"name": tool.name, "description": tool.description, "input_schema": {"type": "object", **tool.parameters}}
        for tool in request.tools
    ]


def _said(turn: Turn) -> list[ContentBlockParam]:
    if turn.opaque:
        return cast("list[ContentBlockParam]", [dict(block) for block in turn.opaque])
    text: list[ContentBlockParam] = [{"type": "text", "text": turn.text}] if turn.text else []
    return text + [_call(turn, place) for place in range(len(turn.calls))]


def _call(turn: Turn, place: int) -> ToolUseBlockParam:
    call = turn.calls[place]
    return {"type": "tool_use", "id": call.call_id, "name": call.name, "input": dict(call.arguments)}


def _result(turn: Turn, place: int) -> ToolResultBlockParam:
    result = turn.results[place]
    return {
        "type": "tool_result",
        "tool_use_id": result.call_id,
        "content": result.content,
        "is_error": result.is_error,
    }
