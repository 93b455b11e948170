# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: what the server answered -> typed rows, or one clear error. Private to the collection.

The driver hands over the texts that came in. Whatever a server, a function of a service or something between sends
instead of what was asked for, it is found here, before anything is decided by it.
"""

from __future__ import annotations

import json
import math
import re
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import BadAnswer, shortened

Texts = t.Tuple[t.Optional[str], ...]
_Record = t.Dict[str, t.Any]

# One answer may have so many rows, and so many bytes in them: what is listed for thousands of sessions is far less.
MAX_ROWS = 200_000
MAX_BYTES = 64 * 1024 * 1024
_WHOLE = re.compile(r"-?\d{1,19}\Z", re.ASCII)
_INSTANT = re.compile(r"\d{4,6}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\Z", re.ASCII)
_BOOLEANS = {"t": True, "f": False}
# The protocol knows none of these, JSON does; as names they could not be sent back.
_NO_TEXT = re.compile("[\0\ud800-\udfff]")


class Rows(t.NamedTuple):
    """What a statement returned: texts, decoded if need be with replacement characters."""

    columns: tuple[str, ...]
    rows: list[Texts]


class Unfit(ValueError):
    """A value is not of a kind."""


class Kind(t.NamedTuple):
    """What a value must be.

    Attributes:
        words: The same in words.
        of_json: A value of JSON -> the value; raises Unfit.
        of_text: A text -> a value of JSON; raises Unfit.
        or_none: Whether nothing (NULL) is allowed, too.
    """

    words: str
    of_json: t.Callable[[t.Any], t.Any]
    of_text: t.Callable[[str], t.Any] = str
    or_none: bool = False


def maybe(kind: Kind) -> Kind:
    """The same, or nothing."""
    return kind._replace(or_none=True)


def _whole(low: int, high: int) -> t.Callable[[t.Any], int]:
    def check(value: t.Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise Unfit(value)
        return value

    return check


def _whole_of_text(text: str) -> int:
    if not _WHOLE.match(text):
        raise Unfit(text)
    return int(text)


def _number(value: t.Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise Unfit(value)
    return value


def _boolean(value: t.Any) -> bool:
    if not isinstance(value, bool):
        raise Unfit(value)
    return value


def _boolean_of_text(text: str) -> bool:
    if text not in _BOOLEANS:
        raise Unfit(text)
    return _BOOLEANS[text]


def _text(value: t.Any) -> str:
    if not isinstance(value, str) or _NO_TEXT.search(value):
        raise Unfit(value)
    return value


def _instant(value: t.Any) -> str:
    if not isinstance(value, str) or not _INSTANT.match(value):
        raise Unfit(value)
    return value


def _whole_in_text(value: t.Any) -> str:
    """A limit of a resource group, which the views have as a text or as a number."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not _WHOLE.match(text):
        raise Unfit(value)
    return text


def _plain(value: t.Any) -> t.Any:
    if isinstance(value, (dict, list)):
        raise Unfit(value)
    return value if not isinstance(value, str) else _text(value)


def _pids(value: t.Any) -> list[int]:
    if not isinstance(value, list):
        raise Unfit(value)
    return [PID_OR_NONE.of_json(each) for each in value]


PID = Kind("the number of a process", _whole(1, 2**31 - 1), _whole_of_text)
# A prepared transaction has locks, and no process.
PID_OR_NONE = Kind("the number of a process", _whole(0, 2**31 - 1), _whole_of_text)
PIDS = Kind("a list of processes", _pids)
SMALL = Kind("a whole number", _whole(-(2**31), 2**31 - 1), _whole_of_text)
COUNT = Kind("a number, 0 or more", _whole(0, 2**63 - 1), _whole_of_text)
WHOLE = Kind("a whole number", _whole(-(2**63), 2**63 - 1), _whole_of_text)
NUMBER = Kind("a number", _number)
BOOLEAN = Kind("true or false", _boolean, _boolean_of_text)
TEXT = Kind("a text", _text)
INSTANT = Kind("a moment", _instant)
WHOLE_IN_TEXT = Kind("a whole number", _whole_in_text)
PLAIN = Kind("a single value", _plain)
# Of a service's function it is not known what it returns.
ANYTHING = Kind("anything", lambda value: value, lambda text: _BOOLEANS.get(text, text), or_none=True)


def tuples(answer: Rows, what: str, *kinds: Kind) -> list[tuple[t.Any, ...]]:
    """The rows of a statement, by the place of each column.

    Args:
        answer: As the driver has it.
        what: What was asked for, in words.
        kinds: Of each column.

    Raises:
        BadAnswer: It is not that.
    """
    if len(answer.columns) != len(kinds):
        raise bad(what, f"it has {len(answer.columns)} columns, not {len(kinds)}")
    return [
        tuple(_of_text(text, kind, what, f"row {number}") for text, kind in zip(row, kinds))
        for number, row in enumerate(answer.rows, 1)
    ]


def one(answer: Rows, what: str, *kinds: Kind) -> tuple[t.Any, ...]:
    """The only row of a statement; raises as tuples does."""
    rows = tuples(answer, what, *kinds)
    if len(rows) != 1:
        raise bad(what, f"there are {len(rows)} rows, not one")
    return rows[0]


def records(answer: Rows, what: str, kinds: t.Mapping[str, Kind]) -> list[_Record]:
    """The rows of a statement, by the names of its columns; raises as tuples does."""
    rows = tuples(answer, what, *kinds.values())
    if list(answer.columns) != list(kinds):
        raise bad(what, f"its columns are {_cut(', '.join(answer.columns))}")
    return [dict(zip(kinds, row)) for row in rows]


def json_records(text: str | None, what: str, kinds: t.Mapping[str, Kind], rest: Kind | None = None) -> list[_Record]:
    """A list of objects in JSON; NULL is an empty one.

    Args:
        text: The JSON.
        what: What was asked for, in words.
        kinds: By name. One that may be nothing may also be missing.
        rest: Of what has another name, which is left out by default.

    Raises:
        BadAnswer: It is not that.
    """
    return checked(_json("[]" if text is None else text, what), what, kinds, rest)


def checked(found: t.Any, what: str, kinds: t.Mapping[str, Kind], rest: Kind | None = None) -> list[_Record]:
    """The same of what was JSON."""
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise bad(what, "it is no list of records")
    if len(found) > MAX_ROWS:
        raise bad(what, f"it has {len(found)} records; {MAX_ROWS} are read at most")
    return [_record(each, what, f"record {number}", kinds, rest) for number, each in enumerate(found, 1)]


def json_record(text: str | None, what: str, kinds: t.Mapping[str, Kind], rest: Kind | None = None) -> _Record:
    """One object in JSON; raises as json_records does."""
    found = _json("" if text is None else text, what)
    if not isinstance(found, dict):
        raise bad(what, "it is no record")
    return _record(found, what, "record 1", kinds, rest)


def _record(found: _Record, what: str, where: str, kinds: t.Mapping[str, Kind], rest: Kind | None) -> _Record:
    wanted = dict(kinds) if rest is None else {**dict.fromkeys(found, rest), **kinds}
    return {
        name: _checked(found.get(name), kind, what, f"{where}, {name}")
        for name, kind in wanted.items()
        if name in found or not kind.or_none
    }


def json_names(text: str | None, what: str) -> list[str]:
    """A list of texts in JSON; NULL is an empty one. Raises as json_records does."""
    found = _json("[]" if text is None else text, what)
    if not isinstance(found, list):
        raise bad(what, "it is no list")
    return [_checked(each, TEXT, what, f"name {number}") for number, each in enumerate(found, 1)]


def unique(values: t.Iterable[t.Any], what: str) -> None:
    """Raise BadAnswer if a value is there twice that names something."""
    seen = set()
    for value in values:
        if value in seen:
            raise bad(what, f"{value!r} is there twice")
        seen.add(value)


def _json(text: str, what: str) -> t.Any:
    def refuse(word: str) -> t.NoReturn:
        raise ValueError(word)

    try:
        return json.loads(text, parse_constant=refuse, parse_int=_json_whole)
    except (ValueError, RecursionError):
        raise bad(what, f"it is no JSON: {_cut(repr(text))}") from None


def _json_whole(text: str) -> int | float:
    # A number of a million digits takes minutes.
    return int(text) if _WHOLE.match(text) else math.inf


def _of_text(text: str | None, kind: Kind, what: str, where: str) -> t.Any:
    if text is None:
        return _checked(None, kind, what, where)
    try:
        value = kind.of_text(text)
    except ValueError:
        value = text
    return _checked(value, kind, what, where)


def _checked(value: t.Any, kind: Kind, what: str, where: str) -> t.Any:
    if value is None and kind.or_none:
        return None
    try:
        return kind.of_json(value)
    except ValueError:
        raise bad(what, f"{where}: {_shown(value)} is not {kind.words}") from None


def _shown(value: t.Any) -> str:
    if isinstance(value, (dict, list)):
        return "a list" if isinstance(value, list) else "a record"
    return "nothing" if value is None else _cut(repr(value))


def _cut(text: str) -> str:
    return shortened(text, 100)


def bad(what: str, problem: str) -> BadAnswer:
    """The error that an answer is not what was asked for."""
    return BadAnswer(f"the server answered something that is not {what}: {problem}")
