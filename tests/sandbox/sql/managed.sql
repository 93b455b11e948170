-- SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
-- SPDX-License-Identifier: GPL-3.0-or-later
-- The managed service's fork of Greenplum 6: members of mdb_admin see all sessions in the process list itself.

GRANT pg_read_all_stats TO mdb_admin;
