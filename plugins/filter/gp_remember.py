# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: gp_remember
short_description: Note what a plan changes, so that it can be put back
version_added: 1.0.0
description:
  - Takes what M(gpops.toolkit.gp_resource_group) or M(gpops.toolkit.gp_admission) returned in check mode, and returns a
    note of the options that differ. Keep it somewhere before the change, and give it to
    P(gpops.toolkit.gp_put_back#filter) later.
author:
  - gpops.toolkit contributors (@gpops)
positional: note
options:
  _input:
    description:
      - RV(gpops.toolkit.gp_resource_group#module:groups) or RV(gpops.toolkit.gp_admission#module:databases) of a
        result.
    type: list
    elements: dict
    required: true
  note:
    description:
      - The note of an earlier change. Its C(before) is kept where the value is still the one that was set.
    type: list
    elements: dict
    default: []
seealso:
  - plugin: gpops.toolkit.gp_put_back
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Note that a group had a concurrency of 20 and has 25 now
  ansible.builtin.set_fact:
    note: "{{ plan | gpops.toolkit.gp_remember }}"
  vars:
    plan:
      - name: etl
        before:
          concurrency: 20
          min_cost: 500
        after:
          concurrency: 25
          min_cost: 500
"""

RETURN = r"""
_value:
  description: Each database or group with its C(name), the options C(before), and those that were C(set).
  type: list
  elements: dict
  sample:
    - name: etl
      before:
        concurrency: 20
      set:
        concurrency: 25
"""

import typing as t

from ansible_collections.gpops.toolkit.plugins.plugin_utils import _restore_note


def _remember(
    objects: t.Sequence[_restore_note.Object], note: t.Sequence[_restore_note.Object] = ()
) -> list[dict[str, t.Any]]:
    return _restore_note.remember(note, objects)


class FilterModule:
    """What Ansible asks for."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filter by its name."""
        return {"gp_remember": _remember}
