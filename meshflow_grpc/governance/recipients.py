"""Who may be given personal data under profile gdpr: the recipients an operator declares, with region and contract (Art. 28 and 44)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from meshflow_grpc.domain.policy import RiskTier
from meshflow_grpc.domain.workflow import NodeKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.tool import Action
    from meshflow_grpc.domain.workflow import Node

HELD = "gdpr"
# Model providers that answer inside the server.
LOCAL = frozenset({"mock"})
KINDS = ("model", "tool", "function", "host", "peer")
MAX_TEXT = 200
EXTERNAL = "external"
_KEYS = {"allowed_regions", "recipients"}


@dataclass(frozen=True, slots=True)
class Recipient:
    """Someone that steps may hand data to: ``model:anthropic``, ``host:api.example.com``; where, and under which contract."""

    name: str
    region: str
    contract: str

    def facts(self) -> dict[str, JsonValue]:
        """As an entry names it."""
        return {"contract": self.contract, "name": self.name, "region": self.region}


@dataclass(frozen=True, slots=True)
class Recipients:
    """The declared ones by name, and the regions that data may go to; ``declared`` says that the operator declared any at all."""

    allowed_regions: frozenset[str] = frozenset()
    by_name: Mapping[str, Recipient] = field(default_factory=dict)
    declared: bool = False

    def objection(self, name: str) -> tuple[str, str, str] | None:
        """Reason, sentence and remedy when data may not go there; None when it may."""
        found = self.by_name.get(name)
        if found is None:
            message = f"profile {HELD} hands data to declared recipients only, and {name} is none"
            return "RECIPIENT_UNDECLARED", message, f"declare {name} in MESHFLOW_RECIPIENTS_FILE"
        if found.region not in self.allowed_regions:
            message = (
                f"{name} is in region {found.region}, and data may go to {', '.join(sorted(self.allowed_regions))}"
            )
            return "REGION_NOT_ALLOWED", message, "use a recipient in an allowed region"
        return None

    def found(self, names: Iterable[str]) -> tuple[Recipient, ...]:
        """The declared ones of these names."""
        return tuple(self.by_name[name] for name in names if name in self.by_name)


NO_RECIPIENTS = Recipients()


class DeclaredRecipients:
    """Those that are declared now: each step asks anew, so that a changed declaration holds from the next step on."""

    __slots__ = ("_now",)

    def __init__(self, now: Recipients = NO_RECIPIENTS) -> None:
        self._now = now

    @property
    def now(self) -> Recipients:
        """One declaration, which a later one does not change."""
        return self._now

    def replace(self, declared: Recipients) -> None:
        """From here on these; from any thread."""
        self._now = declared


def destinations(node: Node, action: Action | None, risk: RiskTier, provider: str) -> tuple[str, ...]:
    """Names of those that a step hands data to, other than peers; none when it stays in the server.

    A tool or function stays inside when its call is below tier external_io and its results are declared to be no strangers'.
    """
    if node.kind is NodeKind.AGENT and action is None:
        return () if provider in LOCAL else (f"model:{provider}",)
    if action is None or node.kind in (NodeKind.HUMAN, NodeKind.SUBGRAPH, NodeKind.GRPC):
        return ()
    if node.kind is NodeKind.HTTP:
        return (f"host:{_host(action.arguments.get('url'))}",)
    if risk < RiskTier.EXTERNAL_IO and not (action.tool is not None and EXTERNAL in action.tool.labels):
        return ()
    return (f"{'tool' if action.is_tool else 'function'}:{action.name}",)


def _host(url: object) -> str:
    try:
        return (urlsplit(str(url)).hostname or "").lower()
    except ValueError:
        return ""


def parse_recipients(text: str) -> Recipients:
    """Reads ``{"allowed_regions": [...], "recipients": {NAME: {"region", "contract"}}}``; raises ValueError naming what is wrong."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ValueError(f"is not JSON: {error}") from error
    if not isinstance(document, dict) or set(document) != _KEYS:
        raise ValueError('must be an object with exactly "allowed_regions" and "recipients"')
    regions, entries = document["allowed_regions"], document["recipients"]
    if not isinstance(regions, list) or not regions or not all(map(_is_text, regions)):
        raise ValueError("allowed_regions must be a list of names, at least one")
    if not isinstance(entries, dict):
        raise ValueError("recipients must be an object of recipients by name")
    return Recipients(frozenset(regions), {name: _recipient(name, entry) for name, entry in entries.items()}, True)


def _recipient(name: str, entry: Any) -> Recipient:  # noqa: ANN401 - JSON
    kind, _, rest = name.partition(":")
    if kind not in KINDS or not rest or len(name) > MAX_TEXT:
        raise ValueError(f"recipients.{name}: a name is KIND:NAME, and KIND one of {', '.join(KINDS)}")
    if not isinstance(entry, dict) or set(entry) != {"region", "contract"} or not all(map(_is_text, entry.values())):
        raise ValueError(
            f"recipients.{name}: exactly region and contract, each a text of at most {MAX_TEXT} characters"
        )
    return Recipient(name.lower() if kind == "host" else name, entry["region"], entry["contract"])


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and len(value) <= MAX_TEXT
