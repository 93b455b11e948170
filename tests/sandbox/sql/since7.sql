-- SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
-- SPDX-License-Identifier: GPL-3.0-or-later
-- What Greenplum 7 and Cloudberry share: signals by membership, and their status views.

CREATE FUNCTION pg_catalog.gpops_sandbox_signal_refusal(verb text, owner oid, owner_super boolean) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN owner_super THEN 'must be a superuser to '
            || CASE verb WHEN 'cancel' THEN 'cancel superuser query' ELSE 'terminate superuser process' END
        ELSE 'must be a member of the role whose '
            || CASE verb WHEN 'cancel' THEN 'query is being canceled' ELSE 'process is being terminated' END
            || ' or member of pg_signal_backend' END
    WHERE NOT pg_catalog.gpops_sandbox_is_super()
      AND (owner_super
           OR NOT (pg_has_role(owner, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE')))
$$;

CREATE FUNCTION pg_catalog.pg_blocking_pids(int) RETURNS int[] LANGUAGE sql VOLATILE STRICT AS $$
    SELECT coalesce(array_agg(pid), '{}')
    FROM unnest(pg_catalog.gpops_sandbox_pg_blocking_pids($1)) AS pid
    WHERE NOT pg_catalog.gpops_sandbox_is_helper(pid)
$$;

CREATE VIEW pg_catalog.pg_resgroup AS
    SELECT g.oid, g.name AS rsgname, 0::oid AS parent FROM pg_catalog.gpops_sandbox_groups() g;
GRANT SELECT ON pg_catalog.pg_resgroup TO PUBLIC;

CREATE VIEW gp_toolkit.gp_resgroup_status AS
    SELECT g.oid AS groupid, g.name AS groupname, g.running AS num_running, g.queueing AS num_queueing,
           g.queued::bigint AS num_queued, g.executed::bigint AS num_executed,
           g.queue_time AS total_queue_duration
    FROM pg_catalog.gpops_sandbox_group_status() g;

CREATE VIEW gp_toolkit.gp_resgroup_status_per_host AS
    SELECT g.oid AS groupid, g.name AS groupname, 'localhost'::text AS hostname, 0::numeric AS cpu_usage,
           0::numeric AS memory_usage
    FROM pg_catalog.gpops_sandbox_group_status() g;

CREATE VIEW gp_toolkit.gp_resgroup_status_per_segment AS
    SELECT g.oid::int AS groupid, g.name::text AS groupname, c.content::int AS segment_id, 0::bigint AS vmem_usage
    FROM pg_catalog.gpops_sandbox_group_status() g, pg_catalog.gp_segment_configuration c;

CREATE VIEW gp_toolkit.gp_resgroup_role AS
    SELECT r.rolname AS rrrolname, g.name AS rrrsgname
    FROM pg_catalog.pg_roles r JOIN pg_catalog.gpops_sandbox_groups() g ON g.oid = r.rolresgroup;

GRANT SELECT ON ALL TABLES IN SCHEMA gp_toolkit TO PUBLIC;

CREATE FUNCTION pg_catalog.pg_resgroup_move_query(session_id int, groupid text) RETURNS boolean LANGUAGE sql STRICT AS $$
    SELECT pg_catalog.gpops_sandbox_move($1, $2)
$$;
