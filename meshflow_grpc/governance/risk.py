"""Risk tier of an action: the highest of what is declared and what kind, tool, target and arguments imply (docs/risk.md)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from meshflow_grpc.domain.policy import RiskTier
from meshflow_grpc.domain.workflow import Node, NodeKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.tool import Action

KIND_TIER: dict[NodeKind, RiskTier] = {
    NodeKind.AGENT: RiskTier.READ_ONLY,
    NodeKind.PYTHON: RiskTier.READ_ONLY,
    NodeKind.HUMAN: RiskTier.READ_ONLY,
    NodeKind.SUBGRAPH: RiskTier.READ_ONLY,
    NodeKind.TOOL: RiskTier.INTERNAL,
    NodeKind.HTTP: RiskTier.EXTERNAL_IO,
    NodeKind.GRPC: RiskTier.INTERNAL,
}

# Words in the name of a tool, and in the arguments that say what to do.
VERBS: dict[RiskTier, frozenset[str]] = {
    RiskTier.IRREVERSIBLE: frozenset(
        {
            "buy",
            "charge",
            "delete",
            "deploy",
            "destroy",
            "drop",
            "erase",
            "overwrite",
            "pay",
            "publish",
            "purchase",
            "purge",
            "refund",
            "release",
            "remove",
            "revoke",
            "sell",
            "shutdown",
            "terminate",
            "transfer",
            "truncate",
            "uninstall",
            "unlink",
            "wipe",
            "wire",
            "withdraw",
        }
    ),
    RiskTier.EXTERNAL_IO: frozenset(
        {
            "book",
            "call",
            "email",
            "fetch",
            "forward",
            "http",
            "invite",
            "mail",
            "message",
            "notify",
            "patch",
            "post",
            "push",
            "put",
            "request",
            "send",
            "share",
            "submit",
            "upload",
            "webhook",
        }
    ),
}
METHODS: dict[str, RiskTier] = {
    "GET": RiskTier.EXTERNAL_IO,
    "HEAD": RiskTier.EXTERNAL_IO,
    "OPTIONS": RiskTier.EXTERNAL_IO,
    "PATCH": RiskTier.EXTERNAL_IO,
    "POST": RiskTier.EXTERNAL_IO,
    "PUT": RiskTier.EXTERNAL_IO,
    "DELETE": RiskTier.IRREVERSIBLE,
}
METHOD_KEYS = frozenset({"http_method", "method"})
COMMAND_KEYS = frozenset({"action", "cmd", "command", "operation", "query", "script", "sql", "statement", "verb"})
TARGET_KEYS = frozenset(
    {"branch", "cluster", "database", "db", "env", "environment", "host", "namespace", "stage", "target", "url"}
)
TARGETS = frozenset({"live", "master", "prod", "production"})
# Commands that are irreversible wherever they stand; every pattern is matched in linear time.
PATTERNS: dict[str, str] = {
    "rm -rf": r"\brm\s+-[a-z]*[rf]",
    "DROP TABLE": r"\bdrop\s+(?:table|database|schema|index|view|user|role)\b",
    "DELETE FROM": r"\bdelete\s+from\b",
    "TRUNCATE TABLE": r"\btruncate\s+table\b",
    "git push --force": r"\bgit\s+push\b[^\n]{0,80}(?:--force|\s-f\b)",
    "mkfs": r"\bmkfs\b",
    "dd of=": r"\bdd\s[^\n]{0,80}\bof=",
}
_IRREVERSIBLE_TEXT = re.compile("|".join(PATTERNS.values()))
_URL = re.compile(r"\b(?:https?|wss?|ftp|smtp)://")
_WORDS = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def risk_of(node: Node, action: Action | None = None) -> RiskTier:
    """The tier of a step of this node: a declaration may raise what is implied, never lower it.

    A call inside an agent's loop is judged by itself: the agent's own tier is that of the agent's step. What a peer is told is not
    searched for what it implies: the peer may do nothing above the declared tier, and judges each action by itself.
    """
    if action is None:
        return max(node.risk, KIND_TIER[node.kind])
    declared = RiskTier.READ_ONLY if action.tool is None else action.tool.risk
    if action.parent is None:
        declared = max(declared, node.risk, KIND_TIER[node.kind])
    if not action.is_tool or node.kind is NodeKind.GRPC:
        return declared
    return max(declared, derived_tier(action.name, action.arguments, declared))


def derived_tier(name: str, arguments: Mapping[str, JsonValue], declared: RiskTier) -> RiskTier:
    """What a tool's name, its target and its arguments imply, by the tables above."""
    tier = _of_words(words(name))
    for key, text in _texts("", arguments):
        if tier is RiskTier.IRREVERSIBLE:
            break
        tier = max(tier, _of_argument(key, text, max(tier, declared)))
    return tier


def words(text: str) -> frozenset[str]:
    """The words of a name or a command in lower case: ``sendEmail``, ``send_email`` and ``send-email`` have the same."""
    plain = unicodedata.normalize("NFKC", text)
    return frozenset(word.lower() for word in _WORDS.findall(_CAMEL.sub(" ", plain)))


def _of_words(found: frozenset[str]) -> RiskTier:
    return next((tier for tier, verbs in VERBS.items() if found & verbs), RiskTier.READ_ONLY)


def _of_argument(key: str, text: str, so_far: RiskTier) -> RiskTier:
    plain = unicodedata.normalize("NFKC", text).lower()
    if _IRREVERSIBLE_TEXT.search(plain):
        return RiskTier.IRREVERSIBLE
    tier = RiskTier.EXTERNAL_IO if _URL.search(plain) else RiskTier.READ_ONLY
    if key in METHOD_KEYS:
        tier = max(tier, METHODS.get(plain.strip().upper(), RiskTier.READ_ONLY))
    if key in METHOD_KEYS or key in COMMAND_KEYS:
        tier = max(tier, _of_words(words(text)))
    # What only reads may read production; what changes something there cannot be taken back.
    if key in TARGET_KEYS and words(text) & TARGETS and max(tier, so_far) >= RiskTier.INTERNAL:
        return RiskTier.IRREVERSIBLE
    return tier


def _texts(key: str, value: JsonValue | Mapping[str, JsonValue]) -> Iterator[tuple[str, str]]:
    """Every text in the arguments, with the key nearest above it in lower case."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _texts(name.lower(), item)
    elif isinstance(value, Sequence):
        for item in value:
            yield from _texts(key, item)
