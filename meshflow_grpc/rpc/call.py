"""What interceptors and servicers know of the call under way."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from meshflow_grpc.domain.run import Principal


@dataclass(slots=True)
class Call:
    """One RPC: its full method name, its request id, the text metadata and the request it came with, and who calls once that is known.

    ``connection`` tells what TLS knows of the peer of the connection, in gRPC's names; nothing where there is no TLS.
    """

    method: str
    request_id: str
    metadata: Mapping[str, str]
    principal: Principal | None = None
    code: str = "OK"
    connection: Callable[[], Mapping[str, Iterable[bytes]]] = dict
    request: bytes = b""


_current: ContextVar[Call] = ContextVar("meshflow_call")


def begin(call: Call) -> None:
    """Makes the call the current one of this task; grpc.aio gives every RPC a task of its own."""
    _current.set(call)


def current_call() -> Call:
    """The call of this task."""
    return _current.get()


def current_principal() -> Principal:
    """Who calls; authentication has run for every RPC but the public ones."""
    principal = _current.get().principal
    if principal is None:
        message = "the RPC asked for a principal but is listed as public"
        raise RuntimeError(message)
    return principal
