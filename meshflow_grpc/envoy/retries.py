"""What Envoy may send again, by RPC: reads whenever they fail on the way, the rest only what no server began with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from meshflow_grpc.envoy.rest_routes import ApiMethod

RETRIES = 2
# Trailing metadata of refusals that may be made again of another server: see rpc.error_status.
RETRY_ELSEWHERE = "meshflow-retry-elsewhere"
_NEVER_ARRIVED = "connect-failure,refused-stream,reset-before-request"


def sidecar_retries(method: ApiMethod) -> dict[str, Any] | None:
    """Returns the retry policy where there is one server: reads alone, no probe, and nothing that streams."""
    if not method.read_only or method.streams or method.is_probe:
        return None
    return {"retry_on": f"unavailable,{_NEVER_ARRIVED}", "num_retries": RETRIES}


def edge_retries(method: ApiMethod) -> dict[str, Any]:
    """Returns the retry policy where there are several servers: every try goes to another one.

    What no server began with may go to any: its connection failed, or its server said so in RETRY_ELSEWHERE. Reads do no harm twice.
    A stream is tried again only before its first message.
    """
    policy: dict[str, Any] = {
        "retry_on": f"retriable-headers,{_NEVER_ARRIVED}",
        "retriable_headers": [{"name": RETRY_ELSEWHERE, "present_match": True}],
        "num_retries": RETRIES + 1,
        "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.5s"},
        "retry_host_predicate": [
            {
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
                },
            }
        ],
        # The least loaded of two is often the one that refuses: with few attempts it would be chosen again.
        "host_selection_retry_max_attempts": 32,
    }
    if method.read_only:
        # A server that stops answers CANCELLED for calls that it had received and not begun with.
        policy["retry_on"] = f"unavailable,cancelled,reset,{policy['retry_on']}"
    return policy
