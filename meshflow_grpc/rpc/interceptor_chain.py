"""The interceptors in their order, and handlers wrapped by them once, at start-up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message import DecodeError

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.rpc.interceptors.access_log import AccessLog
from meshflow_grpc.rpc.interceptors.authentication import Authentication
from meshflow_grpc.rpc.interceptors.error_mapping import ErrorMapping
from meshflow_grpc.rpc.interceptors.request_id import RequestId

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from meshflow_grpc.rpc.handler import Interceptor, Streaming, Unary
    from meshflow_grpc.rpc.interceptors.access_log import RpcObserver
    from meshflow_grpc.rpc.interceptors.authentication import Authenticator
    from meshflow_grpc.rpc.interceptors.calls_under_way import CallsUnderWay


# Google's decoder takes 100 messages inside each other; each array or object of a JSON body is several.
_MALFORMED = "is not a well-formed message: it breaks off, is nested too deeply, or a text is not UTF-8"


def interceptors(
    authenticator: Authenticator, observe: RpcObserver, under_way: CallsUnderWay
) -> tuple[Interceptor, ...]:
    """Outermost first."""
    return (
        RequestId(),  # first, so that every log line and error names the request
        under_way,  # before anything that waits
        AccessLog(observe),  # sees the outcome of everything inside it
        ErrorMapping(),  # turns what authentication and handlers raise into typed statuses
        Authentication(authenticator),  # last, so that no handler runs without a principal
    )


class _Collector:
    """Stands for a server while generated code registers a servicer, to get at its handlers."""

    def __init__(self) -> None:
        self.services: dict[str, Mapping[str, grpc.RpcMethodHandler[Any, Any]]] = {}

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """The same handlers again; not needed."""

    def add_registered_method_handlers(
        self, service: str, handlers: Mapping[str, grpc.RpcMethodHandler[Any, Any]]
    ) -> None:
        """Takes a service's handlers by method name."""
        self.services[service] = handlers


def handlers_of(
    register: Callable[[Any, Any], None], servicer: object
) -> tuple[str, Mapping[str, grpc.RpcMethodHandler[Any, Any]]]:
    """Name of a servicer's service, and its handlers by method name; ``register`` is the generated add_…_to_server."""
    collector = _Collector()
    register(servicer, collector)
    ((service, handlers),) = collector.services.items()
    return service, handlers


def wrapped_handlers(
    register: Callable[[Any, Any], None], servicer: object, chain: tuple[Interceptor, ...]
) -> grpc.GenericRpcHandler:
    """A servicer's handlers inside the chain; ``register`` is the generated add_…_to_server."""
    service, handlers = handlers_of(register, servicer)
    wrapped = {name: _wrap(f"/{service}/{name}", handler, chain) for name, handler in handlers.items()}
    return grpc.method_handlers_generic_handler(service, wrapped)


def _wrap(method: str, handler: Any, chain: tuple[Interceptor, ...]) -> grpc.RpcMethodHandler[Any, Any]:
    behaviour = _decoding(handler)
    for interceptor in reversed(chain):
        wrap = interceptor.streaming if handler.response_streaming else interceptor.unary
        behaviour = wrap(method, behaviour)
    make = grpc.unary_stream_rpc_method_handler if handler.response_streaming else grpc.unary_unary_rpc_method_handler
    return make(behaviour, request_deserializer=None, response_serializer=handler.response_serializer)


def _decoding(handler: Any) -> Any:
    """A handler of undecoded requests: gRPC would answer bytes it cannot decode with UNKNOWN and the text of our exception."""
    decode = handler.request_deserializer
    if handler.response_streaming:
        stream: Streaming = handler.unary_stream
        return lambda request, context: stream(_decoded(decode, request), context)
    unary: Unary = handler.unary_unary
    return lambda request, context: unary(_decoded(decode, request), context)


def _decoded(decode: Callable[[bytes], Any], request: bytes) -> Any:
    try:
        return decode(request)
    except DecodeError:
        problem = FieldViolation("request", _MALFORMED)
        raise InvalidRequestError.of(problem) from None
