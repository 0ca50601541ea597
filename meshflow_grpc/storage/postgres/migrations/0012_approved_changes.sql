-- A second person's word for a definition under a policy. It never changes.
CREATE TABLE approved_changes (
    number          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id       text NOT NULL,
    workflow_digest text NOT NULL,
    policy_digest   text NOT NULL,
    name            text NOT NULL,
    version         text NOT NULL,
    authors         text NOT NULL,
    approver        text NOT NULL,
    comment         text NOT NULL,
    create_time     text NOT NULL,
    UNIQUE (tenant_id, workflow_digest, policy_digest)
);

CREATE TRIGGER approved_changes_not_changed BEFORE UPDATE ON approved_changes
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_the_log();
