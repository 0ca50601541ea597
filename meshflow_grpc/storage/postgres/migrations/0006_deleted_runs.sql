-- Of a deleted run its tombstone remains; the id is never used again.
CREATE INDEX ledger_entries_tombstones ON ledger_entries (seq) WHERE kind = 'run_deleted';

CREATE FUNCTION refuse_a_deleted_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM ledger_entries WHERE run_id = NEW.run_id) THEN
        RAISE EXCEPTION 'the run was deleted: its id is not used again' USING ERRCODE = 'unique_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER deleted_runs_stay_deleted BEFORE INSERT ON runs
FOR EACH ROW EXECUTE FUNCTION refuse_a_deleted_run();

-- The tombstone of a run is for ever.
CREATE FUNCTION refuse_change_of_a_tombstone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a tombstone is not changed or deleted';
END $$;

CREATE TRIGGER tombstones BEFORE UPDATE OR DELETE ON ledger_entries
FOR EACH ROW WHEN (OLD.kind = 'run_deleted') EXECUTE FUNCTION refuse_change_of_a_tombstone();

-- Forks by the run they left, for erasing them with it. The record is canonical JSON: inside strings the quotes are escaped.
CREATE INDEX ledger_entries_forks ON ledger_entries (tenant_id, run_id)
WHERE sequence = 1 AND position('"forked_from":{'::bytea IN record) > 0;

-- An erasure that is recorded also removes session, request and labels from the header of an immutable run.
CREATE OR REPLACE FUNCTION refuse_change_of_immutable_runs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'the run is immutable: it is not deleted';
    END IF;
    IF (NEW.run_id, NEW.tenant_id, NEW.workflow, NEW.policy_digest, NEW.policy, NEW.create_time, NEW.principal_id)
        IS DISTINCT FROM
       (OLD.run_id, OLD.tenant_id, OLD.workflow, OLD.policy_digest, OLD.policy, OLD.create_time, OLD.principal_id)
        OR ((NEW.session_id, NEW.request_id, NEW.request_fingerprint, NEW.labels, NEW.header_salt)
            IS DISTINCT FROM
            (OLD.session_id, OLD.request_id, OLD.request_fingerprint, OLD.labels, OLD.header_salt)
        AND NOT ((NEW.session_id, NEW.request_id, NEW.request_fingerprint, NEW.labels)
            IS NOT DISTINCT FROM (NULL::text, NULL::text, ''::text, '{}'::text)
            AND run_is_erased(OLD.run_id)))
    THEN
        RAISE EXCEPTION 'the run is immutable: its header is not changed';
    END IF;
    IF OLD.status IN ('completed', 'blocked', 'failed', 'rejected', 'cancelled') AND NOT (
        (NEW.status, NEW.blocked_by, NEW.steps, NEW.input_tokens, NEW.output_tokens, NEW.cost_nano_usd, NEW.carbon_ug)
            IS NOT DISTINCT FROM
        (OLD.status, OLD.blocked_by, OLD.steps, OLD.input_tokens, OLD.output_tokens, OLD.cost_nano_usd, OLD.carbon_ug)
        AND ((NEW.output, NEW.reason, NEW.output_salt, NEW.reason_salt) IS NOT DISTINCT FROM (OLD.output, OLD.reason, OLD.output_salt, OLD.reason_salt)
            OR (NEW.output, NEW.reason, NEW.output_salt, NEW.reason_salt) IS NOT DISTINCT FROM (''::bytea, NULL::bytea, NULL::text, NULL::text))
        AND run_is_erased(OLD.run_id))
    THEN
        RAISE EXCEPTION 'the run is immutable: it has ended';
    END IF;
    RETURN NEW;
END $$;
