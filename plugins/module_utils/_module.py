# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""From an operation to a module: the one place that ends the process. Private to the collection."""

from __future__ import annotations

import json
import sys
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.gpops.toolkit.plugins.module_utils import _connection
from ansible_collections.gpops.toolkit.plugins.module_utils._errors import GpopsError, OptionError

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
    try:
        module = AnsibleModule(
            argument_spec=spec,
            mutually_exclusive=_connection.MUTUALLY_EXCLUSIVE,
            supports_check_mode=True,
        )
    except OverflowError:  # Ansible converts .inf to a whole number and does not expect this
        sys.stdout.write(json.dumps({"failed": True, "msg": "infinity is not allowed; the option takes a number"}))
        sys.exit(1)
    options = dict(module.params)
    module.params = _connection.without_secrets(options)
    module.no_log_values.clear()
    if _connection.PSYCOPG2_IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("psycopg2"), exception=_connection.PSYCOPG2_IMPORT_ERROR)
    try:
        _check_texts(options)
        result, warnings = operation(options, module.check_mode)
    except GpopsError as error:
        module.fail_json(msg=error.message, **error.result)
    for warning in warnings:
        module.warn(warning)
    module.exit_json(**result)


def _check_texts(values: t.Mapping[str, t.Any], prefix: str = "") -> None:
    """No text can hold what the protocol cannot: the server would see another text, cut off."""
    for name, value in values.items():
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, dict):
                _check_texts(part, f"{prefix}{name}.")
            elif isinstance(part, str) and ("\0" in part or not _is_encodable(part)):
                raise OptionError(prefix + name, "it has a NUL character or half of a surrogate pair, which is no text")


def _is_encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
