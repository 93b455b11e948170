-- SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
-- SPDX-License-Identifier: GPL-3.0-or-later
-- Greenplum 6: PostgreSQL 9.4's process list, signals for the same role only, status per memory and CPU.

CREATE FUNCTION pg_catalog.gpops_sandbox_signal_refusal(verb text, owner oid, owner_super boolean) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT 'must be superuser or have the same role to ' || CASE verb
        WHEN 'cancel' THEN 'cancel queries running in other server processes'
        ELSE 'terminate other server processes' END
    WHERE NOT pg_catalog.gpops_sandbox_is_super() AND quote_ident(current_user)::regrole::oid <> owner
$$;

-- The view is made from this: it joins roles, and so leaves out whose role was dropped.
ALTER FUNCTION pg_catalog.pg_stat_get_activity(int) RENAME TO gpops_sandbox_pg_stat_get_activity;
CREATE FUNCTION pg_catalog.pg_stat_get_activity(
    pid int, OUT datid oid, OUT pid int, OUT usesysid oid, OUT application_name text, OUT state text, OUT query text,
    OUT waiting boolean, OUT xact_start timestamptz, OUT query_start timestamptz, OUT backend_start timestamptz,
    OUT state_change timestamptz, OUT client_addr inet, OUT client_hostname text, OUT client_port int,
    OUT backend_xid xid, OUT backend_xmin xid, OUT sess_id int, OUT waiting_reason text, OUT rsgid oid,
    OUT rsgname text, OUT rsgqueueduration interval) RETURNS SETOF record
LANGUAGE sql STABLE AS $$
    SELECT coalesce(s.datid, 0::oid), s.pid, coalesce(s.usesysid, 0::oid), s.application_name, s.state, s.own_query,
           CASE WHEN s.open THEN s.queued OR coalesce(s.wait_event_type = 'Lock', false) END, s.xact_began,
           s.query_began, s.backend_start, s.state_change, s.addr, s.client_hostname, s.port, s.backend_xid,
           s.backend_xmin, s.sess_id,
           CASE WHEN s.queued THEN 'resgroup' WHEN s.wait_event_type = 'Lock' THEN 'lock'
                WHEN s.wait_event = 'SyncRep' THEN 'replication' END, s.rsgid, s.rsgname, s.queue_time
    FROM pg_catalog.gpops_sandbox_activity s WHERE $1 IS NULL OR s.pid = $1
$$;

CREATE VIEW pg_catalog.pg_stat_activity AS
    SELECT s.datid, d.datname, s.pid, s.sess_id, s.usesysid, u.rolname AS usename, s.application_name, s.client_addr,
           s.client_hostname, s.client_port, s.backend_start, s.xact_start, s.query_start, s.state_change, s.waiting,
           s.state, s.backend_xid, s.backend_xmin, s.query, s.waiting_reason, s.rsgid, s.rsgname, s.rsgqueueduration
    FROM pg_catalog.pg_stat_get_activity(NULL) s
    JOIN pg_catalog.pg_database d ON d.oid = s.datid
    JOIN pg_catalog.gpops_sandbox_pg_authid u ON u.oid = s.usesysid;
GRANT SELECT ON pg_catalog.pg_stat_activity TO PUBLIC;

CREATE VIEW pg_catalog.pg_resgroup AS
    SELECT g.name AS rsgname, 0::oid AS parent FROM pg_catalog.gpops_sandbox_groups() g;
GRANT SELECT ON pg_catalog.pg_resgroup TO PUBLIC;
-- The hidden oid column of a 9.4 catalog, as far as a view can have one: r.oid works, oid alone does not.
CREATE FUNCTION pg_catalog.oid(pg_catalog.pg_resgroup) RETURNS oid LANGUAGE sql STABLE AS $$
    SELECT g.oid FROM pg_catalog.gpops_sandbox_groups() g WHERE g.name = $1.rsgname
$$;

CREATE VIEW gp_toolkit.gp_resgroup_status AS
    SELECT g.name AS rsgname, g.oid AS groupid, g.running AS num_running, g.queueing AS num_queueing,
           g.queued AS num_queued, g.executed AS num_executed, g.queue_time AS total_queue_duration,
           '{"-1":0.00, "0":0.00, "1":0.00}'::json AS cpu_usage,
           (SELECT json_object_agg(c, json_build_object(
                'used', 0, 'available', 0, 'quota_used', 0, 'quota_available', 0, 'quota_granted', 0,
                'quota_proposed', 0, 'shared_used', 0, 'shared_available', 0, 'shared_granted', 0,
                'shared_proposed', 0)) FROM generate_series(-1, 1) c) AS memory_usage
    FROM pg_catalog.gpops_sandbox_group_status() g;

CREATE VIEW gp_toolkit.gp_resgroup_status_per_host AS
    SELECT g.name AS rsgname, g.oid AS groupid, 'localhost'::text AS hostname, 0::numeric AS cpu,
           0::bigint AS memory_used, 0::bigint AS memory_available, 0::bigint AS memory_quota_used,
           0::bigint AS memory_quota_available, 0::bigint AS memory_shared_used,
           0::bigint AS memory_shared_available
    FROM pg_catalog.gpops_sandbox_group_status() g;

CREATE VIEW gp_toolkit.gp_resgroup_status_per_segment AS
    SELECT g.name AS rsgname, g.oid AS groupid, c.hostname, c.content AS segment_id, 0::numeric AS cpu,
           0::bigint AS memory_used, 0::bigint AS memory_available, 0::bigint AS memory_quota_used,
           0::bigint AS memory_quota_available, 0::bigint AS memory_shared_used,
           0::bigint AS memory_shared_available
    FROM pg_catalog.gpops_sandbox_group_status() g, pg_catalog.gp_segment_configuration c;

GRANT SELECT ON ALL TABLES IN SCHEMA gp_toolkit TO PUBLIC;

CREATE FUNCTION gp_toolkit.pg_resgroup_move_query(session_id int, groupid text) RETURNS boolean LANGUAGE sql AS $$
    SELECT pg_catalog.gpops_sandbox_move($1, $2)
$$;
