# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""From an operation to a module: the one place that ends the process. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.gpops.toolkit.plugins.module_utils import _connection
from ansible_collections.gpops.toolkit.plugins.module_utils._errors import GpopsError

Operation = t.Callable[[t.Mapping[str, t.Any], bool], t.Tuple[t.Dict[str, t.Any], t.List[str]]]


def run_module(operation: Operation, *argument_specs: t.Mapping[str, t.Any]) -> None:
    """Validate the options, run the operation, and end with its result or its one clear error.

    Args:
        operation: Options and whether it is check mode -> result and warnings; raises GpopsError.
        argument_specs: Those of the operation, beside the connection's.
    """
    spec = dict(_connection.ARGUMENT_SPEC)
    for argument_spec in argument_specs:
        spec.update(argument_spec)
    module = AnsibleModule(
        argument_spec=spec,
        mutually_exclusive=_connection.MUTUALLY_EXCLUSIVE,
        supports_check_mode=True,
    )
    options = dict(module.params)
    module.params = _connection.without_secrets(options)
    module.no_log_values.clear()
    if _connection.PSYCOPG2_IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("psycopg2"), exception=_connection.PSYCOPG2_IMPORT_ERROR)
    try:
        result, warnings = operation(options, module.check_mode)
    except GpopsError as error:
        module.fail_json(msg=error.message, **error.result)
    for warning in warnings:
        module.warn(warning)
    module.exit_json(**result)
