-- The key of each encrypted run, wrapped by the operator's. An erasure deletes it, which reaches every copy of the payloads that
-- was made without this table.
CREATE TABLE payload_keys (
    run_id  text COLLATE "C" NOT NULL PRIMARY KEY,
    key_id  text NOT NULL,
    wrapped text NOT NULL
);

CREATE FUNCTION delete_key_of_deleted_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM payload_keys WHERE run_id = OLD.run_id;
    RETURN OLD;
END $$;

CREATE FUNCTION refuse_deletion_of_immutable_runs_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF run_is_immutable(OLD.run_id) AND NOT run_is_erased(OLD.run_id) THEN
        RAISE EXCEPTION 'the run is immutable: its key is not deleted';
    END IF;
    RETURN OLD;
END $$;

CREATE TRIGGER payload_keys_go_with_their_run AFTER DELETE ON runs
FOR EACH ROW EXECUTE FUNCTION delete_key_of_deleted_run();
CREATE TRIGGER immutable_runs_keep_their_key BEFORE DELETE ON payload_keys
FOR EACH ROW EXECUTE FUNCTION refuse_deletion_of_immutable_runs_key();
