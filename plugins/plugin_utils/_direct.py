# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Direct execution: a module's operation inside the process that the controller forks for the task.

Private to the collection. Nearly all that a task costs is the start of a Python process. Where the task runs locally
anyhow, the action plugin does in place what the module would do, with the same result. In all other cases, and
whenever it is not sure, it runs the module.

Whatever is Ansible's own is used before the operation: if it is not as expected, the task runs as a module. After the
operation comes nothing that can fail, for what was done must be told. The result is plain data, of which Ansible takes
no text for a template.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import sys
import typing as t

from ansible import constants
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.utils.display import Display
from ansible_collections.gpops.toolkit.plugins.module_utils._core import conninfo, driver, list_text
from ansible_collections.gpops.toolkit.plugins.module_utils._core.conninfo import MASK
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError
from ansible_collections.gpops.toolkit.plugins.module_utils._core.interruption import Alarm, alarm_of_the_task
from ansible_collections.gpops.toolkit.plugins.module_utils._core.module import (
    INFINITY,
    Definition,
    Outcome,
    perform,
    plain,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._core.visible import visible
from ansible_collections.gpops.toolkit.plugins.plugin_utils._tidy import TidyAction

COLLECTION = "gpops.toolkit"
SWITCH = "gpops_direct"
DISCOVERED = ("", "auto", "auto_silent", "auto_legacy", "auto_legacy_silent")
# What a process, its libraries or its locale read once, when they start.
READ_AT_START = ("PYTHON", "LD_", "DYLD_", "OPENSSL_", "LC_", "LANG")

display = Display()


@dataclasses.dataclass(frozen=True)
class Circumstances:
    """What decides whether a task can run in the controller's process.

    Attributes:
        transport: Of the connection.
        become: It becomes another user.
        in_background: It is asynchronous.
        interpreter: The Python that was configured for modules, or one of the words for its discovery.
        environment: The names of the task's own environment variables.
        arguments: The names of the task's options.
        switches: Each switch by its name, on or off.
    """

    transport: str
    become: bool
    in_background: bool
    interpreter: str
    environment: t.Collection[str]
    arguments: t.Collection[str]
    switches: t.Mapping[str, bool]


def obstacle(task: Circumstances, own_interpreter: str, driver_missing: bool) -> str | None:
    """Why this task must run as a module, or None."""
    off = [name for name, value in task.switches.items() if not value]
    if off:
        return f"{off[0]} is off"
    if task.transport != "local":
        return f"the connection is {task.transport}"
    if task.become:
        return "it becomes another user"
    if task.in_background:
        return "it is asynchronous"
    if driver_missing:
        return "the Python of the controller has no psycopg2"
    # Another Python may have another driver, another libpq, other certificates.
    if task.interpreter not in DISCOVERED and not same_interpreter(task.interpreter, own_interpreter):
        return f"its Python is {task.interpreter}"
    early = [name for name in task.environment if name.startswith(READ_AT_START)]
    if early:
        return f"{early[0]} of its environment counts at the start of a process"
    internal = [name for name in task.arguments if name.startswith("_ansible_")]
    return f"{internal[0]} is for modules" if internal else None


def same_interpreter(one: str, other: str) -> bool:
    """Whether two paths are the same Python with the same packages: a virtual environment differs by its folder."""
    folders = {os.path.realpath(os.path.dirname(path)) for path in (one, other)}
    return os.path.isabs(one) and len(folders) == 1 and os.path.realpath(one) == os.path.realpath(other)


@contextlib.contextmanager
def environment(values: t.Mapping[str, t.Any]) -> t.Iterator[None]:
    """Set environment variables, for C libraries too, and put back what was there."""
    before = {name: os.environ.get(name) for name in values}
    try:
        os.environ.update({name: str(value) for name, value in values.items()})
        yield
    finally:
        for name, value in before.items():
            # A name that could not be set cannot be taken away either.
            with contextlib.suppress(OSError, ValueError):
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def as_plain_data(arguments: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The options as a module gets them: without tags, and of the types of JSON only."""
    return t.cast("dict[str, t.Any]", json.loads(json.dumps(arguments, **_encoder())))


def _encoder() -> dict[str, t.Any]:
    """How Ansible writes options for a module; where it has neither of these ways, the import fails."""
    try:
        from ansible.module_utils.common.json import Direction, get_module_encoder
    except ImportError:  # ansible-core 2.18
        from ansible.parsing.ajson import AnsibleJSONEncoder  # type: ignore[attr-defined]  # newer ones have none

        return {"cls": AnsibleJSONEncoder, "vault_to_text": True}
    return {"cls": get_module_encoder("legacy", Direction.CONTROLLER_TO_MODULE)}


@dataclasses.dataclass(frozen=True)
class Prepared:
    """All that is to be done here, and all of its result that is known before.

    Attributes:
        definition: What the module does.
        options: As it gets them, valid.
        check_mode: Only look.
        shown: The options without secrets, and what their validation has to say by the way.
        refused: The whole result, if the options are not valid.
        environment: The variables of the task.
        timeout: The seconds that the task has, 0 without a bound.
    """

    definition: Definition
    options: t.Mapping[str, t.Any]
    check_mode: bool
    shown: t.Mapping[str, t.Any]
    refused: t.Mapping[str, t.Any] | None = None
    environment: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    timeout: int = 0


def prepare(
    name: str,
    definition: Definition,
    arguments: t.Mapping[str, t.Any],
    check_mode: bool,
    shows_invocation: bool = True,
) -> Prepared:
    """Validate the options, as a module does."""
    try:
        arguments = list_text.prepared(arguments, definition.argument_spec)
    except OptionError as error:
        return Prepared(definition, {}, check_mode, {}, {"failed": True, "msg": visible(error.message)})
    validated = ArgumentSpecValidator(definition.argument_spec, mutually_exclusive=definition.mutually_exclusive)
    try:
        found = validated.validate(arguments)
    except OverflowError:  # as in run_module
        return Prepared(definition, {}, check_mode, {}, {"failed": True, "msg": INFINITY})
    options = {**arguments, **found.validated_parameters}
    said = _said(found)
    if not found.error_messages:
        invocation = {"invocation": {"module_args": conninfo.without_secrets(options)}} if shows_invocation else {}
        return Prepared(definition, options, check_mode, plain({**invocation, **said}))
    message = found.errors.msg
    if isinstance(found.errors[0], UnsupportedError):
        message = f"Unsupported parameters for ({name}) module: {message}"
    invocation = {"invocation": {"module_args": conninfo.without_secrets(options)}} if shows_invocation else {}
    refused = {"failed": True, "msg": visible(message), **invocation, **said}
    # As a module does, for a message may repeat what was given.
    secret = str(arguments.get("login_password") or "")
    return Prepared(definition, options, check_mode, {}, hidden(plain(refused), secret))


def hidden(value: t.Any, secret: str) -> t.Any:
    """Plain data without a secret, wherever it occurs; truth values stay."""
    if isinstance(value, dict):
        return {name: hidden(part, secret) for name, part in value.items()}
    if isinstance(value, list):
        return [hidden(part, secret) for part in value]
    if value is None or isinstance(value, bool) or not secret or secret not in str(value):
        return value
    whole = not isinstance(value, str) or value == secret
    return MASK if whole else value.replace(secret, "*" * 8)


def _said(found: t.Any) -> dict[str, t.Any]:
    """What the validation of options has to say by the way; a module says it in these words."""
    twice, deprecations = found._warnings, found._deprecations  # noqa: SLF001 - a module has no other source either
    warnings = [f"Both option {each['option']} and its alias {each['alias']} are set." for each in twice]
    said = {"warnings": list(map(visible, warnings)), "deprecations": list(deprecations)}
    return {kind: texts for kind, texts in said.items() if texts}


def act(prepared: Prepared) -> dict[str, t.Any]:
    """Run the operation; what the module would print."""
    if prepared.refused is not None:
        return dict(prepared.refused)
    late = f"Timed out after {prepared.timeout} seconds, the timeout of the task"
    with environment(prepared.environment), alarm_of_the_task(late) as alarm:
        outcome = perform(prepared.definition, prepared.options, prepared.check_mode)
        return result_of(prepared, outcome, alarm)


def result_of(prepared: Prepared, outcome: Outcome, alarm: Alarm) -> dict[str, t.Any]:
    """PURE: what came out, with what was known before; nothing in it can fail."""
    warnings = list(dict.fromkeys([*prepared.shown.get("warnings", ()), *plain(outcome.warnings)]))
    result = {**plain(outcome.result), **prepared.shown}
    if warnings:
        result["warnings"] = warnings
    if alarm.message and (alarm.heard or result.get("failed")):
        said = str(result.get("msg", ""))
        message = said if alarm.message in said else "; ".join(part for part in (alarm.message, said) if part)
        result.update(failed=True, msg=message, timedout={"period": prepared.timeout})
    return result


class DirectAction(TidyAction):
    """The action plugin of one module.

    Attributes:
        module: Its name.
        definition: What it does.
    """

    _supports_async = True
    module: t.ClassVar[str]
    definition: t.ClassVar[Definition]

    def arguments(self) -> dict[str, t.Any]:
        """The options for the module, from those of the task."""
        return dict(self._task.args)

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """The result of the module."""
        super().run(tmp, task_vars)
        name = f"{COLLECTION}.{self.module}"
        arguments = self.arguments()
        prepared = self._prepared(name, arguments, task_vars or {})
        if isinstance(prepared, str):
            display.vvv(f"{name} runs as a module: {prepared}")
            return self._run_module(name, arguments, task_vars)
        display.vvv(f"{name} runs in the process of the controller")
        return act(prepared)

    def _prepared(self, name: str, arguments: dict[str, t.Any], variables: t.Mapping[str, t.Any]) -> Prepared | str:
        """What is to be done here; or why not here."""
        own_environment: dict[str, t.Any] = {}
        try:
            self._compute_environment_string(own_environment)
            switches = self._switches(own_environment, variables)
            task = self._circumstances(arguments, own_environment, switches, variables)
            reason = obstacle(task, sys.executable, driver.PSYCOPG2_IMPORT_ERROR is not None)
            if reason:
                return reason
            check_mode, shows = bool(self._task.check_mode), _shows_invocation(variables)
            prepared = prepare(name, self.definition, as_plain_data(arguments), check_mode, shows)
            timeout = int(self._task.timeout or 0)
            return dataclasses.replace(prepared, environment=own_environment, timeout=timeout)
        except AnsibleError:
            raise
        except Exception as error:  # noqa: BLE001 - another Ansible than those we know; nothing was done yet
            return f"this ansible-core is not understood ({type(error).__name__}: {error})"

    def _run_module(
        self, name: str, arguments: dict[str, t.Any], task_vars: dict[str, t.Any] | None
    ) -> dict[str, t.Any]:
        result: dict[str, t.Any] = self._execute_module(
            module_name=name, module_args=arguments, task_vars=task_vars, wrap_async=self._task.async_val
        )
        return result

    def _switches(self, own_environment: t.Mapping[str, t.Any], variables: t.Mapping[str, t.Any]) -> dict[str, bool]:
        variable = self._templar.template(variables.get(SWITCH, True))
        in_environment = str({**os.environ, **own_environment}.get(SWITCH.upper(), "")) or True
        return {SWITCH: _truth(SWITCH, variable), SWITCH.upper(): _truth(SWITCH.upper(), in_environment)}

    def _circumstances(
        self,
        arguments: t.Collection[str],
        own_environment: t.Mapping[str, t.Any],
        switches: t.Mapping[str, bool],
        variables: t.Mapping[str, t.Any],
    ) -> Circumstances:
        return Circumstances(
            transport=self._connection.transport,
            become=bool(self._connection.become),
            in_background=bool(self._task.async_val),
            interpreter=self._configured_interpreter(variables),
            environment=own_environment,
            arguments=arguments,
            switches=switches,
        )

    def _configured_interpreter(self, variables: t.Mapping[str, t.Any]) -> str:
        if self._task.delegate_to:
            variables = variables.get("ansible_delegated_vars", {}).get(self._task.delegate_to, {})
        value = constants.config.get_config_value("INTERPRETER_PYTHON", variables=variables)
        return str(self._templar.template(value)).strip()


def _shows_invocation(variables: t.Mapping[str, t.Any]) -> bool:
    """Whether results have the options of the task."""
    try:
        return bool(constants.config.get_config_value("INJECT_INVOCATION", variables=variables))
    except AnsibleError:  # before 2.21 there is no such setting, and they always have them
        return True


def _truth(name: str, value: t.Any) -> bool:
    try:
        return bool(boolean(value))
    except TypeError:
        raise AnsibleActionFail(visible(f"{name}: {value!r} is not allowed; it is true or false")) from None
