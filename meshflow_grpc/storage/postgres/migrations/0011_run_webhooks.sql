-- Deliveries that are owed when a run ends; a row goes with its delivery.
CREATE TABLE run_webhooks (
    run_id      text COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id   text NOT NULL,
    url         text NOT NULL,
    create_time text COLLATE "C" NOT NULL,
    due_time    text COLLATE "C" NOT NULL,
    attempts    integer NOT NULL DEFAULT 0
);

CREATE INDEX run_webhooks_due ON run_webhooks (due_time);

-- The newest runs of a session, for what the next one is told; it also serves what the session has spent.
DROP INDEX runs_session;
CREATE INDEX runs_session ON runs (tenant_id, session_id, run_id) WHERE session_id IS NOT NULL;
