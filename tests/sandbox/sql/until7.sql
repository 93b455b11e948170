-- SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
-- SPDX-License-Identifier: GPL-3.0-or-later
-- What Greenplum 6 and 7 share: pg_terminate_backend() without a timeout.

CREATE FUNCTION pg_catalog.pg_terminate_backend(pid int) RETURNS boolean LANGUAGE plpgsql STRICT AS $$
BEGIN
    RETURN pg_catalog.gpops_sandbox_may_signal($1, 'terminate')
       AND pg_catalog.gpops_sandbox_pg_terminate_backend($1, 0);
END $$;
