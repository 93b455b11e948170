# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs gp_policy in the controller's process where that is the same, and accepts message in a policy."""

from __future__ import annotations

import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._policies.gp_policy import DEFINITION
from ansible_collections.gpops.toolkit.plugins.plugin_utils import _lint
from ansible_collections.gpops.toolkit.plugins.plugin_utils._direct import DirectAction
from ansible_collections.gpops.toolkit.plugins.plugin_utils._message import with_message


class ActionModule(DirectAction):
    """The action plugin of gp_policy."""

    module = "gp_policy"
    definition = DEFINITION

    def arguments(self) -> dict[str, t.Any]:
        """The options of the task, message of each policy under the name that the module has for it."""
        arguments = super().arguments()
        policies = arguments.get("policies")
        if isinstance(policies, t.Sequence) and all(isinstance(policy, t.Mapping) for policy in policies):
            arguments["policies"] = [with_message(policy) for policy in policies]
        return arguments


def main() -> None:
    """What ansible-lint calls to see whether the options of a task are right."""
    _lint.check(ActionModule.module, DEFINITION.argument_spec, DEFINITION.mutually_exclusive)
