#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: gp_report
short_description: Write a report on the sessions of a Greenplum or Cloudberry cluster
version_added: 1.0.0
description:
  - Writes what other modules of this collection returned as JSON and as one HTML page that can be attached to a ticket.
  - The page needs no network and has no script. It says first what is conspicuous, such as who holds up whom and which
    resource group is full, and then shows the numbers.
  - It runs and writes on the control node, whatever the connection, and never talks to the database.
  - Keys that are named like a password or another secret, and C(invocation), are left out of both files, and so is the
    value after each C(PASSWORD) of a text. What else users write in their statements is in them.
author:
  - gpops.toolkit contributors (@gpops)
extends_documentation_fragment:
  - gpops.toolkit.attributes
options:
  dest:
    description:
      - Folder on the control node. One that does not exist is made, with mode C(0700).
      - One that another user could steer is refused, as M(gpops.toolkit.gp_file) does.
    type: path
    required: true
  folder:
    description:
      - Name of a folder below O(dest), such as that of a host of the inventory. Any text will do; what no name has,
        such as a slash, is written as a code.
    type: str
  name:
    description:
      - Name of the files, without C(.json) and C(.html). A file of the same name is replaced as a whole.
      - The files have mode C(0600).
    type: str
    required: true
  title:
    description:
      - Title of the report. By default made of O(runbook) and O(cluster).
    type: str
  runbook:
    description:
      - What was run.
    type: str
  cluster:
    description:
      - Name of the cluster, as readers know it.
    type: str
  mode:
    description:
      - Whether the runbook acted. In check mode the report says so instead.
    type: str
    choices: [report, enforce]
  processes:
    description:
      - Result of M(gpops.toolkit.gp_process_info), also a failed one. Each field that is left out is missing
        in the report.
    type: dict
  groups:
    description:
      - Result of M(gpops.toolkit.gp_resource_group_info) with C(status=true), also a failed one.
      - Do not register it as C(groups), which is a variable of Ansible's own.
    type: dict
  remediation:
    description:
      - What was done, as a dictionary with any of C(guards) (each with C(guard), C(passed) and C(reason)), C(policies)
        (C(name), C(state), C(outcome), C(reason), C(relieved), C(rounds), C(counts), C(why)), C(victims) (as
        M(gpops.toolkit.gp_backend) returns them, with C(policy) and C(round)), C(counts), C(sessions) (C(total) and
        C(signalled)) and C(engine). The result of M(gpops.toolkit.gp_backend) will do, also a failed one.
    type: dict
  processes_after:
    description:
      - As O(processes), from after what O(remediation) tells. The page has both moments side by side, its lists and
        the findings are of the later one.
      - Where only O(processes) is given and sessions in it are ended by now, the page says that it shows
        what was before.
    type: dict
  groups_after:
    description:
      - As O(groups), from after what O(remediation) tells.
    type: dict
  details:
    description:
      - Anything else that belongs to it, such as results of other tasks.
    type: dict
  json:
    description:
      - Write the JSON file, with all that was given.
    type: bool
    default: true
  html:
    description:
      - Write the page. Long lists are cut in it, and say how much is missing; long tables are folded.
    type: bool
    default: true
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying the target.
    support: full
    details:
      - A report is output, not state. It is written in check mode, too, and O(ignore:changed) is never true.
  diff_mode:
    description: Returns details on what has changed (or possibly needs changing in check mode), when in diff mode.
    support: N/A
    details:
      - This module changes nothing but its own output.
  idempotent:
    description: Running the module again on the same state changes nothing.
    support: full
    details:
      - The files are written anew each time.
notes:
  - The options of the connection, which C(module_defaults) of the action group may hand over, are accepted, ignored,
    and never in the report.
  - Read the JSON with care, too. Texts that users wrote are in it as they are, apart from half surrogate pairs.
seealso:
  - module: gpops.toolkit.gp_process_info
  - module: gpops.toolkit.gp_resource_group_info
  - module: gpops.toolkit.gp_backend
  - module: gpops.toolkit.gp_file
"""

EXAMPLES = r"""
- name: See the sessions
  gpops.toolkit.gp_process_info:
    login_host: "{{ gp_host }}"
  register: sessions

- name: See the resource groups
  gpops.toolkit.gp_resource_group_info:
    login_host: "{{ gp_host }}"
    status: true
  register: resource_groups

- name: Write what was seen
  gpops.toolkit.gp_report:
    dest: reports
    folder: "{{ inventory_hostname }}"
    name: triage
    runbook: triage
    cluster: "{{ inventory_hostname }}"
    processes: "{{ sessions }}"
    groups: "{{ resource_groups }}"
  register: report

- name: Say what is conspicuous
  ansible.builtin.debug:
    msg: "{{ report.findings | map(attribute='text') }}"
"""

RETURN = r"""
json_path:
  description: Absolute path of the JSON file; V(null) with O(json=false).
  returned: success
  type: str
  sample: /srv/ops/reports/dwh/triage.json
html_path:
  description: Absolute path of the page; V(null) with O(html=false).
  returned: success
  type: str
  sample: /srv/ops/reports/dwh/triage.html
findings:
  description: What is conspicuous, what matters most first. It is in both files, too.
  returned: success
  type: list
  elements: dict
  contains:
    level:
      description: V(critical), V(warning), V(note), or V(good) for the only finding that nothing is conspicuous.
      type: str
    text:
      description: One sentence or two.
      type: str
  sample:
    - level: warning
      text: >-
        4 sessions wait for a lock. The root is process 26054 (billy, idle in transaction for 12 min 04 s), which holds
        up 4, 1 of them directly and the others through those.
"""
