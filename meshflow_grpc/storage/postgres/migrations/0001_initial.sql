-- Runs: the projection of their entries. Entries: the append-only ledger; record is the authority, the other columns index it.
-- output and reason of runs are bytes (UTF-8), because text here cannot hold U+0000.
CREATE TABLE runs (
    run_id              text COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id           text   NOT NULL,
    workflow            text   NOT NULL,
    status              text   NOT NULL,
    policy_digest       text   NOT NULL,
    policy              text   NOT NULL,
    create_time         text   NOT NULL,
    update_time         text   NOT NULL,
    principal_id        text   NOT NULL,
    output              bytea  NOT NULL,
    output_salt         text,
    input_tokens        bigint NOT NULL,
    output_tokens       bigint NOT NULL,
    cost_nano_usd       bigint NOT NULL,
    carbon_ug           bigint NOT NULL,
    steps               bigint NOT NULL,
    entries             bigint NOT NULL,
    head_hash           text   NOT NULL,
    blocked_by          text,
    reason              bytea,
    reason_salt         text,
    session_id          text,
    request_id          text,
    request_fingerprint text   NOT NULL,
    labels              text   NOT NULL,
    header_salt         text
);

CREATE UNIQUE INDEX runs_request ON runs (tenant_id, request_id) WHERE request_id IS NOT NULL;
CREATE INDEX runs_tenant ON runs (tenant_id, run_id);
CREATE INDEX runs_status ON runs (tenant_id, status, run_id);
CREATE INDEX runs_unfinished ON runs (run_id) WHERE status = 'running';

CREATE TABLE ledger_entries (
    seq         bigint NOT NULL PRIMARY KEY,
    run_id      text COLLATE "C" NOT NULL,
    tenant_id   text   NOT NULL,
    sequence    bigint NOT NULL,
    kind        text   NOT NULL,
    node_id     text   NOT NULL,
    step_id     text   NOT NULL,
    attempt     bigint NOT NULL,
    time        text   NOT NULL,
    input       text,
    output      text,
    input_salt  text,
    output_salt text,
    prev_hash   text   NOT NULL,
    hash        text   NOT NULL,
    record      bytea  NOT NULL
);

CREATE UNIQUE INDEX ledger_entries_place ON ledger_entries (run_id, sequence);
CREATE UNIQUE INDEX ledger_entries_step ON ledger_entries (run_id, step_id, attempt, kind);

-- The highest seq ever given, also when its row is gone.
CREATE TABLE ledger_state (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    last_seq  bigint  NOT NULL
);
INSERT INTO ledger_state (last_seq) VALUES (0);
