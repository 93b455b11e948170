# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: what Ansible hands over -> plain data without secrets. Private to the collection."""

from __future__ import annotations

import datetime as dt
import math
import re
import typing as t
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.query_text import mask_passwords
from jinja2 import Undefined

# Deeper than any result of a module; a structure that holds itself ends here.
MAX_DEPTH = 40
_SECRET = re.compile(r"passw|passphrase|passfile|secret|token|credential|private_?key|api_?key", re.IGNORECASE)
_OF_ANSIBLE = re.compile(r"invocation|_ansible_.*")
# The keys of these are names and states, and their values numbers: a role may be called token.
_COUNTS = re.compile(r"by_\w+|counts")


def plain(value: t.Any, depth: int = 0) -> t.Any:
    """The value as JSON has it: no tags of Ansible, no undefined values, no keys that name a secret.

    Args:
        value: Anything that a task can be given.
        depth: How deep in the whole it lies.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if depth > MAX_DEPTH:
        return "..."
    if isinstance(value, Mapping):
        return {_text(str(key)): plain(value[key], depth + 1) for key in value if not is_secret(str(key))} | {
            name: _counts(value[name]) for name in value if _COUNTS.fullmatch(str(name)) and _is_counts(value[name])
        }
    if isinstance(value, (list, tuple, AbstractSet)):
        return [plain(item, depth + 1) for item in value]
    return _other(value)


def is_secret(name: str) -> bool:
    """Whether a key of this name is left out."""
    return bool(_SECRET.search(name) or _OF_ANSIBLE.fullmatch(name))


def _is_counts(value: t.Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(number, int) for number in value.values())


def _counts(value: t.Mapping[t.Any, int]) -> dict[str, int]:
    return {_text(str(name)): int(value[name]) for name in value}


def _text(value: str) -> str:
    """A str of its own, whatever class of Ansible it was; half of a surrogate pair is no text."""
    text = str.__str__(value)
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode("utf-8")
    return mask_passwords(text, said=True)


def _other(value: t.Any) -> t.Any:
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray)):
        return _text(bytes(value).decode("utf-8", "replace"))
    # To ask an undefined value for its text would raise.
    return None if isinstance(value, Undefined) else _text(str(value))
