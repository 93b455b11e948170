# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes and reads a file on the control node; the documentation is that of the module of this name."""

from __future__ import annotations

from ansible_collections.gpops.toolkit.plugins.plugin_utils._files import gp_file
from ansible_collections.gpops.toolkit.plugins.plugin_utils._on_controller import ControllerAction


class ActionModule(ControllerAction):
    """Runs in the process of the task; no connection is made."""

    argument_spec = gp_file.ARGUMENT_SPEC
    operation = staticmethod(gp_file.manage)


def main() -> None:
    """What ansible-lint calls to see whether the options of a task are right."""
    ActionModule.check_options("gp_file")
