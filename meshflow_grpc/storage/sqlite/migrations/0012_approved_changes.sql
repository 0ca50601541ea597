-- A second person's word for a definition under a policy. It never changes.
CREATE TABLE approved_changes (
    number          INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id       TEXT NOT NULL,
    workflow_digest TEXT NOT NULL,
    policy_digest   TEXT NOT NULL,
    name            TEXT NOT NULL,
    version         TEXT NOT NULL,
    authors         TEXT NOT NULL,
    approver        TEXT NOT NULL,
    comment         TEXT NOT NULL,
    create_time     TEXT NOT NULL,
    UNIQUE (tenant_id, workflow_digest, policy_digest)
);

CREATE TRIGGER approved_changes_not_changed BEFORE UPDATE ON approved_changes
BEGIN SELECT RAISE(ABORT, 'an approval of a change never changes'); END;
