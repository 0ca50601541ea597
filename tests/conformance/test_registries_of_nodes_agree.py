"""Every registry keeps the same promises: ports.mesh.NodeRegistry, word by word."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.domain.errors import LedgerUnavailableError
from meshflow_grpc.domain.mesh import Concern, MeshNode
from meshflow_grpc.storage.mesh_registry.factory import open_registry, registry_of
from meshflow_grpc.storage.mesh_registry.look import registered_nodes
from tests.postgres_cluster import postgres_cluster

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from meshflow_grpc.ports.mesh import NodeRegistry
    from tests.postgres_cluster import PostgresCluster

NODE = MeshNode(
    node_id="01900000-0000-7000-8000-000000000001",
    slug="build.ai",
    tenant_id="",
    endpoints=("127.0.0.1:8765", "[::1]:8765"),
    concerns=(Concern("build", 10), Concern("review")),
    public_key='{"kty":"OKP"}',
    tls=True,
    version="1.2.3",
    registered_at="2026-01-01T00:00:00.000Z",
    heartbeat_at="2026-01-01T00:00:00.000Z",
    ttl_s=30.0,
)
LATER = "2026-01-01T00:00:10.000Z"


def node(number: int, **fields: object) -> MeshNode:
    """Another node with an id of its own."""
    return replace(NODE, node_id=f"01900000-0000-7000-8000-{number:012}", **fields)  # type: ignore[arg-type]


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty registry is."""
    if request.param == "postgres":
        cluster: PostgresCluster = request.getfixturevalue("postgres")
        return cluster.new_database()
    return "memory:" if request.param == "memory" else str(tmp_path / "mesh" / "nodes.db")


@pytest.fixture
async def registry(address: str) -> AsyncIterator[NodeRegistry]:
    """An empty registry, closed afterwards."""
    opened = await open_registry(address)
    yield opened
    await opened.close()


async def test_a_node_comes_back_as_it_was_registered(registry: NodeRegistry) -> None:
    """Every field, the order of endpoints and concerns included."""
    plain = node(2, slug="marco.ai", public_key=None, tls=False, concerns=(), endpoints=("h:1",))

    assert await registry.register(NODE) == NODE
    assert await registry.register(plain) == plain
    assert await registry.nodes() == (NODE, plain)


async def test_a_node_that_registers_again_stays_the_same_node(registry: NodeRegistry) -> None:
    """Its id and first registration are kept; endpoints, concerns and heartbeat are the new ones."""
    await registry.register(NODE)
    again = node(2, endpoints=("10.0.0.1:80",), concerns=(), registered_at=LATER, heartbeat_at=LATER)

    kept = await registry.register(again)

    assert kept == replace(again, node_id=NODE.node_id, registered_at=NODE.registered_at)
    assert await registry.nodes() == (kept,)


async def test_the_same_slug_of_two_tenants_is_two_nodes(registry: NodeRegistry) -> None:
    """A tenant's own node does not replace the one that serves all."""
    await registry.register(NODE)
    own = await registry.register(node(2, tenant_id="acme"))

    assert await registry.nodes() == (NODE, own)


async def test_nodes_are_in_the_order_of_slug_and_tenant(registry: NodeRegistry) -> None:
    """By code points, whatever the database's collation."""
    for number, (slug, tenant) in enumerate([("b", "z"), ("a-b", ""), ("b", ""), ("a.b", ""), ("a", "Z"), ("a", "a")]):
        await registry.register(node(number, slug=slug, tenant_id=tenant))

    listed = [(each.slug, each.tenant_id) for each in await registry.nodes()]
    assert listed == [("a", "Z"), ("a", "a"), ("a-b", ""), ("a.b", ""), ("b", ""), ("b", "z")]


async def test_a_heartbeat_is_kept_and_changes_nothing_else(registry: NodeRegistry) -> None:
    """Only of the node that it is of."""
    await registry.register(NODE)
    other = await registry.register(node(2, slug="marco.ai"))

    assert await registry.heartbeat(NODE.node_id, LATER) is True
    assert await registry.nodes() == (replace(NODE, heartbeat_at=LATER), other)


async def test_a_node_that_is_gone_is_told_so_by_its_heartbeat(registry: NodeRegistry) -> None:
    """It registers again then; removing what is gone is no error."""
    await registry.register(NODE)
    await registry.remove(NODE.node_id)
    await registry.remove(NODE.node_id)

    assert await registry.heartbeat(NODE.node_id, LATER) is False
    assert await registry.nodes() == ()


async def test_a_removed_node_gets_a_new_id_when_it_comes_back(registry: NodeRegistry) -> None:
    """What it was before is forgotten."""
    await registry.register(NODE)
    await registry.remove(NODE.node_id)

    assert (await registry.register(node(2))).node_id == node(2).node_id


async def test_nodes_that_register_at_once_under_one_slug_are_one(registry: NodeRegistry) -> None:
    """All get the id of the first."""
    kept = await asyncio.gather(*(registry.register(node(number)) for number in range(1, 9)))

    assert len({each.node_id for each in kept}) == 1
    assert len(await registry.nodes()) == 1


async def test_a_closed_registry_says_so(registry: NodeRegistry) -> None:
    """Closing twice is no error."""
    await registry.close()
    await registry.close()

    with pytest.raises(LedgerUnavailableError, match="registry of nodes"):
        await registry.nodes()


async def test_nodes_of_several_processes_find_each_other(address: str) -> None:
    """Two openings of one file or database, opened at once; what one writes the other reads."""
    if address == "memory:":
        pytest.skip("memory is shared with nobody")
    one, other = await asyncio.gather(open_registry(address), open_registry(address))
    await one.register(NODE)
    await other.register(node(2, slug="marco.ai"))

    assert [each.slug for each in await one.nodes()] == ["build.ai", "marco.ai"]
    assert await one.nodes() == await other.nodes()
    await one.close()
    await other.close()


async def test_a_row_that_cannot_be_read_does_not_hide_the_others(tmp_path: Path) -> None:
    """Written by hand, or by another version."""
    file = tmp_path / "nodes.db"
    registry = await open_registry(str(file))
    await registry.register(NODE)
    with closing(sqlite3.connect(file)) as connection, connection:
        for number, (beaten, body) in enumerate((("soon", "{}"), (LATER, "{}"), (LATER, "not json"), (LATER, "[]"))):
            row = (f"id-{number}", f"n{number}", "", LATER, beaten, body)
            connection.execute("INSERT INTO mesh_nodes VALUES (?, ?, ?, ?, ?, ?)", row)

    assert await registry.nodes() == (NODE,)


async def test_the_file_is_its_owners(tmp_path: Path) -> None:
    """Endpoints are nobody else's business; folders are made."""
    file = tmp_path / "deep" / "nodes.db"
    await open_registry(str(file))

    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_a_registry_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """A folder, a file that is no database, and an address that is none."""
    text = tmp_path / "text"
    text.write_text("not a database" * 100)

    for address in (str(tmp_path), str(text), "postgresql://nobody@127.0.0.1:1/none"):
        with pytest.raises(LedgerUnavailableError, match="registry of nodes"):
            await open_registry(address)


@pytest.mark.postgres
async def test_an_outage_of_the_database_is_told_and_survived() -> None:
    """Calls fail as unavailable while it is down, and go on by themselves after it is back."""
    with postgres_cluster() as own:  # the one that tests share would have all their databases to recover
        registry = await open_registry(own.new_database())
        await registry.register(NODE)

        own.stop()
        with pytest.raises(LedgerUnavailableError, match="registry of nodes"):
            await registry.nodes()
        own.start()

        assert await registry.nodes() == (NODE,)
        await registry.close()


def test_the_ledgers_database_is_the_registry_unless_another_is_named() -> None:
    """A ledger in a file is no place for others, so that such a node is alone."""
    assert registry_of("nodes.db", "postgresql://db/ledger") == "nodes.db"
    assert registry_of(None, "postgresql://db/ledger") == "postgresql://db/ledger"
    assert registry_of(None, "ledger.db") == "memory:"


@pytest.mark.parametrize("address", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
async def test_looking_at_a_registry_finds_the_nodes_and_makes_nothing(address: str) -> None:
    """None before the first node made it, then what is in it."""
    assert await registered_nodes(address) is None
    assert await registered_nodes(address) is None
    opened = await open_registry(address)
    await opened.register(NODE)
    assert await registered_nodes(address) == (NODE,)
    await opened.close()
