# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: gp_session_table
short_description: Show sessions as a table for a terminal
version_added: 1.0.0
description:
  - What M(gpops.toolkit.gp_process_info) returned as lines of text, one for each session. The playbook
    C(gpops.toolkit.processes) prints them.
  - C(AGE) is how long the session has been in its state, in the two units that matter. A query is cut at 60 characters;
    characters that would steer a terminal are shown as pictures or codes.
author:
  - gpops.toolkit contributors (@gpops)
options:
  _input:
    description:
      - The result of M(gpops.toolkit.gp_process_info). What O(gpops.toolkit.gp_process_info#module:fields) leaves out
        is empty.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show who waits
  ansible.builtin.set_fact:
    table: "{{ sessions | gpops.toolkit.gp_session_table }}"
  vars:
    sessions:
      count: 1
      connections: {used: 14, max: 400, reserved: 3}
      processes:
        - pid: 4711
          usename: billy
          state: active
          state_age: 415.2
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
  sample:
    - 1 session selected; 14 of 400 connections used
    - PID      USER       DATABASE   GROUP          STATE               AGE         WAITS FOR      BLOCKED BY   QUERY
    - 4711     billy                                active              6 min 55 s
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.gpops.toolkit.plugins.plugin_utils._report.session_table import lines


def gp_session_table(result: t.Any) -> list[str]:
    """The lines.

    Raises:
        AnsibleFilterError: It is no result of gp_process_info.
    """
    if not isinstance(result, dict) or not isinstance(result.get("processes"), list):
        raise AnsibleFilterError("gp_session_table takes a result of gp_process_info, which has processes")
    return lines(result)


class FilterModule:
    """What Ansible asks for."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filter by its name."""
        return {"gp_session_table": gp_session_table}
