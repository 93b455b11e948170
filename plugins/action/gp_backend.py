# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Accepts the option C(message) of gp_backend, a name that Ansible keeps from modules."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

GIVEN = "message"
HANDED_ON = "victim_message"


class ActionModule(ActionBase):
    """Runs the module with all else as it was given."""

    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """The result of the module."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if GIVEN in arguments:
            if HANDED_ON in arguments:
                raise AnsibleActionFail(f"{GIVEN}: give either this or {HANDED_ON}, they are the same")
            arguments[HANDED_ON] = arguments.pop(GIVEN)
        result.update(
            self._execute_module(
                module_name="gpops.toolkit.gp_backend",
                module_args=arguments,
                task_vars=task_vars,
                wrap_async=self._task.async_val,
            )
        )
        return result
