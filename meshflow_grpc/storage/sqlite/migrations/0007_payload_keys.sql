-- The key of each encrypted run, wrapped by the operator's. An erasure deletes it, which reaches every copy of the payloads that
-- was made without this table.
CREATE TABLE payload_keys (
    run_id  TEXT NOT NULL PRIMARY KEY,
    key_id  TEXT NOT NULL,
    wrapped TEXT NOT NULL
) WITHOUT ROWID;

CREATE TRIGGER payload_keys_go_with_their_run AFTER DELETE ON runs
BEGIN DELETE FROM payload_keys WHERE run_id = OLD.run_id; END;

CREATE TRIGGER immutable_runs_keep_their_key BEFORE DELETE ON payload_keys
WHEN EXISTS (SELECT 1 FROM runs WHERE run_id = OLD.run_id AND instr(policy, '"immutable_audit":true') > 0)
AND NOT EXISTS (SELECT 1 FROM ledger_entries WHERE run_id = OLD.run_id AND kind = 'erasure')
BEGIN SELECT RAISE(ABORT, 'the run is immutable: its key is not deleted'); END;
