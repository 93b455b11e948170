-- SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
-- SPDX-License-Identifier: GPL-3.0-or-later
-- The managed service's layer: wrappers with the superuser's rights, for members of mdb_admin only.
-- Each tells the proxy that its SET clause was entered and left, which has a price (price.py).

CREATE SCHEMA mdb_toolkit;
GRANT USAGE ON SCHEMA mdb_toolkit TO mdb_admin;

CREATE FUNCTION mdb_toolkit.pg_stat_activity() RETURNS SETOF pg_catalog.pg_stat_activity
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    returned bigint;
BEGIN
    RETURN QUERY SELECT * FROM pg_catalog.pg_stat_activity;
    GET DIAGNOSTICS returned = ROW_COUNT;
    PERFORM pg_catalog.gpops_sandbox_entered('pg_stat_activity', returned);
END $$;

CREATE FUNCTION mdb_toolkit.pg_locks() RETURNS SETOF pg_catalog.pg_locks
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    returned bigint;
BEGIN
    RETURN QUERY SELECT * FROM pg_catalog.pg_locks;
    GET DIAGNOSTICS returned = ROW_COUNT;
    PERFORM pg_catalog.gpops_sandbox_entered('pg_locks', returned);
END $$;

CREATE FUNCTION mdb_toolkit.gp_cancel_backend(pid int) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM pg_catalog.gpops_sandbox_entered('gp_cancel_backend');
    RETURN EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.pid = $1 AND a.usename <> 'gpadmin')
       AND pg_catalog.pg_cancel_backend($1);
END $$;

CREATE FUNCTION mdb_toolkit.gp_terminate_backend(pid int) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM pg_catalog.gpops_sandbox_entered('gp_terminate_backend');
    RETURN EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.pid = $1 AND a.usename <> 'gpadmin')
       AND pg_catalog.pg_terminate_backend($1);
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA mdb_toolkit FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA mdb_toolkit TO mdb_admin;
