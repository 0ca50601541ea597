"""One streamed answer of the Messages API, put together event by event."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from meshflow_grpc.ports.provider import ModelReply, ProviderError, ProviderFault, ToolCall

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anthropic.types import (
        MessageDeltaUsage,
        RawContentBlockDeltaEvent,
        RawContentBlockStartEvent,
        RawMessageStreamEvent,
        Usage,
    )

    from meshflow_grpc.domain.json_value import JsonValue

# Ends that mean the same to an agent as one it knows.
_STOP_REASONS = {"model_context_window_exceeded": "max_tokens"}
_THINKING = frozenset({"thinking", "redacted_thinking"})
_TEXT_OF = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "input_json_delta": "partial_json",
    "signature_delta": "signature",
}


class _Block:
    """One content block: its first form, and what the deltas of each kind added."""

    def __init__(self, first: dict[str, JsonValue]) -> None:
        self.first = first
        self.added: dict[str, list[str]] = {}

    @property
    def kind(self) -> str:
        return str(self.first["type"])

    def text(self, name: str) -> str:
        return str(self.first.get(name) or "") + "".join(self.added.get(name, ()))


class Answer:
    """Takes events in order; ``reply`` is only to be had from an answer that came whole."""

    def __init__(self) -> None:
        self.started = False
        self._whole = False
        self._model = ""
        self._stop_reason: str | None = None
        self._blocks: dict[int, _Block] = {}
        self._input_tokens = self._output_tokens = 0

    def take(self, event: RawMessageStreamEvent) -> str:
        """Adds an event and returns the text it brought; raises ProviderError for one that is not of the Messages API."""
        try:
            return self._take(event)
        except (AttributeError, KeyError, TypeError):
            # The SDK does not validate what it parses, so a malformed event shows where it is read.
            raise _failed("the provider sent an event that is not of the Messages API") from None

    def _take(self, event: RawMessageStreamEvent) -> str:
        match event.type:
            case "message_start":
                self.started = True
                self._model = event.message.model
                self._count(event.message.usage)
            case "content_block_start":
                return self._begin(event)
            case "content_block_delta":
                return self._extend(event)
            case "message_delta":
                self._stop_reason = event.delta.stop_reason
                self._count(event.usage)
            case "message_stop":
                self._whole = True
            case _:
                pass  # "content_block_stop" says nothing; kinds that come later must not break a running service
        return ""

    def _begin(self, event: RawContentBlockStartEvent) -> str:
        block = _Block(event.content_block.to_dict(mode="json"))  # type: ignore[arg-type] # dict[str, object] of JSON values
        self._blocks[event.index] = block
        return block.text("text") if block.kind == "text" else ""

    def _extend(self, event: RawContentBlockDeltaEvent) -> str:
        name = _TEXT_OF.get(event.delta.type)
        if name is None:
            return ""
        added: str = getattr(event.delta, name)
        self._blocks[event.index].added.setdefault(name, []).append(added)
        return added if name == "text" else ""

    def _count(self, usage: Usage | MessageDeltaUsage) -> None:
        """Counts are cumulative; those of the cache are input too (API reference, "Usage")."""
        if usage.input_tokens is not None:
            cached = (usage.cache_creation_input_tokens or 0) + (usage.cache_read_input_tokens or 0)
            self._input_tokens = usage.input_tokens + cached
        self._output_tokens = usage.output_tokens

    def reply(self, asked: str) -> ModelReply:
        """Returns the reply; raises ProviderError for an answer that was cut, refused, or used up before it began."""
        if not self._whole or self._stop_reason is None:
            raise _failed("the answer broke off before its end")
        if self._stop_reason in {"refusal", "pause_turn"}:
            raise _failed(f"the model gave no answer (stop reason {self._stop_reason})", retryable=False)
        blocks = [self._blocks[index] for index in sorted(self._blocks)]
        stop_reason = _STOP_REASONS.get(self._stop_reason, self._stop_reason)
        text = "".join(block.text("text") for block in blocks if block.kind == "text")
        cut = stop_reason == "max_tokens"
        calls = tuple(_call(block, cut=cut) for block in blocks if block.kind == "tool_use")
        if cut and not text and not calls:
            raise _failed(
                "the model used all its max_output_tokens before it wrote an answer; raise it", retryable=False
            )
        return ModelReply(
            text=text,
            model=self._model or asked,
            input_tokens=self._input_tokens,
            output_tokens=self._output_tokens,
            stop_reason=stop_reason,
            calls=calls,
            opaque=_opaque(blocks) if calls else (),
        )


def _failed(message: str, *, retryable: bool = True) -> ProviderError:
    return ProviderError(ProviderFault.FAILED, message, retryable=retryable)


def _arguments(block: _Block) -> object:
    written = "".join(block.added.get("partial_json", ()))
    return json.loads(written) if written else block.first["input"]


def _call(block: _Block, *, cut: bool) -> ToolCall:
    try:
        arguments = _arguments(block)
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        hint = "was cut short; raise max_output_tokens" if cut else "has arguments that are not a JSON object"
        raise _failed(f"the call of tool {block.first['name']!r} {hint}", retryable=not cut)
    return ToolCall(str(block.first["id"]), str(block.first["name"]), arguments)


def _opaque(blocks: list[_Block]) -> tuple[Mapping[str, JsonValue], ...]:
    """The blocks to send back as they came: only needed where the model thought between its calls."""
    if not any(block.kind in _THINKING for block in blocks):
        return ()
    return tuple(map(_as_sent, blocks))


def _as_sent(block: _Block) -> dict[str, JsonValue]:
    match block.kind:
        case "text":
            return {"type": "text", "text": block.text("text")}
        case "thinking":
            return {"type": "thinking", "thinking": block.text("thinking"), "signature": block.text("signature")}
        case "tool_use":
            call = _call(block, cut=False)
            return {"type": "tool_use", "id": call.call_id, "name": call.name, "input": call.arguments}
        case _:
            return block.first
