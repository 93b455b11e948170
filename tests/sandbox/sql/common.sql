-- SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
-- SPDX-License-Identifier: GPL-3.0-or-later
-- What all engines share: the state of the proxy as rows, the calls that the proxy puts in place of the
-- dialect, and settings.  Loaded into template1, so that every database has it.

CREATE FUNCTION pg_catalog.gpops_sandbox_state() RETURNS jsonb
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog
AS $$ SELECT pg_catalog.pg_read_file('{{state}}')::jsonb $$;

CREATE FUNCTION pg_catalog.gpops_sandbox_sessions() RETURNS TABLE (
    pid int, sess_id int, number int, writer boolean, group_oid oid, group_name text, keeps_group boolean,
    has_slot boolean, client_addr inet, client_port int, queued_since timestamptz, query_began timestamptz, xact_began timestamptz)
LANGUAGE sql VOLATILE AS $$
    SELECT s.pid, s.sess_id, s.number, s.writer, s.group_oid, s.group_name, s.keeps_group, s.has_slot, s.client_addr::inet,
           s.client_port, to_timestamp(s.queued_since), to_timestamp(s.query_began), to_timestamp(s.xact_began)
    FROM jsonb_to_recordset(pg_catalog.gpops_sandbox_state() -> 'sessions') AS s(
        pid int, sess_id int, number int, writer boolean, group_oid oid, group_name text, keeps_group boolean,
        has_slot boolean, client_addr text, client_port int, queued_since float8, query_began float8, xact_began float8)
$$;

CREATE FUNCTION pg_catalog.gpops_sandbox_groups() RETURNS TABLE (
    oid oid, name name, limits jsonb, running int, queueing int, queued int, executed int, queue_seconds float8)
LANGUAGE sql VOLATILE AS $$
    SELECT * FROM jsonb_to_recordset(pg_catalog.gpops_sandbox_state() -> 'groups') AS g(
        oid oid, name name, limits jsonb, running int, queueing int, queued int, executed int, queue_seconds float8)
$$;

-- Unlike the setting is_superuser, right inside SECURITY DEFINER functions too.
CREATE FUNCTION pg_catalog.gpops_sandbox_is_super() RETURNS boolean
LANGUAGE sql STABLE AS $$ SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user $$;

-- A backend of the sandbox itself, which no client should meet.
CREATE FUNCTION pg_catalog.gpops_sandbox_is_helper(pid int) RETURNS boolean
LANGUAGE sql VOLATILE AS $$ SELECT pg_catalog.gpops_sandbox_state() -> 'helpers' @> to_jsonb($1) $$;

-- The client's own text, where the proxy sent another one.
CREATE FUNCTION pg_catalog.gpops_sandbox_text(query text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT CASE
        WHEN $1 LIKE '/*gpops ask*/%' THEN ''
        WHEN $1 LIKE '/*gpops*/%' THEN coalesce(substring(
            $1 FROM '^/\*gpops\*/.*?\$gpq[0-9a-f]{8}\$(.*?)(?:\$gpq[0-9a-f]{8}\$\);?\s*)?$'), $1)
        ELSE replace($1, 'gpops_sandbox.', '') END
$$;

CREATE FUNCTION pg_catalog.gpops_sandbox_mark(tag text, apply jsonb DEFAULT NULL) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    -- INFO always reaches the client side, where the proxy takes it out
    RAISE INFO USING ERRCODE = 'GPSBX', MESSAGE = jsonb_build_object('tag', tag, 'apply', apply)::text;
END $$;

CREATE FUNCTION pg_catalog.gpops_sandbox_notices(notices jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    notice jsonb;
BEGIN
    FOR notice IN SELECT * FROM jsonb_array_elements(notices) LOOP
        IF notice ->> 'severity' = 'WARNING' THEN
            RAISE WARNING USING MESSAGE = notice ->> 'message', HINT = notice ->> 'hint';
        ELSE
            RAISE NOTICE USING MESSAGE = notice ->> 'message', HINT = notice ->> 'hint';
        END IF;
    END LOOP;
END $$;

CREATE PROCEDURE pg_catalog.gpops_sandbox_answer(answer_order text, shown text DEFAULT NULL)
LANGUAGE plpgsql AS $$
DECLARE
    o jsonb := answer_order::jsonb;
BEGIN
    PERFORM pg_catalog.gpops_sandbox_notices(o -> 'notices');
    IF o ? 'error' THEN
        RAISE EXCEPTION USING ERRCODE = o #>> '{error,sqlstate}', MESSAGE = o #>> '{error,message}',
            HINT = o #>> '{error,hint}';
    ELSIF current_setting('transaction_read_only') = 'on' THEN
        RAISE EXCEPTION USING ERRCODE = '25006',
            MESSAGE = format('cannot execute %s in a read-only transaction', o ->> 'tag');
    END IF;
    PERFORM pg_catalog.gpops_sandbox_mark(o ->> 'tag', o -> 'apply');
END $$;

-- The same for a prepared statement, whose answer is only known when it is executed.
CREATE PROCEDURE pg_catalog.gpops_sandbox_verdict(id text, shown text DEFAULT NULL)
LANGUAGE plpgsql AS $$
BEGIN
    CALL pg_catalog.gpops_sandbox_answer(pg_catalog.gpops_sandbox_state() -> 'verdicts' ->> id);
END $$;

-- What stands in a function's body in the place of a group statement.
DO $do$
DECLARE
    verb text;
BEGIN
    FOREACH verb IN ARRAY ARRAY['create', 'alter', 'drop'] LOOP
        EXECUTE format($f$CREATE PROCEDURE pg_catalog.gpops_sandbox_in_function_%s() LANGUAGE plpgsql AS $p$
            BEGIN
                RAISE EXCEPTION USING ERRCODE = '25001', MESSAGE = %L;
            END $p$$f$, verb, format('{{in_function_message}}', upper(verb) || ' RESOURCE GROUP'));
    END LOOP;
END $do$;

CREATE PROCEDURE pg_catalog.gpops_sandbox_wait(key int, shown text)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_catalog.pg_advisory_xact_lock_shared({{lock_class}}, key);
END $$;

-- Where a role's group is kept: a shared catalog, so that it is transactional and known in every database.
CREATE FUNCTION pg_catalog.gpops_sandbox_assign(role_oid oid, group_oid oid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog SET allow_system_table_mods = on AS $$
    DELETE FROM pg_catalog.pg_shdescription WHERE objoid = $1 AND classoid = {{group_class}};
    INSERT INTO pg_catalog.pg_shdescription (objoid, classoid, description) VALUES ($1, {{group_class}}, $2::text)
$$;

CREATE PROCEDURE pg_catalog.gpops_sandbox_role(role_order text, shown text DEFAULT NULL)
LANGUAGE plpgsql AS $$
DECLARE
    o jsonb := role_order::jsonb;
    refusal text := CASE WHEN (o -> 'create')::boolean THEN 'permission denied to create role'
                         ELSE 'permission denied' END;
    wanted text := o ->> 'group';
    group_oid oid;
    changed record;
BEGIN
    IF NOT (SELECT r.rolsuper OR r.rolcreaterole FROM pg_catalog.pg_roles r WHERE r.rolname = current_user) THEN
        RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = refusal;
    END IF;
    EXECUTE o ->> 'statement';
    SELECT r.oid, r.rolsuper INTO changed FROM pg_catalog.pg_roles r WHERE r.rolname = o ->> 'role';
    IF wanted IS NULL THEN
        RAISE NOTICE 'resource group required -- using % resource group "%_group"',
            CASE WHEN changed.rolsuper THEN 'admin' ELSE 'default' END,
            CASE WHEN changed.rolsuper THEN 'admin' ELSE 'default' END;
        PERFORM pg_catalog.gpops_sandbox_mark('CREATE ROLE');
        RETURN;
    END IF;
    IF wanted = 'none' THEN
        wanted := CASE WHEN changed.rolsuper THEN 'admin_group' ELSE 'default_group' END;
        RAISE NOTICE 'resource group required -- using default resource group "%"', wanted;
    END IF;
    SELECT g.oid INTO group_oid FROM pg_catalog.gpops_sandbox_groups() g WHERE g.name = wanted;
    IF group_oid IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('resource group "%s" does not exist', wanted);
    ELSIF wanted = 'admin_group' AND NOT changed.rolsuper THEN
        RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = 'only superuser can be assigned to admin resgroup';
    ELSIF wanted = 'system_group' THEN
        RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = 'assigning to system resgroup is not allowed';
    END IF;
    PERFORM pg_catalog.gpops_sandbox_assign(changed.oid, group_oid);
    PERFORM pg_catalog.gpops_sandbox_notices(o -> 'notices');
    PERFORM pg_catalog.gpops_sandbox_mark(CASE WHEN (o -> 'create')::boolean THEN 'CREATE ROLE' ELSE 'ALTER ROLE' END);
END $$;

-- Settings ------------------------------------------------------------------------------------------------

CREATE PROCEDURE pg_catalog.gpops_sandbox_set(set_order text, shown text DEFAULT NULL)
LANGUAGE plpgsql AS $$
DECLARE
    o jsonb := set_order::jsonb;
BEGIN
    IF NOT pg_catalog.gpops_sandbox_is_super() THEN
        RAISE EXCEPTION USING ERRCODE = '42501',
            MESSAGE = format('permission denied to set parameter "%s"', o ->> 'name');
    END IF;
    PERFORM pg_catalog.gpops_sandbox_set_config('gpops_sandbox.' || (o ->> 'name'), o ->> 'value', (o -> 'local')::boolean);
    PERFORM pg_catalog.gpops_sandbox_mark(o ->> 'tag');
END $$;

CREATE FUNCTION pg_catalog.gpops_sandbox_setting_name(name text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN lower($1) = ANY ('{{{setting_names}}}') THEN 'gpops_sandbox.' || lower($1) ELSE $1 END
$$;

ALTER FUNCTION pg_catalog.current_setting(text) RENAME TO gpops_sandbox_current_setting;
ALTER FUNCTION pg_catalog.current_setting(text, boolean) RENAME TO gpops_sandbox_current_setting;
ALTER FUNCTION pg_catalog.set_config(text, text, boolean) RENAME TO gpops_sandbox_set_config;

CREATE FUNCTION pg_catalog.current_setting(text) RETURNS text LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$
    SELECT pg_catalog.gpops_sandbox_current_setting(pg_catalog.gpops_sandbox_setting_name($1))
$$;
CREATE FUNCTION pg_catalog.current_setting(text, boolean) RETURNS text LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$
    SELECT pg_catalog.gpops_sandbox_current_setting(pg_catalog.gpops_sandbox_setting_name($1), $2)
$$;

-- Durations: SHOW says 30s where pg_settings says 30000.
CREATE FUNCTION pg_catalog.gpops_sandbox_ms(shown text) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT m[1]::bigint * CASE coalesce(m[2], 'ms') WHEN 'ms' THEN 1 WHEN 's' THEN 1000 WHEN 'min' THEN 60000
                               WHEN 'h' THEN 3600000 ELSE 86400000 END
    FROM regexp_matches($1, '^\s*(\d+)\s*(ms|s|min|h|d)?\s*$') AS m
$$;

CREATE FUNCTION pg_catalog.set_config(text, text, boolean) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF lower($1) = ANY ('{{{superuser_settings}}}') AND NOT pg_catalog.gpops_sandbox_is_super() THEN
        RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = format('permission denied to set parameter "%s"', $1);
    ELSIF lower($1) = ANY ('{{{fixed_settings}}}') THEN
        RAISE EXCEPTION USING ERRCODE = '55P02', MESSAGE = format('parameter "%s" cannot be changed', $1);
    END IF;
    RETURN pg_catalog.gpops_sandbox_set_config(pg_catalog.gpops_sandbox_setting_name($1), $2, $3);
END $$;

ALTER VIEW pg_catalog.pg_settings RENAME TO gpops_sandbox_pg_settings;
CREATE VIEW pg_catalog.pg_settings AS
    SELECT a.name,
           CASE WHEN a.name = ANY ('{{{setting_names}}}') THEN current_setting(a.name) ELSE a.setting END AS setting,
           a.unit, a.category, a.short_desc, a.extra_desc, a.context, a.vartype, a.source, a.min_val, a.max_val,
           a.enumvals, a.boot_val,
           CASE WHEN a.name = ANY ('{{{setting_names}}}') THEN current_setting(a.name) ELSE a.reset_val END AS reset_val,
           a.sourcefile, a.sourceline, a.pending_restart
    FROM pg_catalog.pg_show_all_settings() a
    UNION ALL
    SELECT s.name,
           CASE s.kind WHEN 'ms' THEN pg_catalog.gpops_sandbox_ms(current_setting(s.name))::text
                       ELSE current_setting(s.name) END,
           CASE s.kind WHEN 'ms' THEN 'ms' END, 'Greenplum', s.name, NULL,
           s.context, CASE WHEN s.kind IN ('int', 'ms') THEN 'integer' ELSE s.kind END, 'default',
           NULL, NULL, NULL, v.raw, v.raw, NULL, NULL, false
    FROM json_to_recordset('{{own_settings}}') AS s(name text, value text, kind text, context text),
         LATERAL (SELECT CASE s.kind WHEN 'ms' THEN pg_catalog.gpops_sandbox_ms(s.value)::text
                                     ELSE s.value END AS raw) v;
CREATE RULE pg_settings_n AS ON UPDATE TO pg_catalog.pg_settings DO INSTEAD NOTHING;
CREATE RULE pg_settings_u AS ON UPDATE TO pg_catalog.pg_settings WHERE new.name = old.name
    DO SELECT set_config(old.name, new.setting, false);
GRANT SELECT, UPDATE ON pg_catalog.pg_settings TO PUBLIC;

ALTER FUNCTION pg_catalog.version() RENAME TO gpops_sandbox_version;
CREATE FUNCTION pg_catalog.version() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT '{{version}}'::text $$;

-- Roles ---------------------------------------------------------------------------------------------------

ALTER TABLE pg_catalog.pg_authid RENAME TO gpops_sandbox_pg_authid;
CREATE VIEW pg_catalog.pg_authid AS
    SELECT a.*, coalesce(
        (SELECT d.description::oid FROM pg_catalog.pg_shdescription d
         WHERE d.objoid = a.oid AND d.classoid = {{group_class}}),
        CASE WHEN a.rolsuper THEN {{admin_oid}} ELSE {{default_oid}} END::oid) AS rolresgroup
    FROM pg_catalog.gpops_sandbox_pg_authid a
    WHERE a.rolname <> '{{helper}}';

ALTER VIEW pg_catalog.pg_roles RENAME TO gpops_sandbox_pg_roles;
CREATE VIEW pg_catalog.pg_roles AS
    SELECT r.*, a.rolresgroup
    FROM pg_catalog.gpops_sandbox_pg_roles r JOIN pg_catalog.pg_authid a USING (oid);
GRANT SELECT ON pg_catalog.pg_roles TO PUBLIC;

-- One row as JSON for the proxy: who this session is now, and what its settings say.
CREATE FUNCTION pg_catalog.gpops_sandbox_whoami() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT json_build_object(
        'database', current_database(), 'role', quote_ident(current_user)::regrole::oid::bigint,
        'bypass', current_setting('gp_resource_group_bypass'), 'mode', current_setting('gp_role'),
        'catalog_bypass', current_setting('gp_resource_group_bypass_catalog_query'),
        'timeout', pg_catalog.gpops_sandbox_ms(current_setting('gp_resource_group_queuing_timeout')))::text
$$;

-- Signals -------------------------------------------------------------------------------------------------

ALTER FUNCTION pg_catalog.pg_cancel_backend(int) RENAME TO gpops_sandbox_pg_cancel_backend;
ALTER FUNCTION pg_catalog.pg_terminate_backend(int, bigint) RENAME TO gpops_sandbox_pg_terminate_backend;
ALTER FUNCTION pg_catalog.pg_blocking_pids(int) RENAME TO gpops_sandbox_pg_blocking_pids;

-- The proxy finds the message when the target reports its end.
CREATE FUNCTION pg_catalog.gpops_sandbox_leave_message(pid int, message text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    EXECUTE format('COPY (SELECT %L) TO %L', encode(convert_to(message, 'UTF8'), 'hex'), '{{messages}}/' || pid);
END $$;

-- Does a signal to this pid go out?  False with a warning for an unknown one, an error if it is not allowed.
CREATE FUNCTION pg_catalog.gpops_sandbox_may_signal(pid int, verb text, message text DEFAULT '') RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    target record;
    refusal text;
BEGIN
    SELECT a.usesysid, coalesce(r.rolsuper, false) AS rolsuper INTO target
    FROM pg_catalog.pg_stat_get_activity($1) a LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid
    WHERE NOT pg_catalog.gpops_sandbox_is_helper($1);
    IF NOT FOUND THEN
        RAISE WARNING USING MESSAGE = format('{{unknown_pid}}', $1);
        RETURN false;
    END IF;
    refusal := pg_catalog.gpops_sandbox_signal_refusal(verb, target.usesysid, target.rolsuper);
    IF refusal IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = split_part(refusal, E'\n', 1),
            DETAIL = split_part(refusal, E'\n', 2);
    END IF;
    IF message <> '' THEN
        PERFORM pg_catalog.gpops_sandbox_leave_message($1, message);
    END IF;
    RETURN true;
END $$;

CREATE FUNCTION pg_catalog.pg_cancel_backend(pid int) RETURNS boolean LANGUAGE plpgsql STRICT AS $$
BEGIN
    RETURN pg_catalog.gpops_sandbox_may_signal($1, 'cancel')
       AND pg_catalog.gpops_sandbox_pg_cancel_backend($1);
END $$;
CREATE FUNCTION pg_catalog.pg_cancel_backend(pid int, message text) RETURNS boolean LANGUAGE plpgsql STRICT AS $$
BEGIN
    RETURN pg_catalog.gpops_sandbox_may_signal($1, 'cancel', $2) AND pg_catalog.gpops_sandbox_pg_cancel_backend($1);
END $$;
-- Where there is one with a timeout too, an untyped second argument chooses this one.
CREATE FUNCTION pg_catalog.pg_terminate_backend(pid int, message text) RETURNS boolean LANGUAGE plpgsql STRICT AS $$
BEGIN
    RETURN pg_catalog.gpops_sandbox_may_signal($1, 'terminate', $2)
       AND pg_catalog.gpops_sandbox_pg_terminate_backend($1, 0);
END $$;

-- Groups --------------------------------------------------------------------------------------------------

CREATE SCHEMA gp_toolkit;
GRANT USAGE ON SCHEMA gp_toolkit TO PUBLIC;

CREATE VIEW pg_catalog.pg_resgroupcapability AS
    SELECT g.oid AS resgroupid, o.limit_type AS reslimittype, g.limits ->> o.name AS value
    FROM pg_catalog.gpops_sandbox_groups() g,
         json_to_recordset('{{options}}') AS o(name text, limit_type int2);
GRANT SELECT ON pg_catalog.pg_resgroupcapability TO PUBLIC;

CREATE VIEW gp_toolkit.gp_resgroup_config AS
    SELECT g.oid AS groupid, g.name AS groupname, {{config_columns}}
    FROM pg_catalog.gpops_sandbox_groups() g;
GRANT SELECT ON gp_toolkit.gp_resgroup_config TO PUBLIC;

-- Rows of gp_resgroup_status only where resource groups are switched on.
CREATE FUNCTION pg_catalog.gpops_sandbox_group_status() RETURNS TABLE (
    oid oid, name name, running int, queueing int, queued int, executed int, queue_time interval)
LANGUAGE sql VOLATILE AS $$
    SELECT g.oid, g.name, g.running, g.queueing, g.queued, g.executed, make_interval(secs => g.queue_seconds)
    FROM pg_catalog.gpops_sandbox_groups() g
    WHERE current_setting('gp_resource_manager') LIKE 'group%'
$$;

-- Moves a transaction into another group: waits for room there, then the proxy is told.
CREATE FUNCTION pg_catalog.gpops_sandbox_move(pid int, wanted text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    target oid;
    began timestamptz := clock_timestamp();
    mover record;
BEGIN
    IF current_setting('gp_resource_manager') NOT LIKE 'group%' THEN
        RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = 'resource group is not enabled';
    ELSIF NOT (pg_catalog.gpops_sandbox_is_super() OR pg_has_role('{{movers_role}}', 'USAGE')) THEN
        RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = 'must be {{group_changers}} to move query';
    END IF;
    SELECT g.oid INTO target FROM pg_catalog.gpops_sandbox_groups() g WHERE g.name = wanted;
    IF target IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('{{unknown_group_of_move}}', wanted);
    END IF;
    LOOP
        SELECT s.has_slot, s.group_oid INTO mover FROM pg_catalog.gpops_sandbox_sessions() s WHERE s.pid = $1;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('cannot find process: %s', $1);
        ELSIF NOT mover.has_slot THEN
            RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('process %s is in IDLE state', $1);
        ELSIF mover.group_oid = target THEN
            RETURN true;
        END IF;
        EXIT WHEN EXISTS (SELECT FROM pg_catalog.gpops_sandbox_groups() g
                          WHERE g.oid = target AND g.running < (g.limits ->> 'concurrency')::int);
        IF {{move_timeout}} AND clock_timestamp() > began + make_interval(secs =>
            pg_catalog.gpops_sandbox_ms(current_setting('gp_resource_group_move_timeout', true)) / 1000.0) THEN
            RAISE EXCEPTION USING ERRCODE = 'XX000', MESSAGE = 'target process failed to move to a new group';
        END IF;
        PERFORM pg_sleep(0.02);
    END LOOP;
    RAISE INFO USING ERRCODE = 'GPSBX', MESSAGE = jsonb_build_object('move', $1, 'group', target::bigint)::text;
    RETURN true;
END $$;

-- Locks and segments --------------------------------------------------------------------------------------

ALTER VIEW pg_catalog.pg_locks RENAME TO gpops_sandbox_pg_locks;
CREATE VIEW pg_catalog.pg_locks AS
    SELECT l.locktype, l.database, l.relation, l.page, l.tuple, l.virtualxid, l.transactionid, l.classid, l.objid,
           l.objsubid, l.virtualtransaction, l.pid, l.mode, l.granted, l.fastpath,{{lock_waitstart}}
           coalesce(s.number, 0) AS mppsessionid, coalesce(s.writer, true) AS mppiswriter, -1 AS gp_segment_id
    FROM pg_catalog.pg_lock_status() l
    LEFT JOIN pg_catalog.gpops_sandbox_sessions() s ON s.pid = l.pid
    WHERE NOT (l.locktype = 'advisory' AND l.classid = {{lock_class}}::oid AND l.objsubid = 2)
      AND NOT coalesce((SELECT pg_catalog.gpops_sandbox_state() -> 'helpers') @> to_jsonb(l.pid), false);
GRANT SELECT ON pg_catalog.pg_locks TO PUBLIC;

CREATE VIEW pg_catalog.gp_segment_configuration AS
    SELECT v.dbid::int2, v.content::int2, 'p'::"char" AS role, 'p'::"char" AS preferred_role, v.mode::"char",
           'u'::"char" AS status, coalesce(v.port, (pg_catalog.gpops_sandbox_state() ->> 'port')::int) AS port,
           'localhost'::text AS hostname, 'localhost'::text AS address, v.datadir
    FROM (VALUES (1, -1, 'n', NULL::int, 'coordinator/gpseg-1'), (2, 0, 'n', 7001, 'primary/gpseg0'),
                 (3, 1, 'n', 7002, 'primary/gpseg1')) AS v(dbid, content, mode, port, datadir);
GRANT SELECT ON pg_catalog.gp_segment_configuration TO PUBLIC;

ALTER VIEW pg_catalog.pg_stat_activity RENAME TO gpops_sandbox_pg_stat_activity;

-- The rows that clients may see, with what the proxy knows about them.  pg_stat_get_activity() looks at the
-- invoker's rights: where it hides a row's details (backend_start), so do all columns added here.
CREATE VIEW pg_catalog.gpops_sandbox_activity AS
    SELECT s.*, x.sess_id, s.backend_start IS NOT NULL AS open,
           CASE WHEN s.backend_start IS NOT NULL THEN x.client_addr END AS addr,
           CASE WHEN s.backend_start IS NOT NULL THEN x.client_port END AS port,
           CASE WHEN s.xact_start IS NOT NULL THEN coalesce(x.xact_began, s.xact_start) END AS xact_began,
           CASE WHEN s.query LIKE '/*gpops ask*/%' THEN NULL
                WHEN s.query_start IS NOT NULL THEN coalesce(x.query_began, s.query_start) END AS query_began,
           pg_catalog.gpops_sandbox_text(s.query) AS own_query,
           s.backend_start IS NOT NULL AND x.queued_since IS NOT NULL AND s.state = 'active' AS queued,
           CASE WHEN s.backend_start IS NOT NULL AND x.queued_since IS NOT NULL AND s.state = 'active'
                THEN clock_timestamp() - x.queued_since END AS queue_time,
           CASE WHEN s.backend_start IS NULL THEN NULL
                WHEN (s.state = 'idle' AND NOT x.keeps_group) OR s.state IS NULL OR x.group_oid IS NULL THEN 0::oid
                ELSE x.group_oid END AS rsgid,
           CASE WHEN s.backend_start IS NULL THEN NULL
                WHEN (s.state = 'idle' AND NOT x.keeps_group) OR s.state IS NULL OR x.group_oid IS NULL THEN 'unknown'
                ELSE x.group_name END AS rsgname,
           x.group_name
    FROM pg_catalog.pg_stat_get_activity(NULL) s
    LEFT JOIN pg_catalog.gpops_sandbox_sessions() x ON x.pid = s.pid
    WHERE x.pid IS NOT NULL OR s.datid IS NULL;
GRANT SELECT ON pg_catalog.gpops_sandbox_activity TO PUBLIC;
