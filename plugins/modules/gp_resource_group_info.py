#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: gp_resource_group_info
short_description: Read the resource groups of a Greenplum or Cloudberry cluster
version_added: 1.0.0
description:
  - Returns the configuration of resource groups, the roles assigned to them and, on request, what runs and waits in
    them.
  - Names and units are the same on all engines; the engine's own values are beside them.
author:
  - gpops.toolkit contributors (@gpops)
extends_documentation_fragment:
  - gpops.toolkit.attributes
  - gpops.toolkit.attributes.info
  - gpops.toolkit.connection
options:
  names:
    description:
      - Return only these groups, each exact or a glob. By default all. An empty list returns none.
    type: list
    elements: str
  status:
    description:
      - Return what runs and waits, too. This costs the engine about 300 ms, and is asked of each segment.
      - On snapshots of Greenplum 7 before its release, for a role that is no superuser and whose own group is full,
        this waits until O(timeout). Then the groups are returned without it, with a warning.
    type: bool
    default: false
seealso:
  - module: gpops.toolkit.gp_resource_group
"""

EXAMPLES = r"""
- name: Read all resource groups
  gpops.toolkit.gp_resource_group_info:
    login_host: "{{ gp_host }}"

- name: See whether somebody waits
  gpops.toolkit.gp_resource_group_info:
    login_host: "{{ gp_host }}"
    status: true
  register: found

- name: Show the groups in which somebody does
  ansible.builtin.debug:
    msg: "{{ found.groups | selectattr('status.queueing', 'gt', 0) | map(attribute='name') }}"
"""

RETURN = r"""
groups:
  description: The resource groups, by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the group.
      type: str
    roles:
      description: Roles assigned to it, without the engine's own.
      type: list
      elements: str
    concurrency:
      description: How many transactions may run at a time.
      type: int
    cpu_percent:
      description: C(cpu_rate_limit) or C(cpu_max_percent); V(null) if there is none, as with a C(cpuset).
      type: int
    cpu_weight:
      description: Share of the CPU against other groups; V(null) on Greenplum 6.
      type: int
    cpuset:
      description: Cores that are the group's own; V(null) if none.
      type: str
    memory_percent:
      description: Percent of the memory of a segment host (C(memory_limit) of Greenplum 6); V(null) on the others.
      type: int
    memory_mb:
      description:
        - Megabytes of a query (C(memory_limit) or C(memory_quota)); V(null) if there is no limit and on Greenplum 6.
      type: int
    memory_shared_percent:
      description: C(memory_shared_quota) of Greenplum 6; V(null) on the others.
      type: int
    memory_spill_percent:
      description: C(memory_spill_ratio) of Greenplum 6; V(null) on the others.
      type: int
    min_cost:
      description: Cost below which a query gives its slot back once it is planned; V(null) on Greenplum 6.
      type: int
    io_limit:
      description: Limits of disk I/O as the engine has them; V(null) if none.
      type: str
    raw:
      description: All columns of C(gp_toolkit.gp_resgroup_config) that this engine has, as it has them.
      type: dict
    status:
      description: Only with O(status=true); V(null) if the engine shows none, or not to a role whose group is full.
      type: dict
      contains:
        running:
          description: Transactions that run now.
          type: int
        queueing:
          description: Transactions that wait now.
          type: int
        queued:
          description: Transactions that had to wait, since the server's start.
          type: int
        executed:
          description: Transactions that have run, since the server's start.
          type: int
        queue_seconds:
          description: Time that transactions have waited, in seconds, since the server's start.
          type: float
  sample:
    - name: default_group
      roles: [billy, mdb_admin, ops, sammy]
      concurrency: 20
      cpu_percent: 30
      cpu_weight: null
      cpuset: null
      memory_percent: 0
      memory_mb: null
      memory_shared_percent: 80
      memory_spill_percent: 0
      min_cost: null
      io_limit: null
      raw:
        concurrency: "20"
        cpu_rate_limit: "30"
        cpuset: "-1"
        memory_auditor: vmtracker
        memory_limit: "0"
        memory_shared_quota: "80"
        memory_spill_ratio: "0"
      status:
        executed: 610
        queue_seconds: 0.0
        queued: 0
        queueing: 0
        running: 0
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
    family: gp6
    version: 6.24.3
    interface: mdb
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
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.gp_resource_group_info import DEFINITION


def main() -> None:
    """Entry point of the module."""
    run_module(DEFINITION)


if __name__ == "__main__":
    main()
