# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs gp_resource_group_info in the controller's process where that is the same."""

from __future__ import annotations

from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.gp_resource_group_info import DEFINITION
from ansible_collections.gpops.toolkit.plugins.plugin_utils._direct import DirectAction


class ActionModule(DirectAction):
    """The action plugin of gp_resource_group_info."""

    module = "gp_resource_group_info"
    definition = DEFINITION
