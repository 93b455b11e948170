# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs gp_resource_group in the controller's process where that is the same."""

from __future__ import annotations

from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.gp_resource_group import DEFINITION
from ansible_collections.gpops.toolkit.plugins.plugin_utils import _lint
from ansible_collections.gpops.toolkit.plugins.plugin_utils._direct import DirectAction


class ActionModule(DirectAction):
    """The action plugin of gp_resource_group."""

    module = "gp_resource_group"
    definition = DEFINITION


def main() -> None:
    """What ansible-lint calls to see whether the options of a task are right."""
    _lint.check(ActionModule.module, DEFINITION.argument_spec, DEFINITION.mutually_exclusive)
