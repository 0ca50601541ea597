-- Of a deleted run its tombstone remains; the id is never used again.
CREATE INDEX ledger_entries_tombstones ON ledger_entries (seq) WHERE kind = 'run_deleted';

CREATE TRIGGER deleted_runs_stay_deleted BEFORE INSERT ON runs
WHEN EXISTS (SELECT 1 FROM ledger_entries WHERE run_id = NEW.run_id)
BEGIN SELECT RAISE(ABORT, 'the run was deleted: its id is not used again'); END;

-- The tombstone of a run is for ever.
CREATE TRIGGER tombstones_not_deleted BEFORE DELETE ON ledger_entries WHEN OLD.kind = 'run_deleted'
BEGIN SELECT RAISE(ABORT, 'a tombstone is not deleted'); END;

CREATE TRIGGER tombstones_not_changed BEFORE UPDATE ON ledger_entries WHEN OLD.kind = 'run_deleted'
BEGIN SELECT RAISE(ABORT, 'a tombstone is not changed'); END;

-- Forks by the run they left, for erasing them with it. The record is canonical JSON: inside strings the quotes are escaped.
CREATE INDEX ledger_entries_forks ON ledger_entries (tenant_id, run_id)
WHERE sequence = 1 AND instr(record, CAST('"forked_from":{' AS BLOB)) > 0;

-- An erasure that is recorded also removes session, request and labels from the header of an immutable run.
DROP TRIGGER immutable_runs_keep_their_header;
CREATE TRIGGER immutable_runs_keep_their_header BEFORE UPDATE
OF run_id, tenant_id, workflow, policy_digest, policy, create_time, principal_id, session_id, request_id, request_fingerprint, labels, header_salt
ON runs WHEN instr(OLD.policy, '"immutable_audit":true') > 0
AND NOT (
    NEW.run_id IS OLD.run_id AND NEW.tenant_id IS OLD.tenant_id AND NEW.workflow IS OLD.workflow AND NEW.policy_digest IS OLD.policy_digest
    AND NEW.policy IS OLD.policy AND NEW.create_time IS OLD.create_time AND NEW.principal_id IS OLD.principal_id
    AND NEW.session_id IS NULL AND NEW.request_id IS NULL AND NEW.request_fingerprint = '' AND NEW.labels = '{}'
    AND EXISTS (SELECT 1 FROM ledger_entries WHERE run_id = OLD.run_id AND kind = 'erasure')
)
BEGIN SELECT RAISE(ABORT, 'the run is immutable: its header is not changed'); END;
