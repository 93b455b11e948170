# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: gp_put_back
short_description: Say what to put back of what was noted
version_added: 1.0.0
description:
  - Takes a note of P(gpops.toolkit.gp_remember#filter) and what is there now. What still has the value that was set is
    to be put back. What somebody changed since is left, and so is what is gone.
author:
  - gpops.toolkit contributors (@gpops)
positional: now
options:
  _input:
    description:
      - The note.
    type: list
    elements: dict
    required: true
  now:
    description:
      - What is there now, each with its C(name) and its options as C(before), as in a result of
        M(gpops.toolkit.gp_resource_group) or M(gpops.toolkit.gp_admission).
    type: list
    elements: dict
    required: true
seealso:
  - plugin: gpops.toolkit.gp_remember
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Put the concurrency back, which nobody changed since
  ansible.builtin.set_fact:
    back: "{{ note | gpops.toolkit.gp_put_back(now) }}"
  vars:
    note:
      - name: etl
        before:
          concurrency: 20
        set:
          concurrency: 25
    now:
      - name: etl
        before:
          concurrency: 25
"""

RETURN = r"""
_value:
  description:
    - C(wanted) is a list of databases or groups, in the form in which the modules take them.
    - C(left) says in a sentence each which options are left, and what they were, were set to and are.
  type: dict
  sample:
    wanted:
      - name: etl
        concurrency: 20
    left: []
"""

import typing as t

from ansible_collections.gpops.toolkit.plugins.plugin_utils import _restore_note


class FilterModule:
    """What Ansible asks for."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filter by its name."""
        return {"gp_put_back": _restore_note.put_back}
