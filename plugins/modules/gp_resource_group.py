#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: gp_resource_group
short_description: Declare resource groups of a Greenplum or Cloudberry cluster
version_added: 1.0.0
description:
  - Makes resource groups what the options say. One group by options, or with O(groups) a list of them as one plan.
  - Only what differs is changed, one statement each, in an order in which every step is legal. On Greenplum 6 that
    means decreases before increases, because the sums over all groups are capped at 100.
  - What is not said stays as it is. A plan that cannot be legal at its end is refused before the first statement.
  - Each statement is a transaction of its own, the engine has it so. After a failure in the middle the result says
    which were applied, and running the task again does the rest.
author:
  - gpops.toolkit contributors (@gpops)
extends_documentation_fragment:
  - gpops.toolkit.attributes
  - gpops.toolkit.attributes.acting
  - gpops.toolkit.connection
options:
  name:
    description:
      - Name of the group, as it is, at most 63 bytes. Instead of O(groups).
    type: str
  state: &state
    description:
      - Whether the group is to be there. A group with roles is dropped only with O(roles_to).
    type: str
    choices: [present, absent]
    default: present
  concurrency: &concurrency
    description:
      - How many transactions may run at a time, V(0) to C(max_connections). V(0) lets nothing new start.
      - A lower number stops nothing that runs; see O(wait).
    type: int
  cpu_rate_limit: &cpu_rate_limit
    description:
      - Greenplum 6. Percent of the CPU, V(1) to V(100); the sum over all groups is at most 100.
    type: int
  cpu_max_percent: &cpu_max_percent
    description:
      - Greenplum 7 and Cloudberry. Most percent of the CPU, V(1) to V(100), or V(-1) for no limit.
    type: int
  cpu_weight: &cpu_weight
    description:
      - Greenplum 7 and Cloudberry. Share of the CPU against other groups, V(1) to V(500).
    type: int
  cpuset: &cpuset
    description:
      - Cores for this group alone, such as V(0-1,3). It takes the place of a percentage, and a percentage takes its
        place.
    type: str
  memory_limit: &memory_limit
    description:
      - On Greenplum 6 percent of the memory, V(0) to V(100); the sum over all groups is at most 100.
      - On Greenplum 7.0 and Cloudberry 1 megabytes of a query, or V(-1) for no limit.
    type: int
  memory_quota: &memory_quota
    description:
      - Cloudberry 2 and later Greenplum 7. Megabytes of a query, or V(-1) for no limit.
    type: int
  memory_shared_quota: &memory_shared_quota
    description:
      - Greenplum 6. Percent of the group's memory that its transactions share, V(0) to V(100).
    type: int
  memory_spill_ratio: &memory_spill_ratio
    description:
      - Greenplum 6. Percent of the memory at which a query spills to disk, V(0) to V(100). Above V(0) it needs a
        O(memory_limit) above V(0).
    type: int
  min_cost: &min_cost
    description:
      - Greenplum 7 and Cloudberry. Planner's cost below which a query gives its slot back once it is planned, and runs
        without. It waits for the slot first, as each query does, so this lets nothing into a full group.
    type: int
  io_limit: &io_limit
    description:
      - Later Greenplum 7 and Cloudberry. Limits of disk I/O, such as V(pg_default:rbps=1000,wbps=1000); V(-1) is none.
      - Of each tablespace, by name or number, or V(*) for all of them, and with a semicolon between two, C(rbps) and
        C(wbps) are megabytes a second that are read and written, C(riops) and C(wiops) are operations a second. What is
        V(max), or not there, has no limit.
      - What is meant is compared. Later engines show it with all four, and the tablespace by its number.
    type: str
  extra_options: &extra_options
    description:
      - Options of a later engine that this module does not know, by the name that C(gp_toolkit.gp_resgroup_config) has.
    type: dict
  roles: &roles
    description:
      - Roles that are to be in the group. Other roles of the group stay, unless O(purge_roles=true).
      - A role is in one group at a time; the change holds from its next transaction on.
    type: list
    elements: str
  groups:
    description:
      - The groups as a list, applied as one plan over one connection.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - Name of the group, as it is, at most 63 bytes.
        type: str
        required: true
      state: *state
      concurrency: *concurrency
      cpu_rate_limit: *cpu_rate_limit
      cpu_max_percent: *cpu_max_percent
      cpu_weight: *cpu_weight
      cpuset: *cpuset
      memory_limit: *memory_limit
      memory_quota: *memory_quota
      memory_shared_quota: *memory_shared_quota
      memory_spill_ratio: *memory_spill_ratio
      min_cost: *min_cost
      io_limit: *io_limit
      extra_options: *extra_options
      roles: *roles
  purge:
    description:
      - Drop the groups that are not named, but never C(admin_group), C(default_group), C(system_group) and
        C(mdb_admin_group).
    type: bool
    default: false
  purge_all:
    description:
      - Must be V(true) for O(purge=true) with an empty list, which drops all groups that can be.
    type: bool
    default: false
  purge_roles:
    description:
      - Roles that are in a group with O(roles) and not listed there go to C(default_group), superusers to
        C(admin_group).
    type: bool
    default: false
  roles_to:
    description:
      - Group for the roles of groups that are dropped. Without it, a group with roles is not dropped and the task
        fails.
    type: str
  allow_lockout:
    description:
      - Allow what can lock you out, such as a concurrency of V(0) on the group of the login role, or too small a number
        on a group of superusers.
    type: bool
    default: false
  wait:
    description:
      - After a concurrency was lowered, wait until no more transactions than that run, at most O(wait_timeout).
    type: bool
    default: false
  wait_timeout:
    description:
      - How long to wait, in seconds or as V(90s), V(15m), V(2h), V(1d). It comes on top of O(timeout).
    type: str
    default: "30"
notes:
  - Needs a superuser. A member of C(mdb_admin) may do on a managed service and on Cloudberry's branch of 2.x since
    2026, a member of C(pg_manage_resource_groups) on Cloudberry's main since August 2026. C(admin_group) takes a
    superuser on every engine, and O(roles) takes a superuser or a role with C(CREATEROLE).
  - It works while the own group of the login role is full. Only on snapshots of Greenplum 7 before its release that
    takes a superuser.
  - In utility mode it is refused, for it would change the coordinator's catalog alone.
seealso:
  - module: gpops.toolkit.gp_resource_group_info
"""

EXAMPLES = r"""
- name: See what a group for loads would change
  gpops.toolkit.gp_resource_group:
    login_host: "{{ gp_host }}"
    name: default_group
    concurrency: 25
  check_mode: true

- name: Declare two groups as one plan
  gpops.toolkit.gp_resource_group:
    login_host: "{{ gp_host }}"
    groups:
      - name: example_etl
        concurrency: 8
        cpuset: "0"
      - name: example_old
        state: absent

- name: Take the group away again, and its roles to the default group
  gpops.toolkit.gp_resource_group:
    login_host: "{{ gp_host }}"
    name: example_etl
    state: absent
    roles_to: default_group
"""

RETURN = r"""
groups:
  description:
    - Each group that was named, or that the plan touches, before and after. In check mode C(after) is predicted.
  returned: success, and failure of a statement of the plan
  type: list
  elements: dict
  contains:
    name:
      description: Name of the group.
      type: str
    before:
      description: All options that this engine has, and C(roles); V(null) if the group was not there.
      type: dict
    after:
      description: The same after the plan; V(null) if the group is not there, or could not be read any more.
      type: dict
    changed:
      description: Whether they differ.
      type: bool
    running:
      description: Transactions that run in it. Only read where concurrency was lowered or a group is dropped.
      type: int
    queueing:
      description: Transactions that wait for it; as C(running).
      type: int
    effective_now:
      description: Where concurrency was lowered, whether no more transactions run than that; else V(null).
      type: bool
  sample:
    - name: default_group
      before:
        concurrency: 20
        cpu_max_percent: 20
        cpu_weight: 100
        cpuset: "-1"
        memory_limit: -1
        min_cost: 500
        roles: [billy, ops, sammy]
      after:
        concurrency: 25
        cpu_max_percent: 20
        cpu_weight: 100
        cpuset: "-1"
        memory_limit: -1
        min_cost: 500
        roles: [billy, ops, sammy]
      changed: true
      running: null
      queueing: null
      effective_now: null
statements:
  description: The statements of the plan, in order. In check mode none is sent.
  returned: success, and failure of a statement of the plan
  type: list
  elements: str
  sample:
    - ALTER RESOURCE GROUP "default_group" SET concurrency 25
applied:
  description: The statements that were applied.
  returned: failure of a statement of the plan
  type: list
  elements: str
  sample: []
failed_statement:
  description: The statement that failed.
  returned: failure of a statement of the plan
  type: str
  sample: ALTER RESOURCE GROUP "default_group" SET cpuset '99'
not_applied:
  description: The statements that were not sent.
  returned: failure of a statement of the plan
  type: list
  elements: str
  sample: []
enforced:
  description: Whether the server enforces resource groups (C(gp_resource_manager)).
  returned: success
  type: bool
  sample: true
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
    family: gp7
    version: 7.0.0
    interface: mdb
diff:
  description: The groups before and after, by name.
  returned: success
  type: dict
  sample:
    before:
      default_group:
        concurrency: 20
    after:
      default_group:
        concurrency: 25
sqlstate:
  description: The server's error code, where there is one.
  returned: failure of a statement
  type: str
  sample: "42501"
statement:
  description: The statement that failed.
  returned: failure of a statement
  type: str
  sample: ALTER RESOURCE GROUP "default_group" SET concurrency 25
"""

from ansible_collections.gpops.toolkit.plugins.module_utils._core.module import run_module
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.gp_resource_group import DEFINITION


def main() -> None:
    """Entry point of the module."""
    run_module(DEFINITION)


if __name__ == "__main__":
    main()
