# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that select sessions, shared by the modules that do."""

from __future__ import annotations


class ModuleDocFragment:
    """Use as gpops.toolkit.selection."""

    DOCUMENTATION = r"""
options:
  pids:
    description:
      - Processes of the coordinator.
    type: list
    elements: int
  session_ids:
    description:
      - Sessions, by C(sess_id).
      - In utility mode a login may give itself the number of another session. A number that several bear is an error
        where sessions are ended; choose by O(pids) then.
    type: list
    elements: int
  users:
    description:
      - Login roles, each exact or a glob (V(*), V(?), V([abc])). Case matters.
    type: list
    elements: str
  databases:
    description:
      - Databases, each exact or a glob (V(*), V(?), V([abc])). Case matters.
    type: list
    elements: str
  application_names:
    description:
      - Application names, each exact or a glob (V(*), V(?), V([abc])). Case matters.
    type: list
    elements: str
  resource_groups:
    description:
      - Resource groups, each exact or a glob (V(*), V(?), V([abc])). Case matters.
      - The group that the session runs or waits in; while the engine shows none, as for an idle session, the
        group of its role.
    type: list
    elements: str
  client_addresses:
    description:
      - Addresses or CIDR networks of clients, or V(local) for the local socket.
      - Behind a pooler the address is the pooler's.
    type: list
    elements: str
  states:
    description:
      - States, as in C(pg_stat_activity).
    type: list
    elements: str
    choices:
      - active
      - idle
      - idle in transaction
      - idle in transaction (aborted)
      - fastpath function call
      - disabled
  waiting_for:
    description:
      - What a session waits for. V(any) is any wait that C(waiting_reason) knows.
    type: list
    elements: str
    choices: &waits
      - lock
      - resource_group
      - resource_queue
      - replication
      - any
  waits_for_modes:
    description:
      - The session waits for a lock on a table, an index or another relation in one of these modes, on the coordinator
        or on a segment.
      - That tells what a session is about whatever its text is. V(AccessExclusiveLock) is what most forms of
        C(ALTER TABLE) take, C(DROP), C(TRUNCATE), C(CLUSTER), C(REINDEX), C(VACUUM FULL) and C(LOCK TABLE);
        V(ShareLock) is C(CREATE INDEX); V(ShareRowExclusiveLock) is C(CREATE TRIGGER) and a new foreign key;
        V(ShareUpdateExclusiveLock) is C(VACUUM), C(ANALYZE) and C(CREATE INDEX CONCURRENTLY).
      - V(RowExclusiveLock) is C(INSERT), C(UPDATE) and C(DELETE). On Greenplum the latter two take V(ExclusiveLock)
        while the global deadlock detector is off.
    type: list
    elements: str
    choices:
      - AccessShareLock
      - RowShareLock
      - RowExclusiveLock
      - ShareUpdateExclusiveLock
      - ShareLock
      - ShareRowExclusiveLock
      - ExclusiveLock
      - AccessExclusiveLock
  query_regex:
    description:
      - Python regular expression, searched for anywhere in the query text, of which the first 100,000 characters are
        looked at. Start it with V((?i\)) to ignore case.
      - Matching has what is left of O(timeout), and a second in any case.
    type: str
  min_session_age:
    description:
      - Age of the session at least, in seconds, or as V(90s), V(15m), V(2h), V(1d).
    type: str
  min_transaction_age:
    description:
      - Age of the transaction at least, in seconds, or as V(90s), V(15m), V(2h), V(1d). A session outside of a
        transaction does not match.
    type: str
  min_query_age:
    description:
      - Age of the running statement at least, in seconds, or as V(90s), V(15m), V(2h), V(1d). A session that
        runs no statement does not match; for those see O(min_state_age).
      - It counts from when the statement came, so also what it waited for a lock or a slot. See O(exclude_waiting_for).
    type: str
  min_state_age:
    description:
      - Time since the state last changed at least, in seconds, or as V(90s), V(15m), V(2h), V(1d).
    type: str
  min_wait_age:
    description:
      - Time of waiting at least, in seconds, or as V(90s), V(15m), V(2h), V(1d). A session that does not wait
        does not match. See C(wait_age) for how it is known.
    type: str
  blocking:
    description:
      - It blocks at least this many sessions, counting those that wait directly for it.
      - Fails if the lock table cannot be read.
    type: int
  exclude_users:
    description:
      - Leave out these login roles, each exact or a glob. An exclusion always wins.
    type: list
    elements: str
  exclude_databases:
    description:
      - Leave out these databases, each exact or a glob.
    type: list
    elements: str
  exclude_application_names:
    description:
      - Leave out these application names, each exact or a glob.
      - Everybody can call a session by any name, so this spares whoever wants to be spared. To protect, use
        O(exclude_users).
    type: list
    elements: str
  exclude_resource_groups:
    description:
      - Leave out these resource groups, each exact or a glob.
    type: list
    elements: str
  exclude_client_addresses:
    description:
      - Leave out these addresses, CIDR networks or V(local).
    type: list
    elements: str
  exclude_query_regex:
    description:
      - Leave out sessions with such a query text, and those with a text of more than 100,000 characters, of which the
        rest is unknown.
      - As everybody can write any text, this spares whoever wants to be spared.
    type: str
  exclude_waiting_for:
    description:
      - Leave out sessions that wait for this. V(any) is any wait that C(waiting_reason) knows.
      - What waits for a lock or a slot does not run, though its statement has begun and its O(min_query_age) counts.
    type: list
    elements: str
    choices: *waits
notes:
  - Criteria are combined with AND, the entries of a list with OR, and an exclusion always wins.
  - An option that is not given does not matter. An empty list matches nothing, so that a list that came out empty
    does not select everybody.
  - What is unknown meets no criterion. What this role may not see meets every exclusion on it. So nothing is
    chosen on a guess.
"""
