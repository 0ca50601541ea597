"""The text in an evidence bundle that tells its reader what it is and how to verify it."""

from __future__ import annotations

_TEXT = """\
Evidence of {origin}: {runs} run(s), {entries} entries.
Exported: {exported}

Verify it, offline, with keys you got from elsewhere (not from keys.txt in here):

    meshflow audit verify BUNDLE --trust trusted-keys.txt
    python -m meshflow_grpc.audit BUNDLE --trust trusted-keys.txt

records.jsonl      the entries' records, byte for byte as in the ledger; the authority
payloads.jsonl     what the records commit to: salt and payload, or "erased", or "withheld"; never encrypted, keep it as the ledger's
runs.jsonl         each run as the ledger states it; verified against its records
approvals.jsonl    the decisions of people, copied from the records
policies/          the policies in force, by the digest that the records name
checkpoints/       signed tree heads of the log (C2SP tlog-checkpoint)
proofs/            proofs that entries are in the log (C2SP tlog-proof)
consistency/       proofs that the log only grew from one head to the next (C2SP tlog-witness add-checkpoint)
peers/             bundles of the runs that peers of the mesh made for steps of these runs
keys.txt           the public keys the heads claim to be signed with
manifest.json      names, sizes and SHA-256 of all other files

The format is described in docs/evidence-bundle.md of meshflow-grpc.
"""


def readme(origin: str, exported: str, runs: int, entries: int) -> bytes:
    """Returns README.txt; ``exported`` says who made the bundle and when."""
    return _TEXT.format(origin=origin, exported=exported, runs=runs, entries=entries).encode()
