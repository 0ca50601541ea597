"""The key of an encrypted run is destroyed with what it opens, on every store."""

from __future__ import annotations

from meshflow_grpc.ledger.deletion import new_deletion
from meshflow_grpc.ledger.erasure import new_erasure
from meshflow_grpc.storage.sealed import SealedStorage
from tests.conformance.drafts import TENANT, time_of, verified, whole_run

RUNS = ("run_1", "run_2", "run_3")


async def test_an_erasure_and_a_deletion_destroy_the_key(storage: SealedStorage) -> None:
    """That of the third run stays; a store without encryption has none at all."""
    for run_id in RUNS:
        await whole_run(storage, run_id)
    encrypted = bool(await storage.store.payload_keys(RUNS))
    await storage.erase_payloads(new_erasure("run_1", TENANT, time_of(200), "p-dpo", "gdpr art. 17"))
    await storage.delete_run(new_deletion("run_2", TENANT, time_of(201), "p-dpo", "gdpr art. 17"))

    assert list(await storage.store.payload_keys(RUNS)) == (["run_3"] if encrypted else [])
    assert await verified(storage, "run_1")
    assert await verified(storage, "run_3")
    assert (await storage.get_run(TENANT, "run_3")).output == "done"
