-- SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
-- SPDX-License-Identifier: GPL-3.0-or-later
-- Cloudberry 2: PostgreSQL 14's process list, and its pg_terminate_backend() with a timeout.

CREATE FUNCTION pg_catalog.pg_terminate_backend(pid int, timeout bigint DEFAULT 0) RETURNS boolean
LANGUAGE plpgsql STRICT AS $$
BEGIN
    RETURN pg_catalog.gpops_sandbox_may_signal($1, 'terminate')
       AND pg_catalog.gpops_sandbox_pg_terminate_backend($1, $2);
END $$;

CREATE VIEW pg_catalog.pg_stat_activity AS
    SELECT s.datid, d.datname, s.pid, s.sess_id, s.leader_pid, s.usesysid, u.rolname AS usename, s.application_name,
           s.addr AS client_addr, s.client_hostname, s.port AS client_port, s.backend_start,
           s.xact_began AS xact_start, s.query_began AS query_start, s.state_change,
           CASE WHEN s.queued THEN 'ResourceGroup' ELSE s.wait_event_type END AS wait_event_type,
           CASE WHEN s.queued THEN s.group_name ELSE s.wait_event END AS wait_event,
           s.state, s.backend_xid, s.backend_xmin, s.query_id, s.own_query AS query, s.backend_type,
           s.rsgid::int AS rsgid, s.rsgname
    FROM pg_catalog.gpops_sandbox_activity s
    LEFT JOIN pg_catalog.pg_database d ON d.oid = s.datid
    LEFT JOIN pg_catalog.gpops_sandbox_pg_authid u ON u.oid = s.usesysid;
GRANT SELECT ON pg_catalog.pg_stat_activity TO PUBLIC;

-- names that begin with pg_ cannot be created
CREATE ROLE gpops_sandbox_managers;
UPDATE pg_catalog.gpops_sandbox_pg_authid SET rolname = '{{managers_role}}' WHERE rolname = 'gpops_sandbox_managers';
