"""The texts of the mock model: what an agent of a role would plausibly hand on, built from the prompt alone."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TOPIC_CHARS = 160
QUOTE_CHARS = 200
MAX_SOURCES = 8
# How far into a prompt the task is looked for, so that a large prompt costs no more than a small one.
TASK_WITHIN = 4096
FIRST_SCORE, REVISED_SCORE = 0.72, 0.91
_TASK, _RESULT = "Task:\n", "\n\nResult of "


def write(agent_id: str, role: str, prompt: str, iteration: int, score: float | None) -> str:
    """Returns the answer of an agent. A critic answers JSON with ``quality_score`` (0.72, then 0.91 unless given) and ``feedback``."""
    kind = _kind(agent_id.lower(), role.lower())
    topic = _topic(prompt)
    if kind is _criticise or score is not None:
        return _criticise_with(
            topic, score if score is not None else (FIRST_SCORE if iteration == 1 else REVISED_SCORE)
        )
    return kind(topic, _sources(prompt), agent_id)


def _topic(prompt: str) -> str:
    at = prompt.find(_TASK, 0, TASK_WITHIN)
    start = at + len(_TASK) if at >= 0 else 0
    text = prompt[start : start + TASK_WITHIN].lstrip()
    if text.startswith("{"):
        text = _from_json(text.partition(_RESULT)[0]) or text
    line = text.partition("\n")[0].strip().rstrip(".?!")
    return line if len(line) <= TOPIC_CHARS else line[:TOPIC_CHARS].rsplit(" ", 1)[0] + " …"


def _from_json(text: str) -> str | None:
    try:
        document = json.loads(text)
    except ValueError:
        return None
    values = [document.get(name) for name in ("topic", "task", "input", "question")] + list(document.values())
    return next((value for value in values if isinstance(value, str) and value), None)


def _sources(prompt: str) -> list[tuple[str, str]]:
    """The nodes whose results the prompt holds, with the first line of each."""
    found: list[tuple[str, str]] = []
    at = prompt.find(_RESULT)
    while at >= 0 and len(found) < MAX_SOURCES:
        start = at + len(_RESULT)
        name, _, quote = prompt[start : start + QUOTE_CHARS].partition(":\n")
        found.append((name, quote.partition("\n")[0].strip()))
        at = prompt.find(_RESULT, start)
    return found


def _research(topic: str, sources: Sequence[tuple[str, str]], _agent_id: str) -> str:
    rest = f"\n- Builds on {_names(sources)}." if sources else ""
    return (
        f"Findings on: {topic}\n"
        f"- The task asks for: {topic}. (source: the task)\n"
        "- Three aspects matter most: what is established, what changed recently, and what it costs. (general knowledge)\n"
        "- Figures should be checked against a primary source before use; none were looked up. (uncertain)\n"
        f"- Missing: the audience and the period meant.{rest}"
    )


def _analyse(topic: str, sources: Sequence[tuple[str, str]], agent_id: str) -> str:
    base = f" It rests on {_names(sources)}." if sources else ""
    return (
        f"Analysis by {agent_id}: {topic}\n"
        f"The evidence supports a cautious positive reading.{base}\n"
        "- Strength: the main claim is consistent across the findings.\n"
        "- Risk: the figures are unverified.\n"
        "- Recommendation: go on, and state the uncertainty."
    )


def _draft(topic: str, sources: Sequence[tuple[str, str]], _agent_id: str) -> str:
    reviewed = any(quote.startswith("{") for _, quote in sources)
    base = f" This rests on {_names(sources)}." if sources else ""
    revision = " The draft was revised after review." if reviewed else ""
    return (
        f"{topic}: the available findings point in one direction, and the main points are established.{base} "
        "What is known is stated plainly, what is uncertain is marked as such, and the figures are to be checked against "
        f"their sources before they are relied on.{revision}"
    )


def _publish(topic: str, sources: Sequence[tuple[str, str]], _agent_id: str) -> str:
    body = next((quote for _, quote in reversed(sources) if not quote.startswith("{")), "")
    return f"Published: {topic}" + (f"\n\n{body}" if body else "")


def _criticise(topic: str, _sources: Sequence[tuple[str, str]], _agent_id: str) -> str:
    return _criticise_with(topic, FIRST_SCORE)


def _criticise_with(topic: str, score: float) -> str:
    advice = "Ready to go on." if score >= 0.8 else "State the sources of the figures and shorten the opening."
    return json.dumps({"quality_score": score, "feedback": f"Review of {topic}: {advice}"}, ensure_ascii=False)


def _names(sources: Sequence[tuple[str, str]]) -> str:
    return "the work of " + ", ".join(name for name, _ in sources)


# The id says more than the role: a capstone's analysts and writer share the role EXECUTOR.
_BY_ID: Sequence[tuple[str, Callable[[str, Sequence[tuple[str, str]], str], str]]] = (
    ("research", _research),
    ("analy", _analyse),
    ("quality", _criticise),
    ("critic", _criticise),
    ("review", _criticise),
    ("publish", _publish),
    ("writ", _draft),
)
_BY_ROLE = {"researcher": _research, "critic": _criticise, "orchestrator": _publish, "analyst": _analyse}


@lru_cache(maxsize=1024)
def _kind(agent_id: str, role: str) -> Callable[[str, Sequence[tuple[str, str]], str], str]:
    named = next((kind for word, kind in _BY_ID if word in agent_id), None)
    return named or _BY_ROLE.get(role, _draft)
