# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugins that do all of their work in the controller's process. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import GpopsError
from ansible_collections.gpops.toolkit.plugins.module_utils._core.visible import said, visible
from ansible_collections.gpops.toolkit.plugins.plugin_utils import _lint
from ansible_collections.gpops.toolkit.plugins.plugin_utils._tidy import TidyAction

# What module_defaults of the action group hands over; no database is talked to.
CONNECTION_OPTIONS = frozenset(
    "login_host login_port login_user login_password login_db login_unix_socket ssl_mode ca_cert ssl_cert ssl_key "
    "ssl_warning session_role connect_params timeout toolkit".split()
)


class Operation(t.Protocol):
    """What an action does with valid options."""

    def __call__(self, options: t.Mapping[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
        """The result of the task."""


class ControllerAction(TidyAction):
    """Validates the options, does what is to be done, and returns the result or fails in plain words.

    Attributes:
        argument_spec: The options.
        operation: Options and whether it is check mode -> result; raises GpopsError.
    """

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    argument_spec: t.ClassVar[t.Mapping[str, t.Any]]
    operation: t.ClassVar[Operation]

    @classmethod
    def check_options(cls, name: str) -> None:
        """Tell ansible-lint whether the options of a task are right."""
        _lint.check(name, {**{option: {"type": "raw"} for option in CONNECTION_OPTIONS}, **cls.argument_spec})

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """The result of the task."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        given = {name: value for name, value in self._task.args.items() if name not in CONNECTION_OPTIONS}
        checked = ArgumentSpecValidator(self.argument_spec).validate(given)
        if checked.error_messages:
            return {**result, "failed": True, "msg": visible("; ".join(checked.error_messages))}
        # A result, not an exception: of that, failed_when is not asked.
        try:
            return {**result, **said(self.operation(checked.validated_parameters, self._task.check_mode))}
        except GpopsError as error:
            return {**result, "failed": True, "msg": visible(error.message)}
