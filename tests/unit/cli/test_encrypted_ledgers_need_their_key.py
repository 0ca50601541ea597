"""``meshflow ledger`` on an encrypted ledger: with the key as on any other, without it a clear refusal."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.config import ConfigurationError
from meshflow_grpc.config.signing import write_key_file
from meshflow_grpc.graph.checkpoints import keeper_of
from meshflow_grpc.ledger.payload_cipher import PayloadKeys
from meshflow_grpc.storage.factory import open_storage
from tests.conformance.drafts import TENANT, whole_run
from tests.fakes.log_keys import KEY, publisher

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.conftest import Finished

    Meshflow = Callable[..., Finished]

OLD, NEW = b"o" * 32, b"n" * 32


def text_of(*keys: bytes) -> str:
    """Keys as the variable holds them."""
    return ",".join(base64.b64encode(key).decode() for key in keys)


@pytest.fixture
def ledger(tmp_path: Path) -> tuple[str, ...]:
    """The options that name an encrypted ledger of one run."""
    path = str(tmp_path / "ledger.db")

    async def record() -> None:
        storage = await open_storage(path, payload_keys=PayloadKeys((OLD,)))
        await whole_run(storage, "run_1")
        await publisher(storage).publish()
        await storage.close()

    asyncio.run(record())
    write_key_file(tmp_path / "ledger.db.signing-key", KEY)
    return "--db", path, "--tenant", TENANT


def test_with_the_key_everything_is_read(
    ledger: tuple[str, ...], meshflow: Meshflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entries are shown and exported as they were written, and verify."""
    monkeypatch.setenv("MESHFLOW_PAYLOAD_KEY", text_of(OLD))
    shown = json.loads(meshflow("ledger", "show", "run_1", *ledger, "-o", "json").out)
    assert [entry["input"] for entry in shown[1:4]] == ['{"in":1}', '{"in":2}', '{"in":3}']
    assert '{"in":2}' in json.loads(meshflow("ledger", "export", "run_1", *ledger).out)["entries"][2]["input"]
    assert "valid" in meshflow("ledger", "verify", "run_1", *ledger).out


@pytest.mark.parametrize("key", ["", text_of(NEW)], ids=["no key", "another key"])
@pytest.mark.parametrize(
    "command", [("show", "run_1"), ("export", "run_1"), ("verify", "run_1"), ("diff", "run_1", "run_1")]
)
def test_without_the_key_commands_say_which_is_missing(
    ledger: tuple[str, ...],
    meshflow: Meshflow,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    command: tuple[str, ...],
) -> None:
    """By its id, with the variable to set; nothing is printed as if it were empty."""
    monkeypatch.setenv("MESHFLOW_PAYLOAD_KEY", key)
    refused = meshflow("ledger", *command, *ledger)
    assert (refused.code, refused.out) == (2, "")
    assert PayloadKeys((OLD,)).ids[0] in refused.err
    assert "MESHFLOW_PAYLOAD_KEY_FILE" in refused.err


def test_rewrapping_ends_a_rotation(
    ledger: tuple[str, ...], meshflow: Meshflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Afterwards the new key alone reads the ledger; without any key the command says what to set."""
    assert "MESHFLOW_PAYLOAD_KEY" in meshflow("ledger", "rewrap", *ledger[:2]).err
    monkeypatch.setenv("MESHFLOW_PAYLOAD_KEY", text_of(NEW, OLD))
    assert "1 keys wrapped anew" in meshflow("ledger", "rewrap", *ledger[:2]).out
    monkeypatch.setenv("MESHFLOW_PAYLOAD_KEY", text_of(NEW))
    assert meshflow("ledger", "show", "run_1", *ledger).code == 0


def test_an_auditor_needs_no_payload_key(
    ledger: tuple[str, ...], meshflow: Meshflow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The bundle is made with the key and verified without it."""
    bundle, trusted = tmp_path / "evidence.tar", tmp_path / "keys"
    trusted.write_text(KEY.verifier.vkey, encoding="utf-8")
    monkeypatch.setenv("MESHFLOW_PAYLOAD_KEY", text_of(OLD))
    made = meshflow("ledger", "evidence", "run_1", "--out", str(bundle), *ledger)
    assert made.code == 0, made.err
    monkeypatch.delenv("MESHFLOW_PAYLOAD_KEY")
    verified = meshflow("audit", "verify", str(bundle), "--trust", str(trusted), "--run", "run_1")
    checks = dict(line.split()[1:3] for line in verified.out.splitlines()[:12])
    assert checks["payloads"] == "ok", verified.out
    assert [name for name, verdict in checks.items() if verdict == "FAILED"] == ["policies"], verified.out


@pytest.mark.parametrize(("backend", "options"), [("redis", {"redis_url": "redis://h"}), ("s3", {"s3_bucket": "b"})])
def test_a_store_that_does_not_encrypt_is_refused_where_a_key_is_set(
    monkeypatch: pytest.MonkeyPatch, backend: str, options: dict[str, str]
) -> None:
    """Rather than keep in the clear what the operator wants encrypted."""
    addresses = {"db_path": None, "redis_url": None, "postgres_url": None, "s3_bucket": None, **options}
    keeper_of(backend, **addresses, s3_prefix="")
    monkeypatch.setenv("MESHFLOW_PAYLOAD_KEY", text_of(OLD))
    with pytest.raises(ConfigurationError, match="does not encrypt payloads"):
        keeper_of(backend, **addresses, s3_prefix="")
