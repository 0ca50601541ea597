"""Whether a Claude model thinks before it answers, which counts against ``max_output_tokens``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anthropic.types import ThinkingConfigParam

# By the longest prefix of the model's name. Source: platform.claude.com, "What's new in Claude Sonnet 5.5", "... Opus 5.5",
# "Migrating to Claude Sonnet 5" (2026-11): these models think by default and take this as the way to turn it off.
_OFF: tuple[tuple[str, ThinkingConfigParam | None], ...] = (
    ("claude-sonnet-5-5", {"type": "between_tools"}),
    ("claude-sonnet-5", {"type": "disabled"}),
    # Thinking cannot be turned off here; a request that tries is refused.
    ("claude-opus-5-5", None),
    ("claude-opus-5", {"type": "disabled"}),
)


def thinking_param(model: str) -> ThinkingConfigParam | None:
    """Returns what turns off thinking before the answer, so that an answer has all its tokens; None where it cannot be."""
    return next((param for prefix, param in _OFF if model.startswith(prefix)), None)
