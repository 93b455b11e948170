# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""io_limit as the engine reads it and gives it back: tablespaces by their oid, every field said."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

NONE = "-1"
FIELDS = ("rbps", "wbps", "riops", "wiops")
TABLESPACES: Mapping[str, int] = {"pg_default": 1663, "pg_global": 1664}  # in every cluster, on one disk
_CHECKED = (("rbps", 2**44 - 1), ("wbps", 2**44 - 1), ("wiops", 2**32 - 1), ("riops", 2**32 - 1))
_TOKEN = re.compile(r"\s*(?:(?P<word>[A-Za-z_][A-Za-z0-9_]*)|(?P<number>\d+)|(?P<sign>\S))")
_STAR = 0


class IoLimitProblem(Exception):
    """What the engine says to a text that is no io_limit."""

    def __init__(self, sqlstate: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.message = message
        self.hint = hint


@dataclass
class _Entry:
    """One tablespace: its oid, or 0 for all, and what is said of it; 0 means without limit."""

    oid: int
    values: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        name = "*" if self.oid == _STAR else str(self.oid)
        return f"{name}:" + ",".join(f"{key}={self.values.get(key) or 'max'}" for key in FIELDS)


def normalised(text: str, tablespaces: Mapping[str, int] | None = None) -> str:
    """The text as the engine stores it; raises IoLimitProblem."""
    if text == NONE:
        return NONE
    tablespaces = TABLESPACES if tablespaces is None else tablespaces
    entries = _Parser(text, tablespaces).entries()
    for entry in entries:
        _check_range(entry)
    _check_disks(entries, tablespaces)
    return ";".join(map(str, entries))


class _Parser:
    """The grammar: TABLESPACE:KEY=VALUE,…;TABLESPACE:…"""

    def __init__(self, text: str, tablespaces: Mapping[str, int]) -> None:
        self._tokens = [(match.lastgroup or "", match[match.lastgroup or 0]) for match in _TOKEN.finditer(text)]
        self._tablespaces = tablespaces
        self._next = 0

    def entries(self) -> list[_Entry]:
        found = [self._entry([])]
        while self._skip(";"):
            found.append(self._entry(found))
        if self._next < len(self._tokens):
            raise _syntax_error()
        return found

    def _entry(self, before: list[_Entry]) -> _Entry:
        kind, name = self._take()
        is_name = kind == "word" and name not in FIELDS and name != "max"
        if not (is_name or kind == "number" or name == "*"):
            raise _syntax_error()
        self._expect(":")
        values = self._values()
        if any(each.oid == _STAR for each in before) or (name == "*" and before):
            raise _problem("tablespace '*' cannot be used with other tablespaces")
        return _Entry(_STAR if name == "*" else self._oid(kind, name), values)

    def _oid(self, kind: str, name: str) -> int:
        if kind == "number":
            if not 0 < int(name) < 2**32:
                raise _problem("tablespace oid exceeds the limit")
            return int(name)
        if name not in self._tablespaces:
            raise IoLimitProblem("42704", f'tablespace "{name}" does not exist')
        return self._tablespaces[name]

    def _values(self) -> dict[str, int]:
        values: dict[str, int] = {}
        while True:
            kind, key = self._take()
            if kind != "word" or key not in FIELDS:
                raise _syntax_error()
            self._expect("=")
            kind, value = self._take()
            if kind != "number" and value != "max":
                raise _syntax_error()
            if values.get(key):
                raise _problem(f"duplicated IO_KEY: {key}")
            values[key] = 0 if value == "max" else int(value)
            if not self._skip(","):
                return values

    def _take(self) -> tuple[str, str]:
        if self._next >= len(self._tokens):
            raise _syntax_error()
        self._next += 1
        return self._tokens[self._next - 1]

    def _expect(self, sign: str) -> None:
        if self._take()[1] != sign:
            raise _syntax_error()

    def _skip(self, sign: str) -> bool:
        found = self._next < len(self._tokens) and self._tokens[self._next][1] == sign
        self._next += found
        return found


def _check_range(entry: _Entry) -> None:
    for key, high in _CHECKED:
        value = entry.values.get(key, 0)
        if value and not 2 <= value <= high:
            raise IoLimitProblem("22023", f"io limit: {key} must in range [2, {high}] or equal 0")


def _check_disks(entries: list[_Entry], tablespaces: Mapping[str, int]) -> None:
    """Two tablespaces on one disk: here, one that is named twice, or the two that every cluster begins with."""
    names = {oid: name for name, oid in tablespaces.items()}
    disks: dict[int, int] = {}
    for entry in entries:
        disk = TABLESPACES["pg_default"] if entry.oid in TABLESPACES.values() else entry.oid
        if disk in disks:
            pair = f"'{names.get(disks[disk])}' and '{names.get(entry.oid)}'"
            raise IoLimitProblem(
                "22023",
                "io limit: tablespaces of io limit must locate at different disks,"
                f" tablespace {pair} have the same disk identifier.",
                "either omit these tablespaces from the IO limit or mount them separately",
            )
        disks[disk] = entry.oid


def _syntax_error() -> IoLimitProblem:
    return IoLimitProblem("42601", "syntax error")


def _problem(message: str) -> IoLimitProblem:
    return IoLimitProblem("42601", f"io limit: {message}")
