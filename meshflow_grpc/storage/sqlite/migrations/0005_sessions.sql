-- Runs of a session, for what the session has spent.
CREATE INDEX runs_session ON runs (tenant_id, session_id) WHERE session_id IS NOT NULL;
