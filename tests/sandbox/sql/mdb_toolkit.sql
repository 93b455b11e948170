-- SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
-- SPDX-License-Identifier: GPL-3.0-or-later
-- The managed service's layer: wrappers with the superuser's rights, for members of mdb_admin only.

CREATE SCHEMA mdb_toolkit;
GRANT USAGE ON SCHEMA mdb_toolkit TO mdb_admin;

CREATE FUNCTION mdb_toolkit.pg_stat_activity() RETURNS SETOF pg_catalog.pg_stat_activity
LANGUAGE sql SECURITY DEFINER AS $$ SELECT * FROM pg_catalog.pg_stat_activity $$;

CREATE FUNCTION mdb_toolkit.pg_locks() RETURNS SETOF pg_catalog.pg_locks
LANGUAGE sql SECURITY DEFINER AS $$ SELECT * FROM pg_catalog.pg_locks $$;

CREATE FUNCTION mdb_toolkit.gp_cancel_backend(pid int) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    RETURN EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.pid = $1 AND a.usename <> 'gpadmin')
       AND pg_catalog.pg_cancel_backend($1);
END $$;

CREATE FUNCTION mdb_toolkit.gp_terminate_backend(pid int) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    RETURN EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.pid = $1 AND a.usename <> 'gpadmin')
       AND pg_catalog.pg_terminate_backend($1);
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA mdb_toolkit FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA mdb_toolkit TO mdb_admin;
