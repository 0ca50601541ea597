-- ANALYZE keeps samples of a column's values, which an erasure does not reach: it takes none of what people wrote or may be named in.
-- Giving a column the type it has drops the samples taken before.
ALTER TABLE ledger_entries
    ALTER COLUMN input TYPE text, ALTER COLUMN output TYPE text, ALTER COLUMN input_salt TYPE text, ALTER COLUMN output_salt TYPE text;
ALTER TABLE ledger_entries
    ALTER COLUMN input SET STATISTICS 0, ALTER COLUMN output SET STATISTICS 0,
    ALTER COLUMN input_salt SET STATISTICS 0, ALTER COLUMN output_salt SET STATISTICS 0;
ALTER TABLE runs
    ALTER COLUMN output TYPE bytea, ALTER COLUMN reason TYPE bytea, ALTER COLUMN labels TYPE text,
    ALTER COLUMN session_id TYPE text, ALTER COLUMN request_id TYPE text, ALTER COLUMN request_fingerprint TYPE text;
ALTER TABLE runs
    ALTER COLUMN output SET STATISTICS 0, ALTER COLUMN reason SET STATISTICS 0, ALTER COLUMN labels SET STATISTICS 0,
    ALTER COLUMN session_id SET STATISTICS 0, ALTER COLUMN request_id SET STATISTICS 0, ALTER COLUMN request_fingerprint SET STATISTICS 0;
ALTER TABLE payload_keys ALTER COLUMN wrapped TYPE text;
ALTER TABLE payload_keys ALTER COLUMN wrapped SET STATISTICS 0;
