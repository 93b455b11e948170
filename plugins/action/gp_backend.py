# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs gp_backend, in the controller's process where that is the same, and accepts its option C(message).

That is a name that Ansible keeps from modules.
"""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible_collections.gpops.toolkit.plugins.module_utils._backend import DEFINITION
from ansible_collections.gpops.toolkit.plugins.plugin_utils._direct import DirectAction

GIVEN = "message"
HANDED_ON = "victim_message"


class ActionModule(DirectAction):
    """The action plugin of gp_backend."""

    module = "gp_backend"
    definition = DEFINITION

    def arguments(self) -> dict[str, t.Any]:
        """The options of the task, C(message) under the name that the module has for it."""
        arguments = super().arguments()
        if GIVEN in arguments:
            if HANDED_ON in arguments:
                raise AnsibleActionFail(f"{GIVEN}: give either this or {HANDED_ON}, they are the same")
            arguments[HANDED_ON] = arguments.pop(GIVEN)
        return arguments
