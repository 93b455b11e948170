# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""From an operation to a module: the one place that ends the process. Private to the collection."""

from __future__ import annotations

import dataclasses
import json
import signal
import sys
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible.module_utils.common.warnings import warn
from ansible_collections.gpops.toolkit.plugins.module_utils._core import conninfo, driver, list_text, login
from ansible_collections.gpops.toolkit.plugins.module_utils._core.conninfo import ARGUMENT_SPEC, MUTUALLY_EXCLUSIVE
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import GpopsError, OptionError
from ansible_collections.gpops.toolkit.plugins.module_utils._core.visible import said, visible

_NOT_LOGGED = "NOT_LOGGING_PARAMETER"
INFINITY = "infinity is not allowed; the option takes a number"
Operation = t.Callable[[t.Mapping[str, t.Any], bool], t.Tuple[t.Dict[str, t.Any], t.List[str]]]


class Definition:
    """What a module does and which options it takes; the module and its action plugin both go by it.

    Args:
        operation: Options and whether it is check mode -> result and warnings; raises GpopsError.
        argument_specs: Those of the operation, beside the connection's.
    """

    mutually_exclusive = MUTUALLY_EXCLUSIVE

    def __init__(self, operation: Operation, *argument_specs: t.Mapping[str, t.Any]) -> None:
        self.operation = operation
        self.argument_spec = dict(ARGUMENT_SPEC)
        for argument_spec in argument_specs:
            self.argument_spec.update(argument_spec)


def perform(definition: Definition, options: t.Mapping[str, t.Any], check_mode: bool) -> Outcome:
    """Run the operation with options that were validated; what it refuses is an outcome too.

    All that it says goes through here, and steers no terminal.
    """
    outcome = _performed(definition, options, check_mode)
    return Outcome(said(outcome.result), [visible(text) for text in outcome.warnings])


def _performed(definition: Definition, options: t.Mapping[str, t.Any], check_mode: bool) -> Outcome:
    if driver.PSYCOPG2_IMPORT_ERROR:
        missing = missing_required_lib("psycopg2")
        return Outcome({"failed": True, "msg": missing, "exception": driver.PSYCOPG2_IMPORT_ERROR})
    with login.login_warnings() as said:
        try:
            _check_texts(options)
            result, warnings = definition.operation(options, check_mode)
        except GpopsError as error:
            result, warnings = {**error.result, "failed": True, "msg": error.message}, []
    return Outcome(result, [*said, *warnings])


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The result, of a failure too, and the warnings."""

    result: dict[str, t.Any]
    warnings: list[str] = dataclasses.field(default_factory=list)


class _Module(AnsibleModule):
    """A module of Ansible that tells no secret of connect_params, and does not end because of what it cannot log."""

    def _load_params(self) -> None:
        """Read the options, as people write them in text."""
        super()._load_params()  # type: ignore[no-untyped-call]  # Ansible has no types
        self.params = list_text.prepared(self.params, self.argument_spec)

    def log(self, msg: t.Any, log_args: t.Mapping[str, t.Any] | None = None) -> None:
        """Write to the log of the system, which takes no NUL characters."""
        arguments = {name: str(value) for name, value in (log_args or {}).items()}
        text = str(msg)
        if "connect_params" in arguments:
            text = text.replace(f"connect_params={arguments['connect_params']}", f"connect_params={_NOT_LOGGED}")
            arguments["connect_params"] = _NOT_LOGGED
        arguments = {name: value.replace("\0", "\\0") for name, value in arguments.items()}
        super().log(text.replace("\0", "\\0"), arguments)  # type: ignore[no-untyped-call]  # Ansible has no types

    def fail_json(self, msg: str, **kwargs: t.Any) -> t.NoReturn:
        """End with a failure; that of the validation comes before anything else."""
        self.params = conninfo.without_secrets(self.params)
        super().fail_json(visible(str(msg)), **kwargs)


def run_module(definition: Definition) -> None:
    """Validate the options, run the operation, and end with its result or its one clear error."""
    try:
        module = _Module(  # type: ignore[no-untyped-call]  # Ansible has no types
            argument_spec=definition.argument_spec,
            mutually_exclusive=definition.mutually_exclusive,
            supports_check_mode=True,
        )
    except OverflowError:  # Ansible converts .inf to a whole number and does not expect this
        _refuse(INFINITY)
    except OptionError as error:
        _refuse(error.message)
    except UnicodeEncodeError:  # nor does its log
        _refuse("an option has half of a surrogate pair, which is no text")
    # As at any other end, the server is left tidy.
    signal.signal(signal.SIGTERM, _leave)
    options = dict(module.params)
    module.params = conninfo.without_secrets(options)
    module.no_log_values.clear()
    outcome = perform(definition, options, module.check_mode)
    result = plain(outcome.result)
    failed = bool(result.pop("failed", False))
    try:
        for warning in outcome.warnings:
            warn(warning)  # that of the module logs it too, and ends with another result where that fails
        end: t.Any = module.fail_json if failed else module.exit_json
        end(**result)
    except Exception:  # noqa: BLE001 - what was done is told, whatever becomes of Ansible's own way to tell it
        said = {"warnings": plain(outcome.warnings)} if outcome.warnings else {}
        _end({**result, **said, "failed": failed})


def _leave(number: int, _frame: object) -> t.NoReturn:
    raise SystemExit(128 + number)


def _refuse(message: str) -> t.NoReturn:
    """End as a module does that Ansible could not make."""
    _end({"failed": True, "msg": visible(message)})


def _end(result: t.Mapping[str, t.Any]) -> t.NoReturn:
    sys.stdout.write(json.dumps(result))
    sys.stdout.flush()
    raise SystemExit(1 if result["failed"] else 0)


def plain(value: t.Any) -> t.Any:
    """A value of the types of JSON, and each text one that can be written: no way of Ansible stumbles over it."""
    if isinstance(value, t.Mapping):
        return {_text(key): plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(part) for part in value]
    if value is None or isinstance(value, bool):
        return value
    for kind in (int, float):
        if isinstance(value, kind):
            return kind(value)
    return _text(value)


def _text(value: t.Any) -> str:
    return str(value).encode("utf-8", "backslashreplace").decode("utf-8")


def _check_texts(values: t.Mapping[str, t.Any], prefix: str = "") -> None:
    """No text can hold what the protocol cannot: the server would see another text, cut off."""
    for name, value in values.items():
        # The name too: of a parameter in connect_params it is the user's.
        for part in [name, *(value if isinstance(value, list) else [value])]:
            if isinstance(part, dict):
                _check_texts(part, f"{prefix}{name}.")
            elif isinstance(part, str) and ("\0" in part or not _is_encodable(part)):
                raise OptionError(
                    (prefix + name).encode("ascii", "backslashreplace").decode().replace("\0", "\\0"),
                    "it has a NUL character or half of a surrogate pair, which is no text",
                )


def _is_encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
