-- Runs: the projection of their entries. Entries: the append-only ledger; record is the authority, the other columns index it.
CREATE TABLE runs (
    run_id              TEXT    NOT NULL PRIMARY KEY,
    tenant_id           TEXT    NOT NULL,
    workflow            TEXT    NOT NULL,
    status              TEXT    NOT NULL,
    policy_digest       TEXT    NOT NULL,
    policy              TEXT    NOT NULL,
    create_time         TEXT    NOT NULL,
    update_time         TEXT    NOT NULL,
    principal_id        TEXT    NOT NULL,
    output              TEXT    NOT NULL,
    output_salt         TEXT,
    input_tokens        INTEGER NOT NULL,
    output_tokens       INTEGER NOT NULL,
    cost_nano_usd       INTEGER NOT NULL,
    carbon_ug           INTEGER NOT NULL,
    steps               INTEGER NOT NULL,
    entries             INTEGER NOT NULL,
    head_hash           TEXT    NOT NULL,
    blocked_by          TEXT,
    reason              TEXT,
    reason_salt         TEXT,
    session_id          TEXT,
    request_id          TEXT,
    request_fingerprint TEXT    NOT NULL,
    labels              TEXT    NOT NULL,
    header_salt         TEXT
);

CREATE UNIQUE INDEX runs_request ON runs (tenant_id, request_id) WHERE request_id IS NOT NULL;
CREATE INDEX runs_tenant ON runs (tenant_id, run_id);
CREATE INDEX runs_status ON runs (tenant_id, status, run_id);
CREATE INDEX runs_unfinished ON runs (run_id) WHERE status = 'running';

CREATE TABLE ledger_entries (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id      TEXT    NOT NULL,
    tenant_id   TEXT    NOT NULL,
    sequence    INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    node_id     TEXT    NOT NULL,
    step_id     TEXT    NOT NULL,
    attempt     INTEGER NOT NULL,
    time        TEXT    NOT NULL,
    input       TEXT,
    output      TEXT,
    input_salt  TEXT,
    output_salt TEXT,
    prev_hash   TEXT    NOT NULL,
    hash        TEXT    NOT NULL,
    record      BLOB    NOT NULL
);

CREATE UNIQUE INDEX ledger_entries_place ON ledger_entries (run_id, sequence);
CREATE UNIQUE INDEX ledger_entries_step ON ledger_entries (run_id, step_id, attempt, kind);
