# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: texts of users and numbers, as a report shows them. Private to the collection."""

from __future__ import annotations

import typing as t

NAME_LENGTH = 63
# The name of a login role is visible to all; of one that was dropped there is none.
DROPPED = "role that was dropped"
QUERY_LENGTH = 200
REASON_LENGTH = 400
_CUT = "\N{HORIZONTAL ELLIPSIS}"
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
# Below this many seconds a tenth matters.
_TENTHS = 10


def visible(text: str) -> str:
    """The text in one line, with whatever would steer a screen or turn the reading direction made visible."""
    text = " ".join(text.split())
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(character: str) -> str:
    code = ord(character)
    if character.isprintable():
        return character
    if code < ord(" "):
        # The block of pictures for control codes has them in their order.
        return chr(0x2400 + code)
    return f"\N{MATHEMATICAL LEFT ANGLE BRACKET}U+{code:04X}\N{MATHEMATICAL RIGHT ANGLE BRACKET}"


def shortened(value: t.Any, length: int) -> str:
    """The value as a visible text of at most this length; nothing for None."""
    if value is None:
        return ""
    # No character becomes less than one: what is beyond the length is cut anyway.
    text = visible(" ".join(str(value).split())[: length + 1])
    return text if len(text) <= length else text[: length - 1].rstrip() + _CUT


def name(value: t.Any) -> str:
    """A name, such as that of a role."""
    return shortened(value, NAME_LENGTH)


def query(value: t.Any) -> str:
    """A query text."""
    return shortened(value, QUERY_LENGTH)


def reason(value: t.Any) -> str:
    """A message."""
    return shortened(value, REASON_LENGTH)


def duration(seconds: float | None) -> str:
    """The duration in the two units that matter."""
    if seconds is None:
        return ""
    whole = int(max(0.0, seconds))
    if whole < _TENTHS:
        return f"{max(0.0, seconds):.1f} s"
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02d} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02d} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def counted(number: int, one: str, many: str) -> str:
    """The number with its noun."""
    return f"{number} {one if number == 1 else many}"
