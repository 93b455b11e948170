#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: gp_file
short_description: Write or read a file on the control node that no other user can steer
version_added: 1.0.0
description:
  - The roles and playbooks of this collection keep their notes and write their files with it, as
    M(gpops.toolkit.gp_report) does its reports.
  - The folder must belong to the user who runs Ansible, or to root, and only these may be able to write in it. A folder
    with the sticky bit, such as C(/tmp), will do, for others can replace nothing there. What is refused is named in one
    error that says what to do. The mode of a folder that is there is never changed.
  - For a folder that a group can write in, the group counts. Root's group, a group that is called as the user, and one
    that the system has no name for and that has the number of the user, are the user's own, as in containers that run
    as any number. To any other group the folder is refused.
  - The folder itself may not be a link. Links on the way to it are followed if they are the user's or root's.
  - A file is written beside the old one and put in its place as a whole. A link of its name is replaced, not followed.
  - A file is read only if it is a plain file of the user's or root's, with no other name, and nobody else can write to
    it.
  - It runs on the control node, whatever the connection, and never talks to the database.
author:
  - gpops.toolkit contributors (@gpops)
extends_documentation_fragment:
  - gpops.toolkit.attributes
options:
  dest:
    description:
      - Folder on the control node. One that does not exist is made, with mode C(0700).
    type: path
    required: true
  folder:
    description:
      - Name of a folder below O(dest), such as that of a host of the inventory. Any text will do. What no name has,
        such as a slash, is written as a code (V(%2F)), so that it stays below O(dest); a name that is too long is cut,
        and told from others by a checksum.
    type: str
  name:
    description:
      - Name of the file, without a slash. Needed for all but O(state=folder).
    type: str
  state:
    description:
      - V(present) writes O(content), if it is not there already.
      - V(absent) takes the file away.
      - V(read) returns what is in it.
      - V(folder) only sees that a file could be written there, by one of a megabyte that it takes away again, and makes
        the folders.
    type: str
    choices: [present, absent, read, folder]
    default: present
  content:
    description:
      - What to write, as UTF-8.
    type: str
  mode:
    description:
      - Mode of the file, an octal number in quotes. Others may be allowed to read it, such as with V("0640") or
        V("0644"), but not to write to it.
    type: str
    default: "0600"
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying the target.
    support: full
  diff_mode:
    description: Returns details on what has changed (or possibly needs changing in check mode), when in diff mode.
    support: none
    details:
      - What is in the file is nobody else's concern.
  idempotent:
    description: Running the module again on the same state changes nothing.
    support: full
notes:
  - The options of the connection, which C(module_defaults) of the action group may hand over, are accepted and ignored.
seealso:
  - module: gpops.toolkit.gp_report
"""

EXAMPLES = r"""
- name: See what has to be put back
  gpops.toolkit.gp_file:
    dest: ~/.local/state/maintenance
    folder: "{{ inventory_hostname }}"
    name: limits.json
    state: read
  register: noted

- name: Keep the resource groups as they are
  gpops.toolkit.gp_file:
    dest: ~/.local/state/maintenance
    folder: "{{ inventory_hostname }}"
    name: groups.json
    content: "{{ resource_groups.groups | default([]) | to_nice_json }}"
"""

RETURN = r"""
path:
  description: Absolute path of the file, or of the folder with O(state=folder).
  returned: success
  type: str
  sample: /home/ops/.local/state/maintenance/dwh/limits.json
exists:
  description: Whether the file is there.
  returned: with O(state=read)
  type: bool
  sample: true
content:
  description: What is in it; V(null) if it is not there.
  returned: with O(state=read)
  type: str
  sample: "[]"
"""
