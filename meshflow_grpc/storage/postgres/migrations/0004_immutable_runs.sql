-- Runs under policy.immutable_audit: nothing of them is changed or deleted, but for payloads that an erasure entry accounts for.
-- The policy is canonical JSON, in which a key that is true can stand in this one form only: quotes inside strings are escaped.
CREATE FUNCTION run_is_immutable(id text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT 1 FROM runs WHERE run_id = id AND position('"immutable_audit":true' IN policy) > 0)
$$;

CREATE FUNCTION run_is_erased(id text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT 1 FROM ledger_entries WHERE run_id = id AND kind = 'erasure')
$$;

CREATE FUNCTION refuse_change_of_immutable_entries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT run_is_immutable(OLD.run_id) THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    IF TG_OP = 'UPDATE'
        AND (NEW.seq, NEW.run_id, NEW.tenant_id, NEW.sequence, NEW.kind, NEW.node_id, NEW.step_id, NEW.attempt, NEW.time,
             NEW.prev_hash, NEW.hash, NEW.record, NULL::text, NULL::text, NULL::text, NULL::text)
            IS NOT DISTINCT FROM
            (OLD.seq, OLD.run_id, OLD.tenant_id, OLD.sequence, OLD.kind, OLD.node_id, OLD.step_id, OLD.attempt, OLD.time,
             OLD.prev_hash, OLD.hash, OLD.record, NEW.input, NEW.output, NEW.input_salt, NEW.output_salt)
        AND run_is_erased(OLD.run_id)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the run is immutable: its entries are not changed or deleted';
END $$;

CREATE FUNCTION refuse_change_of_immutable_runs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'the run is immutable: it is not deleted';
    END IF;
    IF (NEW.run_id, NEW.tenant_id, NEW.workflow, NEW.policy_digest, NEW.policy, NEW.create_time, NEW.principal_id,
        NEW.session_id, NEW.request_id, NEW.request_fingerprint, NEW.labels, NEW.header_salt)
        IS DISTINCT FROM
       (OLD.run_id, OLD.tenant_id, OLD.workflow, OLD.policy_digest, OLD.policy, OLD.create_time, OLD.principal_id,
        OLD.session_id, OLD.request_id, OLD.request_fingerprint, OLD.labels, OLD.header_salt)
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

CREATE TRIGGER immutable_entries BEFORE UPDATE OR DELETE ON ledger_entries
FOR EACH ROW EXECUTE FUNCTION refuse_change_of_immutable_entries();
CREATE TRIGGER immutable_runs_changed BEFORE UPDATE ON runs
FOR EACH ROW WHEN (position('"immutable_audit":true' IN OLD.policy) > 0) EXECUTE FUNCTION refuse_change_of_immutable_runs();
CREATE TRIGGER immutable_runs_deleted BEFORE DELETE ON runs
FOR EACH ROW WHEN (position('"immutable_audit":true' IN OLD.policy) > 0) EXECUTE FUNCTION refuse_change_of_immutable_runs();

CREATE FUNCTION refuse_truncation_of_immutable_runs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM runs WHERE position('"immutable_audit":true' IN policy) > 0) THEN
        RAISE EXCEPTION 'the ledger holds immutable runs: % is not truncated', TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER immutable_entries_truncated BEFORE TRUNCATE ON ledger_entries
FOR EACH STATEMENT EXECUTE FUNCTION refuse_truncation_of_immutable_runs();
CREATE TRIGGER immutable_runs_truncated BEFORE TRUNCATE ON runs
FOR EACH STATEMENT EXECUTE FUNCTION refuse_truncation_of_immutable_runs();
