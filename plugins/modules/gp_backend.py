#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: gp_backend
short_description: Cancel statements or terminate sessions of a Greenplum or Cloudberry cluster
version_added: 1.0.0
description:
  - Cancels the running statements, or terminates the sessions, that the options select, any number in one task,
    and looks until each is gone.
  - The statement that signals checks once more that it is the very session, and for a cancel the very running
    statement, that was chosen. A pid that was reused is never hit. Its own session is never signalled.
  - It works while the resource group of its own role is full.
  - First the criteria choose, then O(victims), then the protection spares, then O(max_victims) is the cap.
author:
  - gpops.toolkit contributors (@gpops)
extends_documentation_fragment:
  - gpops.toolkit.attributes
  - gpops.toolkit.attributes.acting
  - gpops.toolkit.connection
  - gpops.toolkit.selection
  - gpops.toolkit.signals
  - gpops.toolkit.unknown_names
options:
  state:
    description:
      - V(cancelled) ends the running statement and keeps the session. It does nothing for an idle session, also not
        for one that is idle in a transaction; those are V(not_applicable) and nothing is sent.
      - V(terminated) ends the session, and with it its transaction and its locks.
    type: str
    choices: [cancelled, terminated]
    required: true
  processes:
    description:
      - Records of M(gpops.toolkit.gp_process_info), also of some time ago, instead of criteria.
      - Of each, C(pid), C(sess_id), C(backend_start) and, for a cancel, C(query_start) count. Only that very session or
        statement is signalled.
    type: list
    elements: dict
  match_all:
    description:
      - Must be V(true) to choose without any criterion. An exclusion alone is no criterion.
    type: bool
    default: false
  redact_literals:
    description:
      - Replace each string and number in the query texts of the result by V(?).
      - Passwords, keys and tokens that a text names are always masked, such as what comes after C(PASSWORD), or is in a
        connection string, an address, a header or JSON. What nothing names, such as an argument of a function, is not.
    type: bool
    default: false
notes:
  - What the criteria say is judged when the sessions are listed, some milliseconds before the signal. In between, a
    session that was idle in a transaction may have gone on with its work. Identity is checked with the signal itself.
seealso:
  - module: gpops.toolkit.gp_process_info
"""

EXAMPLES = r"""
- name: End the sessions that have been idle in a transaction for an hour
  gpops.toolkit.gp_backend:
    login_host: "{{ gp_host }}"
    state: terminated
    states:
      - idle in transaction
      - idle in transaction (aborted)
    min_state_age: 1h
    exclude_users: [svc_*]

- name: Cancel what one user runs for more than ten minutes
  gpops.toolkit.gp_backend:
    login_host: "{{ gp_host }}"
    state: cancelled
    users: [sammy]
    min_query_age: 10m
    message: Longer than ten minutes, please use the etl group
    toolkit: native

- name: Look for sessions that wait for a slot
  gpops.toolkit.gp_process_info:
    login_host: "{{ gp_host }}"
    waiting_for: [resource_group]
  register: queued

- name: End exactly those, first with a cancel
  gpops.toolkit.gp_backend:
    login_host: "{{ gp_host }}"
    state: terminated
    processes: "{{ queued.processes }}"
    cancel_first: true
    grace_period: 5s
"""

RETURN = r"""
victims:
  description:
    - Each session that was chosen, with what became of it; in check mode, what would.
    - The record is that of M(gpops.toolkit.gp_process_info) without C(blocked_by) and C(blocks). For a session of
      O(processes) that is gone, or for a pid without a process, only what named it is known.
  returned: success, and failure after the choice
  type: list
  elements: dict
  contains:
    pid:
      description: Process on the coordinator.
      type: int
    sess_id:
      description: Session.
      type: int
    usename:
      description: Login role.
      type: str
    outcome:
      description:
        - V(cancelled) and V(terminated) are seen to have ended. In check mode it is V(would_be_cancelled) or
          V(would_be_terminated), and nothing was sent.
        - V(gone) ended before the signal, V(changed) is another session or statement now. Neither was hit.
        - V(not_applicable) is a cancel for a session that runs nothing, or a pid that is no session but a helper of
          one. V(protected) was spared.
        - V(refused) may not be signalled by this role; V(alive) was signalled and is still there.
        - V(unknown) is that the connection broke, and whether it was signalled cannot be told; or that this role may
          not see any more whether the process is still the same one.
        - V(spared) is in the failure of O(max_victims) only.
      type: str
    reason:
      description: The same in words.
      type: str
    signalled:
      description: Whether a signal was sent to it, in check mode always V(false); V(null) if that is unknown.
      type: bool
    sqlstate:
      description: The server's error code, where it refused with one.
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
      session_age: 1.121
      transaction_age: 1.11
      query_age: 1.105
      state_age: 1.105
      wait_age: null
      is_superuser: false
      kind: session
      outcome: terminated
      reason: its session ended
      signalled: true
      sqlstate: null
counts:
  description: The number of victims by outcome.
  returned: success, and failure after the choice
  type: dict
  sample:
    terminated: 5
unknown_names:
  description: Exact names in the options that the cluster does not have; none with O(unknown_names=ignore).
  returned: success, and failure after the choice
  type: list
  elements: str
  sample: [bily]
engine:
  description: What was found.
  returned: success
  type: dict
  contains:
    family:
      description: As M(gpops.toolkit.gp_process_info) has it.
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
diff:
  description: The chosen sessions before and after, a line each.
  returned: success
  type: dict
  sample:
    before: "26049 billy@testdb idle in transaction\n"
    after: ""
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
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.gp_backend import DEFINITION


def main() -> None:
    """Entry point of the module."""
    run_module(DEFINITION)


if __name__ == "__main__":
    main()
