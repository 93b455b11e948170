#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: gp_policy
short_description: Apply remediation policies to the sessions of a Greenplum or Cloudberry cluster
version_added: 1.0.0
description:
  - Applies any number of named policies in one run over one connection. Each policy says which sessions or statements
    are to end, and why. Each sees what those before it left.
  - It reports by default and sends nothing. O(mode=enforce) acts.
  - A policy may also have a maximum to reach, such as no lock jam, a quota for roles, or a share of
    the connections. Then it works in rounds, looks anew before each, and stops when the maximum holds.
  - Guards can stop it altogether before the first signal; O(kill_switch_file) and O(windows) also before each
    further one.
  - Who is signalled is decided and checked as in M(gpops.toolkit.gp_backend). It works while the resource group of its
    own role is full.
author:
  - gpops.toolkit contributors (@gpops)
extends_documentation_fragment:
  - gpops.toolkit.attributes
  - gpops.toolkit.attributes.acting
  - gpops.toolkit.connection
  - gpops.toolkit.policies
  - gpops.toolkit.unknown_names
options:
  mode:
    description:
      - V(report) decides and sends nothing. V(enforce) acts, but not in check mode.
      - V(report) is never C(changed). V(enforce) in check mode is, if there is somebody to signal.
    type: str
    choices: [report, enforce]
    default: report
  kill_switch:
    description:
      - A guard. V(true) stops it.
    type: bool
    default: false
  kill_switch_file:
    description:
      - A guard. While there is a file of this name on the host that runs the module, it is stopped, also if that
        cannot be told, as when its folder is not there. What stands in it does not matter. The name begins with C(/)
        or C(~).
      - Who may write in its folder may stop the run, and may take the file of others away. Put it where only those can
        who are to.
    type: path
  allow_segments_down:
    description:
      - A guard. Without V(true) it is stopped while C(gp_segment_configuration) shows a segment down or cannot be read.
    type: bool
    default: false
  max_share:
    description:
      - A guard. The largest part of all client sessions that one run may signal, in percent of those that there were
        at first. A policy that would go beyond it is V(refused).
      - Without it, it is V(50) for a run that signals more than 20 sessions, and does not matter for fewer.
    type: float
  windows:
    description:
      - A guard. It is stopped outside of these times, each such as V(22:00-06:00), V(sat,sun 00:00-24:00) or
        V(mon-fri 20:00-23:30). A time over midnight belongs to the day on which it begins, and one that ends when
        it begins lasts a day. They are times of the clock, also when the clock changes.
      - An empty list is at no time.
    type: list
    elements: str
  windows_timezone:
    description:
      - Time zone of O(windows), such as V(Europe/Berlin). Others than V(UTC) need Python 3.9 or newer and its time
        zone data on the host that runs the module.
    type: str
    default: UTC
  redact_literals:
    description:
      - Replace each string and number in the query texts of the result by V(?).
      - Passwords, keys and tokens that a text names are always masked, such as what comes after C(PASSWORD), or is in a
        connection string, an address, a header or JSON. What nothing names, such as an argument of a function, is not.
    type: bool
    default: false
notes:
  - With O(mode=enforce) the task fails after all policies were tried if a guard stopped it, or if a policy was
    refused or failed or did not reach its maximum, unless O(policies[].ignore_survivors). In report mode and check mode
    these are in the result and nothing fails.
  - In report mode what policies would leave to those after them is computed. A cancelled statement counts as idle
    and as holding no lock, and a session that nobody would hold up any more as going on and holding up nobody.
  - Nobody gets the same signal twice in one run, whichever policies choose it.
  - If the connection breaks and what became of a signal is unknown, the run ends there.
seealso:
  - module: gpops.toolkit.gp_backend
  - module: gpops.toolkit.gp_process_info
"""

EXAMPLES = r"""
- name: See what the policies would do
  gpops.toolkit.gp_policy:
    login_host: "{{ gp_host }}"
    policies:
      - name: forgotten transactions
        why: They keep locks and slots, and hold back vacuum
        state: terminated
        states:
          - idle in transaction
          - idle in transaction (aborted)
        min_state_age: 1h
      - name: long statements
        state: cancelled
        limits:
          - users: [etl_*]
            min_query_age: 6h
          - resource_groups: [adhoc]
            min_query_age: 10m

- name: Break a lock jam at its roots
  gpops.toolkit.gp_policy:
    login_host: "{{ gp_host }}"
    mode: enforce
    policies:
      - name: lock jam
        state: terminated
        max_held_up: 5
        max_victims: 3

- name: Keep room for new connections, at night only
  gpops.toolkit.gp_policy:
    login_host: "{{ gp_host }}"
    windows: ["22:00-06:00"]
    windows_timezone: UTC
    max_share: 20
    policies:
      - name: connections
        state: terminated
        states: [idle]
        max_connections: 80%
"""

RETURN = r"""
mode:
  description: V(enforce) if it was to act, V(report) if not, as in check mode.
  returned: always after the options were understood
  type: str
  sample: report
policies:
  description: What came of each policy, in order.
  returned: success, and failure after the options were understood
  type: list
  elements: dict
  contains:
    name:
      description: Of the policy.
      type: str
    why:
      description: Of the policy.
      type: str
    state:
      description: Of the policy.
      type: str
    outcome:
      description:
        - V(done) signalled whom it chose, V(would_act) would have in report mode, V(nothing) was there to do.
        - V(refused) would have gone beyond O(policies[].max_victims) or O(max_share), and signalled nobody more. What
          it did in rounds before that RV(policies[].reason) says.
        - V(failed) left sessions that were to end, or did not reach its maximum.
        - V(not_run) was kept back by a guard, or by a failure of the whole run before it.
      type: str
    reason:
      description: The same in words.
      type: str
    relieved:
      description:
        - Whether the maximum to reach holds, or with O(policies[].quiet_for) nobody is left; in report mode, would.
          V(null) without any.
      type: bool
    rounds:
      description: How often it ended sessions.
      type: int
    counts:
      description: The number of its victims by outcome.
      type: dict
  sample:
    - name: forgotten transactions
      why: They keep locks and slots, and hold back vacuum
      state: terminated
      outcome: would_act
      reason: 2 sessions would be terminated
      relieved: null
      rounds: 1
      counts:
        would_be_terminated: 2
victims:
  description:
    - Each session that was chosen, with what became of it or, in report mode, would. A record as
      M(gpops.toolkit.gp_backend) returns it, and in addition the following.
  returned: success, and failure after the options were understood
  type: list
  elements: dict
  contains:
    policy:
      description: Name of the policy.
      type: str
    why:
      description: Of the policy.
      type: str
    round:
      description: In which round, from 1.
      type: int
    outcome:
      description:
        - As M(gpops.toolkit.gp_backend) has it, in report mode as there in check mode. V(spared) is a session of a
          policy that was refused or broke off, or one that the run had signalled before.
      type: str
    reason:
      description: The same in words.
      type: str
    signalled:
      description: Whether a signal was sent to it, in report mode always V(false); V(null) if that is unknown.
      type: bool
  sample:
    - pid: 6038
      sess_id: 2
      usename: sammy
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
      backend_start: "2026-11-22T22:38:24.817104Z"
      xact_start: "2026-11-22T22:38:24.825596Z"
      query_start: "2026-11-22T22:38:24.825796Z"
      state_change: "2026-11-22T22:38:24.825838Z"
      session_age: 1.399
      transaction_age: 1.39
      query_age: 1.39
      state_age: 1.39
      wait_age: null
      is_superuser: false
      kind: session
      outcome: terminated
      reason: its session ended
      signalled: true
      sqlstate: null
      policy: forgotten transactions
      why: They keep locks and slots, and hold back vacuum
      round: 1
counts:
  description: The number of victims by outcome.
  returned: success, and failure after the options were understood
  type: dict
  sample:
    terminated: 2
guards:
  description:
    - Each guard that was asked for, and the segments unless O(allow_segments_down). What O(max_share) stopped is in
      RV(policies).
  returned: success, and failure after the options were understood
  type: list
  elements: dict
  contains:
    guard:
      description: Name of the option.
      type: str
    passed:
      description: Whether it lets the policies act.
      type: bool
    reason:
      description: The same in words.
      type: str
  sample:
    - guard: allow_segments_down
      passed: true
      reason: no segment is down
sessions:
  description: How many client sessions there were at first, how many were signalled, and how many would be.
  returned: success, and failure after the first look
  type: dict
  sample:
    total: 31
    signalled: 2
    would_be_signalled: 0
coordinators:
  description:
    - Host and port of the coordinator and of its standby, from C(gp_segment_configuration). Two clusters have none in
      common. It is empty where this role may not read them.
  returned: success, and failure after the login
  type: list
  elements: str
  sample: ["cdw:5432", "scdw:5432"]
unknown_names:
  description: Exact names in the options that the cluster does not have; none with O(unknown_names=ignore).
  returned: success, and failure after the options were understood
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
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.gp_policy import DEFINITION


def main() -> None:
    """Entry point of the module."""
    run_module(DEFINITION)


if __name__ == "__main__":
    main()
