-- Which server executes a run. epoch rises whenever a run changes hands, and fences whoever had it before. owner is NULL for runs that
-- wait, have ended, or belong to a process that is no server; '' is free to be taken up by any server.
ALTER TABLE runs ADD COLUMN owner text, ADD COLUMN epoch bigint NOT NULL DEFAULT 0;
UPDATE runs SET owner = '' WHERE status = 'running';

-- Servers that are alive: one row each, renewed while it is.
CREATE TABLE servers (
    owner      text NOT NULL PRIMARY KEY,
    expires_at timestamptz NOT NULL
);

-- Cancellations asked for on a server that does not execute the run.
CREATE TABLE run_cancellations (
    run_id text COLLATE "C" NOT NULL PRIMARY KEY,
    detail text NOT NULL
);
