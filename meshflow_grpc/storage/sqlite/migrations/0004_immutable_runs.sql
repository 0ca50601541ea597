-- Runs under policy.immutable_audit: nothing of them is changed or deleted, but for payloads that an erasure entry accounts for.
-- The policy is canonical JSON, in which a key that is true can stand in this one form only: quotes inside strings are escaped.
CREATE TRIGGER immutable_entries_not_deleted BEFORE DELETE ON ledger_entries
WHEN EXISTS (SELECT 1 FROM runs WHERE run_id = OLD.run_id AND instr(policy, '"immutable_audit":true') > 0)
BEGIN SELECT RAISE(ABORT, 'the run is immutable: its entries are not deleted'); END;

CREATE TRIGGER immutable_entries_not_changed BEFORE UPDATE ON ledger_entries
WHEN EXISTS (SELECT 1 FROM runs WHERE run_id = OLD.run_id AND instr(policy, '"immutable_audit":true') > 0)
AND NOT (
    NEW.seq IS OLD.seq AND NEW.run_id IS OLD.run_id AND NEW.tenant_id IS OLD.tenant_id AND NEW.sequence IS OLD.sequence
    AND NEW.kind IS OLD.kind AND NEW.node_id IS OLD.node_id AND NEW.step_id IS OLD.step_id AND NEW.attempt IS OLD.attempt
    AND NEW.time IS OLD.time AND NEW.prev_hash IS OLD.prev_hash AND NEW.hash IS OLD.hash AND NEW.record IS OLD.record
    AND NEW.input IS NULL AND NEW.output IS NULL AND NEW.input_salt IS NULL AND NEW.output_salt IS NULL
    AND EXISTS (SELECT 1 FROM ledger_entries WHERE run_id = OLD.run_id AND kind = 'erasure')
)
BEGIN SELECT RAISE(ABORT, 'the run is immutable: its entries are not changed'); END;

CREATE TRIGGER immutable_runs_not_deleted BEFORE DELETE ON runs
WHEN instr(OLD.policy, '"immutable_audit":true') > 0
BEGIN SELECT RAISE(ABORT, 'the run is immutable: it is not deleted'); END;

CREATE TRIGGER immutable_runs_keep_their_header BEFORE UPDATE
OF run_id, tenant_id, workflow, policy_digest, policy, create_time, principal_id, session_id, request_id, request_fingerprint, labels, header_salt
ON runs WHEN instr(OLD.policy, '"immutable_audit":true') > 0
BEGIN SELECT RAISE(ABORT, 'the run is immutable: its header is not changed'); END;

CREATE TRIGGER immutable_runs_keep_their_end BEFORE UPDATE ON runs
WHEN OLD.status IN ('completed', 'blocked', 'failed', 'rejected', 'cancelled')
AND instr(OLD.policy, '"immutable_audit":true') > 0
AND NOT (
    NEW.status IS OLD.status AND NEW.blocked_by IS OLD.blocked_by AND NEW.steps IS OLD.steps
    AND NEW.input_tokens IS OLD.input_tokens AND NEW.output_tokens IS OLD.output_tokens
    AND NEW.cost_nano_usd IS OLD.cost_nano_usd AND NEW.carbon_ug IS OLD.carbon_ug
    AND ((NEW.output IS OLD.output AND NEW.reason IS OLD.reason AND NEW.output_salt IS OLD.output_salt AND NEW.reason_salt IS OLD.reason_salt)
        OR (NEW.output = '' AND NEW.reason IS NULL AND NEW.output_salt IS NULL AND NEW.reason_salt IS NULL))
    AND EXISTS (SELECT 1 FROM ledger_entries WHERE run_id = OLD.run_id AND kind = 'erasure')
)
BEGIN SELECT RAISE(ABORT, 'the run is immutable: it has ended'); END;
