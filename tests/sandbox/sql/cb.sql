-- SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
-- SPDX-License-Identifier: GPL-3.0-or-later
-- Cloudberry 2: PostgreSQL 14's process list, and its pg_terminate_backend() with a timeout.

CREATE FUNCTION pg_catalog.pg_terminate_backend(pid int, timeout bigint DEFAULT 0) RETURNS boolean
LANGUAGE plpgsql STRICT AS $$
BEGIN
    IF timeout < 0 THEN
        RAISE EXCEPTION USING ERRCODE = '22003', MESSAGE = '"timeout" must not be negative';
    END IF;
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

CREATE VIEW pg_catalog.pg_stat_activity_extended AS
    SELECT NULL::oid AS warehouse_id, a.* FROM pg_catalog.pg_stat_activity a;
GRANT SELECT ON pg_catalog.pg_stat_activity_extended TO PUBLIC;

CREATE FUNCTION pg_catalog.pg_resgroup_get_status_kv(prop_in text, OUT rsgid oid, OUT prop text, OUT value text)
RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
    IF prop_in IS DISTINCT FROM 'dump' THEN
        RETURN;
    ELSIF NOT pg_catalog.gpops_sandbox_is_super() THEN
        RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = 'only superusers can call this function';
    END IF;
    RETURN QUERY
        SELECT NULL::oid, NULL::text, jsonb_build_object('info', jsonb_agg(jsonb_build_object(
            'segid', c.content, 'segmentsOnMaster', 0, 'loaded', 1, 'groups', (
                SELECT jsonb_agg(jsonb_build_object(
                    'group_id', g.oid::bigint, 'group_name', g.name, 'locked_for_drop', 0,
                    'nRunning', CASE c.content WHEN -1 THEN g.running ELSE 0 END,
                    'wait_queue', jsonb_build_object(
                        'wait_queue_size', CASE c.content WHEN -1 THEN g.queueing ELSE 0 END)))
                FROM pg_catalog.gpops_sandbox_group_status() g))))::text
        FROM pg_catalog.gp_segment_configuration c;
END $$;

CREATE VIEW gp_toolkit.gp_resgroup_iostats_per_host AS
    SELECT g.name::text AS rsgname, 'localhost'::text AS hostname, split_part(limited, ':', 1) AS tablespace,
           0::bigint AS rbps, 0::bigint AS wbps, 0::bigint AS riops, 0::bigint AS wiops
    FROM pg_catalog.gpops_sandbox_groups() g, regexp_split_to_table(g.limits ->> 'io_limit', ';') AS limited
    WHERE limited <> '-1';
GRANT SELECT ON gp_toolkit.gp_resgroup_iostats_per_host TO PUBLIC;

-- Of resource queues there is nothing to see while groups are on.
CREATE VIEW pg_catalog.pg_resqueue_status AS
    SELECT NULL::name AS rsqname, 0::real AS rsqcountlimit, 0::real AS rsqcountvalue, 0::real AS rsqcostlimit,
           0::real AS rsqcostvalue, 0 AS rsqwaiters, 0 AS rsqholders WHERE false;
CREATE VIEW gp_toolkit.gp_resqueue_status AS
    SELECT 0::oid AS queueid, NULL::name AS rsqname, 0::real AS rsqcountlimit, 0::real AS rsqcountvalue,
           0::real AS rsqcostlimit, 0::real AS rsqcostvalue, 0::real AS rsqmemorylimit, 0::real AS rsqmemoryvalue,
           0 AS rsqwaiters, 0 AS rsqholders WHERE false;
CREATE VIEW gp_toolkit.gp_resq_priority_backend AS
    SELECT 0 AS rqpsession, 0 AS rqpcommand, NULL::text AS rqppriority, 0 AS rqpweight WHERE false;
GRANT SELECT ON pg_catalog.pg_resqueue_status, gp_toolkit.gp_resqueue_status, gp_toolkit.gp_resq_priority_backend
    TO PUBLIC;

-- names that begin with pg_ cannot be created
CREATE ROLE gpops_sandbox_managers;
UPDATE pg_catalog.gpops_sandbox_pg_authid SET rolname = '{{managers_role}}' WHERE rolname = 'gpops_sandbox_managers';
