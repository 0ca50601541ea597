-- Registered workflows. A version never changes; the newest of a name has the greatest number.
CREATE TABLE workflows (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id    TEXT NOT NULL,
    name         TEXT NOT NULL,
    version      TEXT NOT NULL,
    digest       TEXT NOT NULL,
    yaml         TEXT NOT NULL,
    description  TEXT NOT NULL,
    create_time  TEXT NOT NULL,
    principal_id TEXT NOT NULL,
    UNIQUE (tenant_id, name, version)
);

CREATE INDEX workflows_newest ON workflows (tenant_id, name, number);

CREATE TRIGGER workflows_not_changed BEFORE UPDATE ON workflows
BEGIN SELECT RAISE(ABORT, 'a registered workflow never changes'); END;
