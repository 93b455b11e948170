# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: gp_options
short_description: Take a dictionary of options as a dictionary or as text
version_added: 1.0.0
description:
  - A survey and C(-e name=value) give text where C(module_defaults) needs a dictionary. This takes either, and says in
    words which variable is neither. Playbooks and roles of the collection read C(gp_connection) by it.
author:
  - gpops.toolkit contributors (@gpops)
positional: name
options:
  _input:
    description:
      - A dictionary, or the text of one in YAML or JSON. Nothing, or an empty text, is an empty dictionary.
    type: raw
    required: true
  name:
    description:
      - Name of the variable, for the error.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Take the login options of a survey, for module_defaults of a play
  ansible.builtin.set_fact:
    login: "{{ from_survey | gpops.toolkit.gp_options('from_survey') }}"
  vars:
    from_survey: "{login_host: dwh.example.com}"
"""

RETURN = r"""
_value:
  description: The options.
  type: dict
  sample:
    login_host: dwh.example.com
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError
from ansible_collections.gpops.toolkit.plugins.plugin_utils._options_text import options_in


def gp_options(given: t.Any, name: str) -> dict[str, t.Any]:
    """The options as a dictionary.

    Raises:
        AnsibleFilterError: They are none.
    """
    try:
        return options_in(name, given)
    except OptionError as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """What Ansible asks for."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filter by its name."""
        return {"gp_options": gp_options}
