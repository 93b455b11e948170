-- SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
-- SPDX-License-Identifier: GPL-3.0-or-later
-- For tests: which sessions would have started processes on the segments, and by which statement.

CREATE FUNCTION pg_catalog.gpops_sandbox_segment_starts() RETURNS jsonb
LANGUAGE sql VOLATILE AS $$ SELECT pg_catalog.pg_read_file('{{segments}}')::jsonb $$;

-- Of the last thousand sessions, whether they are still open or not.
CREATE VIEW pg_catalog.gpops_sandbox_segment_processes AS
    SELECT s.pid, s.sess_id, s.application_name, to_timestamp(s.began) AS began, s.cause, s.processes, s.open
    FROM jsonb_to_recordset(pg_catalog.gpops_sandbox_segment_starts() -> 'starts') AS s(
        pid int, sess_id int, application_name text, began float8, cause text, processes int, open boolean);

-- Of all sessions since the start, which only grows.
CREATE FUNCTION pg_catalog.gpops_sandbox_segment_count() RETURNS bigint
LANGUAGE sql VOLATILE AS $$ SELECT (pg_catalog.gpops_sandbox_segment_starts() ->> 'processes')::bigint $$;

-- A function with a SET clause says that it was entered, and how many rows it returned.
CREATE FUNCTION pg_catalog.gpops_sandbox_entered(function text, rows bigint DEFAULT 1) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    RAISE INFO USING ERRCODE = 'GPSBX', MESSAGE = jsonb_build_object('entered', function, 'rows', rows)::text;
END $$;

REVOKE ALL ON FUNCTION pg_catalog.gpops_sandbox_segment_starts(), pg_catalog.gpops_sandbox_segment_count() FROM PUBLIC;
