# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: options as surveys, -e name=value and inventories give them: lists as text, and nothing as an empty text.

Ansible splits a text at its commas and keeps blanks and quotes, so that a name becomes another name. Here a text is
taken apart before Ansible looks at it. Private to the collection.
"""

from __future__ import annotations

import ast
import contextlib
import json
import re
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError

Spec = t.Mapping[str, t.Any]
# An entry in quotes, or up to the next separator; a comma inside of a glob's brackets is none.
_ENTRY = re.compile(
    r"""\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>(?:\[[^\]\n]*\]|[^,;\n])*))\s*(?:[,;\n]|\Z)"""
)
_IN_BRACKETS = re.compile(r"\[(?P<inner>.*)\]\Z", re.DOTALL)
_AFTER_A_TIME = re.compile(r"[;\n]|(?<=\d\d:\d\d)\s*,")
_QUOTES = ("'", '"')
# Lists whose entries have commas of their own.
_WINDOWS = "windows"
# In these an entry of a real list may be any text: names that are no globs, and what is no name.
_ANY_TEXT = ("roles", _WINDOWS, "states", "fields")
# Options of which an empty text says something.
_TEXTS = ("connect_params", "name", "victim_message", "why")


def prepared(options: Spec, spec: Spec, prefix: str = "") -> dict[str, t.Any]:
    """The options with lists for what is a list as text, and without those that are an empty text.

    Args:
        options: As they are given.
        spec: The argument_spec.
        prefix: Of the option in which these are.

    Raises:
        OptionError: A text cannot be taken apart, or an entry of a list is not what was meant.
    """
    found: dict[str, t.Any] = {}
    for name, value in options.items():
        kind = spec.get(name, {})
        if isinstance(value, str) and not value.strip() and _is_nothing(name, kind):
            continue
        found[name] = _list(prefix + name, name, value, kind) if kind.get("type") == "list" else value
    return found


def _is_nothing(name: str, kind: Spec) -> bool:
    """Whether an empty text says that the option is not given."""
    return bool(kind) and not name.startswith("login_") and name not in _TEXTS


def _list(option: str, name: str, value: t.Any, kind: Spec) -> t.Any:
    if isinstance(value, str):
        # Of what is no name Ansible says itself that it is not as it should be.
        of_names = kind.get("elements") != "dict"
        value = entries(option, value, by_time=name == _WINDOWS) if of_names else _literal(value) or value
    if not isinstance(value, (list, tuple)):
        return value
    if kind.get("elements") == "dict":
        inner = kind.get("options") or {}
        each = f"{option}[{{}}]."
        return [
            prepared(part, inner, each.format(number)) if isinstance(part, t.Mapping) and inner else part
            for number, part in enumerate(value)
        ]
    if kind.get("elements") == "str" and name not in _ANY_TEXT:
        for part in value:
            check_name(option, part)
    return list(value)


def entries(option: str, text: str, *, by_time: bool = False) -> list[t.Any]:
    """The entries of a list that is a text: [a, b], or a, b with commas, semicolons or line ends between them.

    Raises:
        OptionError: It could mean two things.
    """
    stripped = text.strip()
    found = _literal(stripped)
    if found is not None:
        return found
    inner = _IN_BRACKETS.match(stripped)
    # A glob may begin with a bracket and end with one, as [a]b[c].
    if inner and "[" not in inner.group("inner"):
        if "," in inner.group("inner"):
            return _split(inner.group("inner"))
        raise OptionError(option, f"{text!r} could be a list or a glob of one character; write it as a list")
    if by_time:
        return [part.strip().strip("\"'") for part in _AFTER_A_TIME.split(stripped) if part.strip()]
    return _split(stripped)


def _literal(text: str) -> list[t.Any] | None:
    """The list that is written as JSON or as Python writes it, if it is one."""
    if not text.lstrip().startswith("["):
        return None
    for read in (json.loads, ast.literal_eval):
        with contextlib.suppress(ValueError, SyntaxError, RecursionError, MemoryError):
            found = read(text.strip())
            return found if isinstance(found, list) else None
    return None


def _split(text: str) -> list[str]:
    found = (
        entry.group("double") or entry.group("single") or (entry.group("bare") or "").strip()
        for entry in _ENTRY.finditer(text)
    )
    return [each for each in found if each]


def exactly(name: str) -> str:
    """A name as a glob that fits this one only, and that no list takes for several."""
    escaped = re.sub(r"[*?\[,;\n\"']", r"[\g<0>]", name)
    return re.sub(r"\A\s|\s\Z", r"[\g<0>]", escaped)


def check_name(option: str, name: t.Any) -> None:
    """Refuse an entry of a list that is several, or has what is not of its name.

    Raises:
        OptionError: It has blanks or quotation marks at its ends, or a separator.
    """
    if not isinstance(name, str):
        return
    why = None
    if name != name.strip():
        why = "begins or ends with a blank"
    elif name[:1] in _QUOTES or name[-1:] in _QUOTES:
        why = "begins or ends with a quotation mark"
    else:
        separator = re.search(r"[,;\n]", re.sub(r"\[[^\]]*\]", "", name))
        if separator:
            why = {",": "has a comma", ";": "has a semicolon", "\n": "has a line end"}[separator.group()]
    if why:
        raise OptionError(
            option, f"{name!r} {why}; each entry is one name, and a glob such as [,] or [ ] stands for such a character"
        )
