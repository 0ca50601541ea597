"""A run kept in a checkpoint store is encrypted there with the payload key, and refused without it."""

from __future__ import annotations

import orjson
import pytest

from meshflow_grpc.domain.errors import LogInconsistentError, PayloadKeyUnavailableError
from meshflow_grpc.ledger.payload_cipher import NO_KEYS, PayloadKeys
from meshflow_grpc.storage.checkpoint.memory import MemoryCheckpoints
from meshflow_grpc.storage.checkpoint.storage import CheckpointedStorage
from tests.conformance.drafts import TENANT, step, verified, whole_run

KEYS = PayloadKeys((b"k" * 32,))
ROTATED = PayloadKeys((b"n" * 32, b"k" * 32))


async def kept(keys: PayloadKeys, steps: int = 3) -> MemoryCheckpoints:
    """A store with one finished run."""
    store = MemoryCheckpoints()
    await whole_run(await CheckpointedStorage.open(store, "run_1", keys), "run_1", steps)
    return store


@pytest.mark.parametrize("steps", [3, 100], ids=["journal", "snapshot"])
async def test_no_record_holds_the_text(steps: int) -> None:
    """Nor anything else of the run; the key in force later reads it, and goes on."""
    plain, sealed = await kept(NO_KEYS, steps), await kept(KEYS, steps)
    said = str(step("run_1", 2).output).encode()
    assert any(orjson.dumps(said.decode())[1:-1] in each for each in (await plain.load("run_1")).records)
    assert not [each for each in (await sealed.load("run_1")).records if b"node_" in each or b'{\\"out' in each]

    storage = await CheckpointedStorage.open(sealed, "run_1", ROTATED)
    assert (await storage.get_run(TENANT, "run_1")).output == "done"
    assert await verified(storage, "run_1")


@pytest.mark.parametrize("keys", [NO_KEYS, PayloadKeys((b"x" * 32,))], ids=["no key", "another key"])
async def test_without_the_key_it_is_refused_by_name(keys: PayloadKeys) -> None:
    """The key's id is told."""
    store = await kept(KEYS)
    with pytest.raises(PayloadKeyUnavailableError, match=KEYS.ids[0]):
        await CheckpointedStorage.open(store, "run_1", keys)


async def test_a_record_that_was_changed_is_found() -> None:
    """Also one of another run."""
    store = await kept(KEYS)
    records = (await store.load("run_1")).records
    document = orjson.loads(records[0])
    document["sealed"] = document["sealed"][:-8] + "AAAAAAA="
    for run_id, record in (("run_2", orjson.dumps(document)), ("run_3", records[0])):
        await store.append(run_id, 0, record)
        with pytest.raises(LogInconsistentError, match="damaged"):
            await CheckpointedStorage.open(store, run_id, KEYS)
