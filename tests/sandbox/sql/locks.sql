-- SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
-- SPDX-License-Identifier: GPL-3.0-or-later
-- Rows of pg_locks that are made up: as many as a big cluster has, on several segments.  Only how they are made is
-- kept, in one file for all databases; the rows come out of generate_series().  Loaded last, over the view of before.

CREATE FUNCTION pg_catalog.gpops_sandbox_made_locks() RETURNS jsonb
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog
AS $$ SELECT pg_catalog.pg_read_file('{{made_locks}}')::jsonb $$;

CREATE FUNCTION pg_catalog.gpops_sandbox_keep_locks(made jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('COPY (SELECT %L) TO %L', made, '{{made_locks}}');
END $$;

CREATE FUNCTION pg_catalog.gpops_sandbox_lock_count(made jsonb, segment int) RETURNS bigint LANGUAGE sql AS $$
    SELECT coalesce((made -> 'counts' ->> segment::text)::bigint, 0)
$$;

-- For tests: so many rows, dealt out to the coordinator (-1) and the segments 0, 1, …, all granted.  The sessions hold
-- them, or else made-up ones with up to 400 relations each.
CREATE FUNCTION pg_catalog.gpops_sandbox_make_locks(rows int, segments int DEFAULT 2, sessions int[] DEFAULT NULL)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    made jsonb := pg_catalog.gpops_sandbox_made_locks();
    parts int := segments + 1;
    counts jsonb;
    batch jsonb;
BEGIN
    IF rows < 1 OR segments NOT BETWEEN 1 AND 14 OR sessions = '{}' THEN
        RAISE EXCEPTION 'make_locks: at least one row and one session, 1 to 14 segments';
    END IF;
    SELECT jsonb_object_agg(s, gpops_sandbox_lock_count(made, s) + (rows - s - 2 + parts) / parts) INTO counts
    FROM generate_series(-1, segments - 1) s;
    batch := jsonb_build_object(
        'rows', rows, 'parts', parts, 'sessions', sessions,
        'first_session', 1000000 + 10000 * jsonb_array_length(made -> 'batches'),
        'holders', coalesce(cardinality(sessions), greatest(1, ceil(rows / (400.0 * parts))::int)),
        'pids', (SELECT array_agg(a.pid ORDER BY n) FROM unnest(sessions) WITH ORDINALITY u(session, n)
                 LEFT JOIN pg_catalog.gpops_sandbox_sessions() a ON a.sess_id = u.session),
        'database', (SELECT d.oid::bigint FROM pg_catalog.pg_database d WHERE d.datname = current_database()));
    PERFORM pg_catalog.gpops_sandbox_keep_locks(jsonb_build_object(
        'batches', made -> 'batches' || batch, 'singles', made -> 'singles', 'counts', (made -> 'counts') || counts));
END $$;

-- For tests: one row more, as to make one session wait for another on a segment.
CREATE FUNCTION pg_catalog.gpops_sandbox_add_lock(
    session int, relation oid, granted boolean, segment int DEFAULT 0, mode text DEFAULT 'AccessExclusiveLock',
    locktype text DEFAULT 'relation', pid int DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    made jsonb := pg_catalog.gpops_sandbox_made_locks();
    single jsonb := jsonb_build_object(
        'locktype', locktype, 'mode', mode, 'granted', granted, 'session', session, 'segment', segment,
        'relation', CASE WHEN locktype = 'relation' THEN relation::bigint END,
        'objid', CASE WHEN locktype <> 'relation' THEN relation::bigint END,
        'pid', coalesce(pid, CASE WHEN segment = -1 THEN
            (SELECT a.pid FROM pg_catalog.gpops_sandbox_sessions() a WHERE a.sess_id = session) END,
            pg_catalog.gpops_sandbox_segment_pid(session, segment)),
        'since', CASE WHEN NOT granted THEN clock_timestamp() END,
        'database', (SELECT d.oid::bigint FROM pg_catalog.pg_database d WHERE d.datname = current_database()));
BEGIN
    PERFORM pg_catalog.gpops_sandbox_keep_locks(jsonb_build_object(
        'batches', made -> 'batches', 'singles', made -> 'singles' || single,
        'counts', (made -> 'counts') || jsonb_build_object(segment::text, gpops_sandbox_lock_count(made, segment) + 1)));
END $$;

CREATE FUNCTION pg_catalog.gpops_sandbox_clear_locks() RETURNS void LANGUAGE sql AS $$
    SELECT pg_catalog.gpops_sandbox_keep_locks('{{no_locks}}')
$$;

REVOKE ALL ON FUNCTION pg_catalog.gpops_sandbox_keep_locks(jsonb), pg_catalog.gpops_sandbox_clear_locks(),
    pg_catalog.gpops_sandbox_make_locks(int, int, int[]),
    pg_catalog.gpops_sandbox_add_lock(int, oid, boolean, int, text, text, int) FROM PUBLIC;

-- A pid that no process of this machine has: it is another host's.
CREATE FUNCTION pg_catalog.gpops_sandbox_segment_pid(session int, segment int) RETURNS int
LANGUAGE sql IMMUTABLE AS $$ SELECT 5000000 + session * 16 + segment + 1 $$;

-- The rows, for one reading of pg_locks.  As in the engine a function makes them, whole, at one to three millionths of
-- a second each; and as there, what bypass gives is too little memory for many.
CREATE FUNCTION pg_catalog.gpops_sandbox_lock_rows() RETURNS TABLE (
    locktype text, database oid, relation oid, page int, tuple int2, virtualxid text, transactionid xid, classid oid,
    objid oid, objsubid int2, virtualtransaction text, pid int, mode text, granted boolean, fastpath boolean,
    waitstart timestamptz, mppsessionid int, mppiswriter boolean, gp_segment_id int)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    made jsonb := pg_catalog.gpops_sandbox_made_locks();
    alone boolean := current_setting('gp_role') = 'utility';  -- what the coordinator has, and nothing of the segments
    fullest record;
BEGIN
    IF made -> 'counts' = '{}' THEN
        RETURN;
    ELSIF NOT alone AND current_setting('gp_resource_group_bypass') = 'on' THEN
        SELECT c.value::bigint AS rows, format('  (seg%1$s 127.0.0.1:%2$s pid=%2$s)', c.key, 7001 + c.key::int) AS place
        INTO fullest FROM jsonb_each_text(made -> 'counts') c WHERE c.key <> '-1' ORDER BY 1 DESC LIMIT 1;
        -- just above the limit it is the executor that gets no more, soon after the group that gives no more
        IF fullest.rows > 1.125 * nullif('{{bypass_lock_rows}}', '')::bigint THEN
            RAISE EXCEPTION USING ERRCODE = '53500', MESSAGE = 'Out of memory' || fullest.place,
                DETAIL = 'Resource group memory limit reached';
        ELSIF fullest.rows > nullif('{{bypass_lock_rows}}', '')::bigint THEN
            RAISE EXCEPTION USING ERRCODE = '53200', MESSAGE = 'Out of memory.  Failed on request of size 524288 bytes.'
                ' (context ''ExecutorState'') (aset.c:1667)' || fullest.place;
        END IF;
    END IF;
    fastpath := false;
    mppiswriter := true;
    FOR locktype, database, relation, objid, virtualtransaction, pid, mode, granted, waitstart, mppsessionid,
        gp_segment_id IN
        SELECT s.locktype, s.database, s.relation, s.objid, '3/1', s.pid, s.mode, s.granted, s.since, s.session,
               s.segment
        FROM jsonb_to_recordset(made -> 'singles') AS s(
            locktype text, database oid, relation oid, objid oid, pid int, mode text, granted boolean, session int,
            segment int, since timestamptz)
        WHERE s.segment = -1 OR NOT alone
        UNION ALL
        SELECT 'relation', d.database, (3000000 + d.number / d.holders)::oid, NULL,
               (3 + d.holder) || '/1',
               coalesce(CASE WHEN d.segment = -1 THEN d.pids[d.holder + 1] END,
                        pg_catalog.gpops_sandbox_segment_pid(d.session, d.segment)),
               'AccessShareLock', true, NULL, d.session, d.segment
        FROM (SELECT b.database, b.pids, b.holders, g.i / b.parts AS number, g.i / b.parts % b.holders AS holder,
                     coalesce(b.sessions[g.i / b.parts % b.holders + 1],
                              b.first_session + g.i / b.parts % b.holders) AS session, g.i % b.parts - 1 AS segment
              FROM jsonb_to_recordset(made -> 'batches') AS b(
                  rows int, parts int, holders int, sessions int[], pids int[], first_session int, database oid)
              CROSS JOIN LATERAL (SELECT generate_series(0, b.rows - 1) AS i) g) d
        WHERE d.segment = -1 OR NOT alone
    LOOP
        RETURN NEXT;
    END LOOP;
END $$;

ALTER VIEW pg_catalog.pg_locks RENAME TO gpops_sandbox_real_locks;

-- With the columns that the engine's own view has.
DO $$
BEGIN
    EXECUTE (
        SELECT format('CREATE VIEW pg_catalog.pg_locks AS SELECT * FROM pg_catalog.gpops_sandbox_real_locks'
                      ' UNION ALL SELECT %s FROM pg_catalog.gpops_sandbox_lock_rows()',
                      string_agg(a.attname, ', ' ORDER BY a.attnum))
        FROM pg_catalog.pg_attribute a WHERE a.attrelid = 'pg_catalog.gpops_sandbox_real_locks'::regclass);
END $$;
GRANT SELECT ON pg_catalog.pg_locks TO PUBLIC;
