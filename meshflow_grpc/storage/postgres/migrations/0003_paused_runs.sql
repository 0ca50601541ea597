-- Paused runs of all tenants, for the sweep that lets approvals expire.
CREATE INDEX runs_paused ON runs (run_id) WHERE status = 'paused';
