# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs gp_process_info in the controller's process where that is the same."""

from __future__ import annotations

from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.gp_process_info import DEFINITION
from ansible_collections.gpops.toolkit.plugins.plugin_utils._direct import DirectAction


class ActionModule(DirectAction):
    """The action plugin of gp_process_info."""

    module = "gp_process_info"
    definition = DEFINITION
