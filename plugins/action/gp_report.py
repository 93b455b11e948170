# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes a report on the control node; the documentation is that of the module of this name."""

from __future__ import annotations

import datetime as dt
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.gpops.toolkit.plugins.module_utils._errors import GpopsError
from ansible_collections.gpops.toolkit.plugins.plugin_utils import _report
from ansible_collections.gpops.toolkit.plugins.plugin_utils._tidy import TidyAction


class ActionModule(TidyAction):
    """Runs in the process of the task; no connection is made."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """The result of the task."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        given = {name: value for name, value in self._task.args.items() if name not in _report.CONNECTION_OPTIONS}
        checked = ArgumentSpecValidator(_report.ARGUMENT_SPEC).validate(given)
        if checked.error_messages:
            raise AnsibleActionFail("; ".join(checked.error_messages))
        now = dt.datetime.now(dt.timezone.utc)
        try:
            result.update(_report.write(checked.validated_parameters, self._task.check_mode, now))
        except GpopsError as error:
            raise AnsibleActionFail(error.message) from error
        return result
