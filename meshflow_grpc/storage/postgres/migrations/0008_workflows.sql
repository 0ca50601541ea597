-- Registered workflows. A version never changes; the newest of a name has the greatest number.
CREATE TABLE workflows (
    number       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id    text NOT NULL,
    name         text NOT NULL,
    version      text NOT NULL,
    digest       text NOT NULL,
    yaml         text NOT NULL,
    description  text NOT NULL,
    create_time  text NOT NULL,
    principal_id text NOT NULL,
    UNIQUE (tenant_id, name, version)
);

CREATE INDEX workflows_newest ON workflows (tenant_id, name, number);

CREATE TRIGGER workflows_not_changed BEFORE UPDATE ON workflows
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_the_log();
