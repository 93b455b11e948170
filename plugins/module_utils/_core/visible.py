# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: the one place that makes texts of others harmless to a terminal. Private to the collection.

A server's error, a name or a query text may hold escape sequences, or turn the reading direction. As data they stay as
they are; in what we say they are shown as codes.
"""

from __future__ import annotations

import re
import typing as t

# C0 and C1 control characters and DEL, what turns the reading direction, other line ends, invisible tags, half
# surrogate pairs, and what XML does not take.
_STEERS = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\ufffe\uffff\U000e0000-\U000e007f"
)
_MANY_LINES = re.compile(f"[{_STEERS}]")
_ONE_LINE = re.compile(f"[\t\n{_STEERS}]")
# In results: what is made to be read by people, and nobody takes for data.
_SAID = frozenset(["msg", "reason", "warnings", "deprecations", "diff", "text"])


def visible(text: str) -> str:
    """The text with tabs and line ends, and all else that would steer a terminal as codes: \\x1b, \\u202e."""
    return text if text.isascii() and text.isprintable() else _MANY_LINES.sub(_code, text)


def in_one_line(text: str) -> str:
    """The same with tabs and line ends as codes, too."""
    return text if text.isascii() and text.isprintable() else _ONE_LINE.sub(_code, text)


def _code(found: t.Match[str]) -> str:
    character = found.group()
    if character.isascii():
        return f"\\x{ord(character):02x}"
    return character.encode("ascii", "backslashreplace").decode("ascii")


def shown(value: t.Any) -> t.Any:
    """Each text in the value made visible."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, t.Mapping):
        return {shown(key): shown(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [shown(part) for part in value]
    return value


def said(result: t.Any) -> t.Any:
    """A result whose messages are visible, wherever in it they are; its data stays as it is."""
    if isinstance(result, t.Mapping):
        return {key: shown(part) if key in _SAID else said(part) for key, part in result.items()}
    if isinstance(result, (list, tuple)):
        return [said(part) for part in result]
    return result
