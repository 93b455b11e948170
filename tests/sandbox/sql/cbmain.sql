-- SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
-- SPDX-License-Identifier: GPL-3.0-or-later
-- Cloudberry's branch main: two of the four signal functions have the words of PostgreSQL 16, with the reason in DETAIL.

CREATE FUNCTION pg_catalog.gpops_sandbox_main_refusal(verb text, owner oid, owner_super boolean) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT 'permission denied to ' || verb || CASE verb WHEN 'cancel' THEN ' query' ELSE ' process' END || E'\n'
        || CASE WHEN owner_super THEN format(
               'Only roles with the SUPERUSER attribute may %s of roles with the SUPERUSER attribute.',
               CASE verb WHEN 'cancel' THEN 'cancel queries' ELSE 'terminate processes' END)
           ELSE format(
               'Only roles with privileges of the role whose %s or with privileges of the "pg_signal_backend" role may %s.',
               CASE verb WHEN 'cancel' THEN 'query is being canceled' ELSE 'process is being terminated' END,
               CASE verb WHEN 'cancel' THEN 'cancel this query' ELSE 'terminate this process' END) END
$$;

ALTER FUNCTION pg_catalog.gpops_sandbox_signal_refusal(text, oid, boolean) RENAME TO gpops_sandbox_old_refusal;
CREATE FUNCTION pg_catalog.gpops_sandbox_signal_refusal(verb text, owner oid, owner_super boolean) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN verb LIKE 'main %' THEN pg_catalog.gpops_sandbox_main_refusal(substr(verb, 6), owner, owner_super)
                ELSE old END
    FROM pg_catalog.gpops_sandbox_old_refusal(replace(verb, 'main ', ''), owner, owner_super) AS old
    WHERE old IS NOT NULL
$$;

CREATE OR REPLACE FUNCTION pg_catalog.pg_terminate_backend(pid int, timeout bigint DEFAULT 0) RETURNS boolean
LANGUAGE plpgsql STRICT AS $$
BEGIN
    IF timeout < 0 THEN
        RAISE EXCEPTION USING ERRCODE = '22003', MESSAGE = '"timeout" must not be negative';
    END IF;
    RETURN pg_catalog.gpops_sandbox_may_signal($1, 'main terminate')
       AND pg_catalog.gpops_sandbox_pg_terminate_backend($1, $2);
END $$;
CREATE OR REPLACE FUNCTION pg_catalog.pg_cancel_backend(pid int, message text) RETURNS boolean
LANGUAGE plpgsql STRICT AS $$
BEGIN
    RETURN pg_catalog.gpops_sandbox_may_signal($1, 'main cancel', $2)
       AND pg_catalog.gpops_sandbox_pg_cancel_backend($1);
END $$;
