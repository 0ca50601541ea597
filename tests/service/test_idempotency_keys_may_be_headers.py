"""Over REST the request_id may come as the header Idempotency-Key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.struct_pb2 import ListValue, Struct

from meshflow_grpc._gen.meshflow.v1.rest_service_pb2 import RunBody
from meshflow_grpc._gen.meshflow.v1.rest_service_pb2_grpc import RestServiceStub
from tests.service.conftest import failing

if TYPE_CHECKING:
    from tests.service.conftest import Service


def body(**fields: Any) -> Struct:
    """A JSON body as Envoy hands it over."""
    struct = Struct()
    struct.update(fields)
    return struct


def keyed(key: str) -> tuple[tuple[str, str], ...]:
    """The metadata that Envoy makes of the header."""
    return (("idempotency-key", key),)


async def test_the_same_key_is_the_same_run(service: Service) -> None:
    """In quotes or not, in a header or in the body, and whichever RPC starts the run."""
    rest = RestServiceStub(service.channel)
    first = await rest.RunJson(body(task="x"), metadata=keyed('"one"'))
    again = await rest.CreateRunJson(body(task="x"), metadata=keyed("one"))
    named = await rest.RunJson(body(task="x", requestId="one"))
    both = await rest.RunJson(body(task="x", request_id="one"), metadata=keyed("one"))
    absent = [event async for event in rest.StreamRunJson(body(task="x", request_id=None), metadata=keyed("one"))]
    assert {first.run_id, again.run_id, named.run_id, both.run_id, absent[-1].run_id} == {first.run_id}


async def test_a_fork_is_made_once(service: Service) -> None:
    """Its key is its own."""
    rest = RestServiceStub(service.channel)
    run = await rest.RunJson(body(task="x"))
    asked = RunBody(run_id=run.run_id, body=body(before_node="writer"))
    forks = [(await rest.ForkRunJson(asked, metadata=keyed("fork"))).run_id for _ in range(2)]
    assert forks[0] == forks[1] != run.run_id


@pytest.mark.parametrize(
    ("key", "fields", "named"),
    [
        ("one", {"request_id": "two"}, "Idempotency-Key"),
        ("one", {"requestId": "two"}, "Idempotency-Key"),
        ('""', {}, "request_id"),
        ("k" * 200, {}, "request_id"),
    ],
)
async def test_a_key_that_cannot_be_used_is_refused(
    service: Service, key: str, fields: dict[str, str], named: str
) -> None:
    """It is never left out."""
    refused = await failing(RestServiceStub(service.channel).RunJson(body(task="x", **fields), metadata=keyed(key)))
    assert (refused.code, refused.fields) == (grpc.StatusCode.INVALID_ARGUMENT, [named])


async def test_the_same_key_with_another_request_is_refused(service: Service) -> None:
    """As with request_id."""
    rest = RestServiceStub(service.channel)
    await rest.RunJson(body(task="x"), metadata=keyed("one"))
    refused = await failing(rest.RunJson(body(task="y"), metadata=keyed("one")))
    assert (refused.code, refused.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")


async def test_a_body_that_is_nested_too_deeply_is_called_so(service: Service) -> None:
    """Not ill-formed: the decoder's depth is bounded."""
    value = ListValue()
    for _ in range(60):
        outer = ListValue()
        outer.values.add().list_value.CopyFrom(value)
        value = outer
    deep = Struct()
    deep.fields["input"].list_value.CopyFrom(value)
    refused = await failing(RestServiceStub(service.channel).RunJson(deep))
    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert "nested too deeply" in refused.message
