-- SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
-- SPDX-License-Identifier: GPL-3.0-or-later
-- Greenplum 7: PostgreSQL 12's process list.

CREATE VIEW pg_catalog.pg_stat_activity AS
    SELECT s.datid, d.datname, s.pid, s.sess_id, s.usesysid, u.rolname AS usename, s.application_name,
           s.addr AS client_addr, s.client_hostname, s.port AS client_port, s.backend_start,
           s.xact_began AS xact_start, s.query_began AS query_start, s.state_change,
           CASE WHEN s.queued THEN 'ResourceGroup' ELSE s.wait_event_type END AS wait_event_type,
           CASE WHEN s.queued THEN s.group_name ELSE s.wait_event END AS wait_event,
           s.state, s.backend_xid, s.backend_xmin, s.own_query AS query, s.backend_type,
           s.rsgid::int AS rsgid, s.rsgname
    FROM pg_catalog.gpops_sandbox_activity s
    LEFT JOIN pg_catalog.pg_database d ON d.oid = s.datid
    LEFT JOIN pg_catalog.gpops_sandbox_pg_authid u ON u.oid = s.usesysid;
GRANT SELECT ON pg_catalog.pg_stat_activity TO PUBLIC;
