"""What was erased is in no file of the PostgreSQL database once its tables are written anew; samples of it were never taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest

from meshflow_grpc.ledger.deletion import new_deletion
from meshflow_grpc.ledger.erasure import new_erasure
from meshflow_grpc.storage.factory import open_storage
from tests.conformance.drafts import ENDED, STEP_USAGE, TENANT, RunChange, create, finished, step, time_of, verified

if TYPE_CHECKING:
    from meshflow_grpc.ports.storage import Storage
    from tests.postgres_cluster import PostgresCluster

pytestmark = pytest.mark.postgres
PERSON = "Erika_Mustermann_7319"
TABLES = ("ledger_entries", "runs", "payload_keys")


async def told(storage: Storage, run_id: str) -> None:
    """A run that speaks of a person wherever it can, in short texts and in one that is stored apart."""
    await create(storage, run_id, labels={"client": PERSON}, session_id=PERSON + run_id, request_id=PERSON + run_id)
    for place, filling in enumerate(("", "", "".join(f"{n:x}" for n in range(4000))), 1):
        draft = step(run_id, place)._replace(input=f'{{"of":"{PERSON}"}}', output=f'{{"out":"{PERSON}{filling}"}}')
        await storage.append(run_id, (draft,), RunChange(usage=STEP_USAGE))
    await storage.append(run_id, (finished(run_id),), ENDED._replace(output=PERSON, reason=PERSON))


async def test_an_erased_persons_text_is_in_no_file_of_the_database(postgres: PostgresCluster) -> None:
    """After ANALYZE had read it, an anonymization, a deletion, and VACUUM FULL as the documents say; what is left verifies."""
    url = postgres.new_database()
    storage = await open_storage(url, pool_min=1, pool_max=2)
    for run_id in ("run_1", "run_2"):
        await told(storage, run_id)
    connection = await asyncpg.connect(url)
    (oid,) = await connection.fetchrow("SELECT oid FROM pg_database WHERE datname = current_database()")
    await connection.execute("ANALYZE")
    await connection.execute("CHECKPOINT")
    assert postgres.files_with(PERSON.encode(), oid)
    samples = "SELECT attname FROM pg_stats WHERE strpos(concat(most_common_vals, histogram_bounds), $1) > 0"
    for form in (PERSON, PERSON.encode().hex()):
        assert await connection.fetch(samples, form) == []

    await storage.erase_payloads(new_erasure("run_1", TENANT, time_of(300), "p-dpo", "gdpr art. 17"))
    await storage.delete_run(new_deletion("run_2", TENANT, time_of(300), "p-dpo", "gdpr art. 17"))
    for table in TABLES:
        await connection.execute(f"VACUUM FULL {table}")
    await connection.execute("CHECKPOINT")
    await connection.close()
    assert postgres.files_with(PERSON.encode(), oid) == []
    assert await verified(storage, "run_1")
    await storage.close()
