# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tells ansible-lint whether the options of a task are those of the module. Private to the collection.

For a module with an action plugin, ansible-lint calls main() of the plugin, with the options as a module reads them,
and takes what is printed before the process would end for a violation. Nothing is run, and nothing is connected to.
"""

from __future__ import annotations

import json
import sys
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError
from ansible_collections.gpops.toolkit.plugins.module_utils._core import list_text
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError
from ansible_collections.gpops.toolkit.plugins.plugin_utils._message import GIVEN, HANDED_ON

Spec = t.Mapping[str, t.Any]
Options = t.Mapping[str, t.Any]
_TEMPLATES = ("{{", "{%")


def check(name: str, argument_spec: Spec, mutually_exclusive: t.Sequence[t.Any] = ()) -> None:
    """Read the options of a task as a module does; say so and end if the module would refuse them.

    Args:
        name: Of the module.
        argument_spec: Its options.
        mutually_exclusive: Likewise.
    """
    problem = problem_of(json.load(sys.stdin)["ANSIBLE_MODULE_ARGS"], argument_spec, mutually_exclusive)
    if problem:
        sys.stdout.write(json.dumps({"failed": True, "msg": f"gpops.toolkit.{name}: {problem}"}))
        raise SystemExit(1)


def problem_of(given: Options, argument_spec: Spec, mutually_exclusive: t.Sequence[t.Any] = ()) -> str:
    """PURE: why these options cannot be meant, or nothing; of what is a template yet, only the name counts."""
    spec = _as_in_tasks(argument_spec)
    certain = _certain(given, spec)
    if certain != given:
        spec = _optional(spec)
    try:
        options = list_text.prepared(certain, spec)
    except OptionError as error:
        return error.message
    found = ArgumentSpecValidator(spec, mutually_exclusive=mutually_exclusive).validate(options)
    unknown = "unsupported options: " if any(isinstance(error, UnsupportedError) for error in found.errors) else ""
    # Of an option of an option ansible-lint would look for the value in the task, and break off.
    return unknown + "; ".join(found.error_messages).replace("' is of type ", "' has the type ")


def _as_in_tasks(spec: Spec) -> dict[str, t.Any]:
    """The options under the names that tasks may give them."""
    found = {name: _with_inner(kind, _as_in_tasks) for name, kind in spec.items()}
    return {**found, GIVEN: spec[HANDED_ON]} if HANDED_ON in spec else found


def _optional(spec: Spec) -> dict[str, t.Any]:
    return {name: {**_with_inner(kind, _optional), "required": False} for name, kind in spec.items()}


def _with_inner(kind: Spec, change: t.Callable[[Spec], dict[str, t.Any]]) -> dict[str, t.Any]:
    return {**kind, "options": change(kind["options"])} if kind.get("options") else dict(kind)


def _certain(given: Options, spec: Spec) -> dict[str, t.Any]:
    """The options without those whose value a template will make; those that there are not stay."""
    found: dict[str, t.Any] = {}
    for name, value in given.items():
        inner = spec.get(name, {}).get("options")
        if inner and isinstance(value, list):
            found[name] = [_certain(part, inner) if isinstance(part, dict) else part for part in value]
        elif inner and isinstance(value, dict):
            found[name] = _certain(value, inner)
        elif name not in spec or not _has_template(value):
            found[name] = value
    return {name: value for name, value in found.items() if name not in spec or not _is_template(value)}


def _is_template(value: t.Any) -> bool:
    """Whether it, or an entry of a list, is a text that a template will make something else of."""
    parts = value if isinstance(value, list) else [value]
    return any(isinstance(part, str) and _has_template(part) for part in parts)


def _has_template(value: t.Any) -> bool:
    return any(mark in str(value) for mark in _TEMPLATES)
