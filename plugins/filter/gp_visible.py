# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: gp_visible
short_description: Show texts of others so that they steer no terminal
version_added: 1.0.0
description:
  - Names, query texts and other data in results are as they are in the database. Users of it choose them, and an escape
    sequence or a change of the reading direction in them would reach the terminal, or the log of a CI job, of whoever
    prints them. This filter writes such characters as codes, such as C(\x1b) and C(\u202e). Tabs and line ends stay.
  - Messages and warnings of the modules, and all that the roles and playbooks of this collection print, are so already.
author:
  - gpops.toolkit contributors (@gpops)
options:
  _input:
    description:
      - A text, or any data with texts in it.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: See the sessions
  gpops.toolkit.gp_process_info:
    login_host: "{{ gp_host }}"
  register: sessions

- name: Print what they run
  ansible.builtin.debug:
    msg: "{{ sessions.processes | map(attribute='query') | gpops.toolkit.gp_visible }}"
"""

RETURN = r"""
_value:
  description: The same, with each text in it visible.
  type: raw
  sample: SELECT '\x1b[2J'
"""

import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.visible import shown


def _visible(value: t.Any) -> t.Any:
    # A generator, as of map(), is what it yields.
    return shown(value if isinstance(value, (str, t.Mapping)) or not isinstance(value, t.Iterable) else list(value))


class FilterModule:
    """What Ansible asks for."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filter by its name."""
        return {"gp_visible": _visible}
