#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: gp_process_info
short_description: List the client processes of a Greenplum or Cloudberry cluster
version_added: 1.0.0
description:
  - Lists the sessions of the coordinator, selects among them, and says who blocks whom anywhere in the cluster.
  - One shape of record comes out on Greenplum 6, Greenplum 7 and Apache Cloudberry, on a managed service and on a
    self-hosted cluster. The sessions come from C(pg_catalog) where the role sees everybody there, else from
    C(mdb_toolkit) where it may use that.
  - It works while the resource group of its own role is full, and is done within O(timeout) whatever hangs.
  - Its own session is not listed.
author:
  - gpops.toolkit contributors (@gpops)
extends_documentation_fragment:
  - gpops.toolkit.attributes
  - gpops.toolkit.attributes.info
  - gpops.toolkit.connection
  - gpops.toolkit.selection
  - gpops.toolkit.unknown_names
options:
  fields:
    description:
      - Return only these fields of RV(processes), in this order. By default all.
      - Without V(waiting), V(waiting_reason), V(wait_age), V(blocked_by) and V(blocks), here, in O(sort_by) and among
        the criteria, the lock table is not read, which spares the server most of the work. Nor is it read if no session
        may be waiting for a lock.
    type: list
    elements: str
    choices: &fields
      - pid
      - sess_id
      - usename
      - datname
      - application_name
      - client_addr
      - state
      - waiting
      - waiting_reason
      - wait_event_type
      - wait_event
      - query
      - resource_group
      - backend_start
      - xact_start
      - query_start
      - state_change
      - session_age
      - transaction_age
      - query_age
      - state_age
      - wait_age
      - blocked_by
      - blocks
      - is_superuser
      - kind
  sort_by:
    description:
      - Order of RV(processes). Ages, and the numbers of V(blocks) and V(blocked_by), go from large to small, all
        else from small to large; unknown values come last.
    type: str
    default: session_age
    choices: *fields
  limit:
    description:
      - Return at most this many records, after sorting. By default all.
      - RV(count) and RV(summary) are of all that were selected.
    type: int
  query_max_length:
    description:
      - Cut longer query texts to this many characters, with three dots at the end.
      - The server itself keeps no more than its setting C(track_activity_query_size), 1024 bytes by default, and is
        asked for no more than is needed. More than 100,000 characters are never shown.
    type: int
    default: 1024
  redact_literals:
    description:
      - Replace each string and number in query texts by V(?) and leave out comments, because query texts hold data.
      - Passwords, keys and tokens that a text names are always masked, such as what comes after C(PASSWORD), or is in a
        connection string, an address, a header or JSON. What nothing names, such as an argument of a function, is not.
    type: bool
    default: false
seealso:
  - name: Monitoring database activity
    description: What the columns of pg_stat_activity mean.
    link: https://www.postgresql.org/docs/12/monitoring-stats.html
"""

EXAMPLES = r"""
- name: List all sessions
  gpops.toolkit.gp_process_info:
    login_host: "{{ gp_host }}"
  register: sessions

- name: Who has been idle in a transaction for five minutes or more
  gpops.toolkit.gp_process_info:
    login_host: "{{ gp_host }}"
    states:
      - idle in transaction
      - idle in transaction (aborted)
    min_state_age: 5m
    exclude_users:
      - gpadmin
      - svc_*
    sort_by: transaction_age

- name: The three sessions that block most others, with their queries but not their data
  gpops.toolkit.gp_process_info:
    login_host: "{{ gp_host }}"
    blocking: 1
    sort_by: blocks
    limit: 3
    redact_literals: true
    fields: [pid, usename, state, transaction_age, blocks, query]

- name: Who waits for a slot of a resource group for more than half a minute
  gpops.toolkit.gp_process_info:
    login_host: "{{ gp_host }}"
    waiting_for: [resource_group]
    min_wait_age: 30s
"""

RETURN = r"""
processes:
  description:
    - The selected client processes, as O(sort_by), O(limit) and O(fields) have it.
    - V(null) is a value that is not there, or that this role may not see.
  returned: success
  type: list
  elements: dict
  contains:
    pid:
      description: Process on the coordinator.
      type: int
    sess_id:
      description:
        - Session, cluster-wide; on the segments the same session has other pids.
        - In utility mode a login may give itself any number. See RV(processes[].kind).
      type: int
    usename:
      description: Login role.
      type: str
    datname:
      description: Database.
      type: str
    application_name:
      description: As the client set it, may be empty.
      type: str
    client_addr:
      description: Address of the client, V(null) for the local socket. Behind a pooler it is the pooler's.
      type: str
    state:
      description: As in C(pg_stat_activity).
      type: str
    waiting:
      description:
        - Whether the session waits for somebody, which RV(processes[].waiting_reason) then names.
        - On Greenplum 7 and Cloudberry it is derived from the wait events. Waits that are a part of running, such as
          for a disk, are not counted.
        - A wait for a lock on a segment only is taken from the lock table.
        - V(null) if it cannot be known, as of a session that this role may not see, or in utility mode.
      type: bool
    waiting_reason:
      description:
        - V(lock), V(resource_group), V(resource_queue), V(replication) or V(other).
        - V(null) if it does not wait.
      type: str
    wait_event_type:
      description: As the engine has it; V(null) on Greenplum 6.
      type: str
    wait_event:
      description: As the engine has it; V(null) on Greenplum 6.
      type: str
    query:
      description: The current statement, or the last one of an idle session; see O(query_max_length).
      type: str
    resource_group:
      description: The group that the session runs or waits in, or, while the engine shows none, the group of its role.
      type: str
    backend_start:
      description: Start of the session, UTC with microseconds. With V(pid) and V(sess_id) it names this very session.
      type: str
    xact_start:
      description: Start of the transaction, UTC; V(null) outside of one.
      type: str
    query_start:
      description: Start of the current or last statement, UTC with microseconds.
      type: str
    state_change:
      description: Last change of V(state), UTC.
      type: str
    session_age:
      description: Seconds since V(backend_start), by the server's clock.
      type: float
    transaction_age:
      description: Seconds since V(xact_start), by the server's clock.
      type: float
    query_age:
      description: Seconds since V(query_start), by the server's clock.
      type: float
    state_age:
      description: Seconds since V(state_change), by the server's clock.
      type: float
    wait_age:
      description:
        - Seconds of the present wait; V(null) if it does not wait.
        - Greenplum 6 tells it for a resource group, and Cloudberry for a lock. Otherwise it is the age of the
          statement
          that waits, and the wait cannot be longer than that.
      type: float
    blocked_by:
      description:
        - Pids of the sessions that hold, or queued earlier for, what this one waits for, anywhere in the cluster.
        - Who queued earlier the engine tells on Greenplum 7 and Cloudberry, for waits on the coordinator
          (C(pg_blocking_pids)). Elsewhere the older statement is taken for the earlier one, which is wrong for a
          statement that asks for its lock late.
        - V(null) if the lock table could not be read; a warning says why. On Greenplum 6, when the own resource group
          is full, that is so beyond about 40,000 lock rows on a segment.
      type: list
      elements: int
    blocks:
      description: Pids of the sessions that wait directly for this one; the other side of V(blocked_by).
      type: list
      elements: int
    is_superuser:
      description: Whether the login role is a superuser.
      type: bool
    kind:
      description:
        - V(utility) is a session in utility mode, on the coordinator alone. Any login may ask for that. Its locks on
          the coordinator hold up everybody, and it can be ended as any other.
        - It is known of one that bears the number of another session, and of one that has a transaction while the lock
          table is read; else it shows as V(session).
      type: str
  sample:
    - pid: 26049
      sess_id: 2
      usename: billy
      datname: testdb
      application_name: jupyter
      client_addr: 127.0.0.1
      state: idle in transaction
      waiting: false
      waiting_reason: null
      wait_event_type: null
      wait_event: null
      query: SELECT 0 AS lunch
      resource_group: default_group
      backend_start: "2026-11-22T19:42:54.185135Z"
      xact_start: "2026-11-22T19:42:54.196706Z"
      query_start: "2026-11-22T19:42:54.201425Z"
      state_change: "2026-11-22T19:42:54.201558Z"
      session_age: 0.816
      transaction_age: 0.804
      query_age: 0.799
      state_age: 0.799
      wait_age: null
      blocked_by: []
      blocks: []
      is_superuser: false
      kind: session
count:
  description: How many processes were selected, before O(limit).
  returned: success
  type: int
  sample: 5
summary:
  description: The selected processes counted; a value that cannot be seen counts as V(unknown).
  returned: success
  type: dict
  contains:
    by_state:
      description: Number by state.
      type: dict
    by_user:
      description: Number by login role.
      type: dict
    by_database:
      description: Number by database.
      type: dict
    by_resource_group:
      description: Number by resource group.
      type: dict
    by_waiting_reason:
      description: Number of waiting processes by what they wait for.
      type: dict
  sample:
    by_state:
      idle in transaction: 5
    by_user:
      billy: 4
      sammy: 1
    by_database:
      testdb: 5
    by_resource_group:
      default_group: 4
      etl: 1
    by_waiting_reason: {}
connections:
  description: Connections of the coordinator, those of other users and our own included.
  returned: success
  type: dict
  contains:
    used:
      description: Client connections now.
      type: int
    max:
      description: The setting C(max_connections).
      type: int
    reserved:
      description:
        - How many of V(max) ordinary roles cannot have. It is the setting C(superuser_reserved_connections), for
          superusers; on the Greenplum 6 of the managed service it is twice that, one half for members of C(mdb_admin).
      type: int
  sample:
    used: 14
    max: 400
    reserved: 3
unknown_names:
  description: Exact names in the options that the cluster does not have; none with O(unknown_names=ignore).
  returned: success
  type: list
  elements: str
  sample: [bily]
engine:
  description: What was found.
  returned: success
  type: dict
  contains:
    family:
      description: V(gp6) (Greenplum 6 and its like), V(gp7) (Greenplum 7 and its like) or V(cb) (Cloudberry).
      type: str
    version:
      description: As the server's version text has it.
      type: str
    interface:
      description: V(mdb) or V(native), what O(toolkit) came to.
      type: str
  sample:
    family: gp6
    version: 6.24.3
    interface: mdb
hidden:
  description: How many sessions, of all and not only of the selected ones, hide their state and query from this role.
  returned: success
  type: int
  sample: 0
readers:
  description:
    - How many processes are left out of RV(processes) because they are no sessions, but helpers that the query of a
      listed session has on the coordinator. They count as connections, and what they lock is that session's.
    - Only what the engine itself connected counts as one; a session number or a name that a login gave itself does not.
  returned: success
  type: int
  sample: 0
sqlstate:
  description: The server's error code, where there is one.
  returned: failure of a statement
  type: str
  sample: "42501"
statement:
  description: The statement that failed.
  returned: failure of a statement
  type: str
  sample: SET ROLE "reporting"
"""

from ansible_collections.gpops.toolkit.plugins.module_utils._core.module import run_module
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.gp_process_info import DEFINITION


def main() -> None:
    """Entry point of the module."""
    run_module(DEFINITION)


if __name__ == "__main__":
    main()
