"""The Python client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from meshflow_grpc.client import Client, Connection, MeshflowCallError, to_json
from meshflow_grpc.domain.errors import InvalidRequestError
from tests.contract.faces import Answer, error


def plain_request(request: dict[str, Any]) -> dict[str, Any]:
    """A request as Python, REST and the command line write it: a list of tools is a list."""
    policy = request.get("policy")
    if not isinstance(policy, dict):
        return request
    plain = {key: item["names"] if isinstance(item, dict) and "names" in item else item for key, item in policy.items()}
    return {**request, "policy": plain}


class PythonFace:
    """``meshflow_grpc.client.Client``, one per token."""

    name = "python"

    def __init__(self, address: str) -> None:
        self._address = address
        self._clients: dict[str | None, Client] = {}

    def call(
        self, call: str, args: dict[str, Any], token: str | None, on_event: Callable[[Any], None] | None = None
    ) -> Answer:
        """Calls the method of that name."""
        if token not in self._clients:
            self._clients[token] = Client(Connection(self._address, token=token))
        client = self._clients[token]
        args = dict(args)
        args |= plain_request(args.pop("request", {}))
        answer = Answer()
        try:
            if call in ("stream_run", "watch_run"):
                until = args.pop("until", None)
                for event in getattr(client, call)(**args):
                    answer.events.append(to_json(event))
                    if on_event is not None:
                        on_event(answer.events[-1])
                    if event.event_type == until:
                        break
            else:
                answer.result = to_json(getattr(client, call)(**args))
        except InvalidRequestError as refused:
            violations = [{"field": each.field, "description": each.description} for each in refused.violations]
            return error("UNSENDABLE", refused.reason, violations, refused.message)
        except MeshflowCallError as failed:
            violations = [{"field": each.field, "description": each.description} for each in failed.violations]
            found = error(failed.code, failed.reason, violations, failed.message)
            found.events = answer.events
            return found
        return answer

    def close(self) -> None:
        """Closes every connection."""
        for client in self._clients.values():
            client.close()
