# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: what an operator set to stop remediation + how things are -> stopped or not. Private to the collection."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError

DEFAULT_SHARE = 50.0
# A share says nothing of so few.
SMALL_RUN = 20
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_MINUTES = 24 * 60
_HOUR_MINUTES = 60
_ALL = 100.0
_WINDOW = re.compile(
    r"(?:(?P<days>[a-z]{3}(?:-[a-z]{3})?(?:,[a-z]{3}(?:-[a-z]{3})?)*)\s+)?"
    r"(?P<from>\d{1,2}:\d\d)\s*-\s*(?P<to>\d{1,2}:\d\d)\Z"
)


@dataclasses.dataclass(frozen=True)
class Finding:
    """What one guard says.

    Attributes:
        guard: Name of the option.
        passed: Whether it lets the policies act.
    """

    guard: str
    passed: bool
    reason: str


@dataclasses.dataclass(frozen=True)
class Window:
    """Hours of some days of the week.

    Attributes:
        days: From 0, a Monday.
        start: Minute of the day.
        end: Minute of the day, up to 1440; before or at the start it is on the day after.
    """

    text: str
    days: frozenset[int]
    start: int
    end: int

    def is_open(self, now: dt.datetime) -> bool:
        """Whether this moment is in it."""
        minute = now.hour * _HOUR_MINUTES + now.minute
        if self.start < self.end:
            return now.weekday() in self.days and self.start <= minute < self.end
        yesterday = (now.weekday() - 1) % 7
        return (now.weekday() in self.days and minute >= self.start) or (yesterday in self.days and minute < self.end)


def window(text: str) -> Window:
    """A window for one entry of windows.

    Raises:
        OptionError: It is none.
    """
    found = _WINDOW.match(text.strip().lower())
    if not found:
        raise _no_window(text)
    start, end = (_minute(text, found.group(name)) for name in ("from", "to"))
    if start == _DAY_MINUTES:
        raise _no_window(text)
    return Window(text, frozenset(_days(text, found.group("days"))), start, end)


def _no_window(text: str) -> OptionError:
    return OptionError(
        "windows",
        f"{text!r} is not a time window; use such as 22:00-06:00, or with days mon-fri 20:00-23:30 "
        "or sat,sun 00:00-24:00",
    )


def _minute(text: str, clock: str) -> int:
    hour, minute = (int(part) for part in clock.split(":"))
    total = hour * _HOUR_MINUTES + minute
    if minute >= _HOUR_MINUTES or total > _DAY_MINUTES:
        raise _no_window(text)
    return total


def _days(text: str, days: str | None) -> t.Iterator[int]:
    if days is None:
        yield from range(7)
        return
    for part in days.split(","):
        names = part.split("-")
        if any(name not in _DAYS for name in names):
            raise _no_window(text)
        first, last = _DAYS.index(names[0]), _DAYS.index(names[-1])
        yield from (day % 7 for day in range(first, last + 1 if last >= first else last + 8))


def windows(texts: t.Sequence[str] | None) -> list[Window] | None:
    """The time windows; none of them is at no time, and None at any time.

    Raises:
        OptionError: One cannot be used.
    """
    return None if texts is None else [window(text) for text in texts]


def kill_switch_file(path: str | None) -> str | None:
    """The name of the file, or None.

    Raises:
        OptionError: It depends on the folder that the module happens to run in: then it would stop nothing.
    """
    if path and not path.startswith("/"):
        raise OptionError("kill_switch_file", f"{path!r} is not allowed; it begins with / or ~")
    return path or None


def kill_switches(switch: bool, file: str | None, file_exists: bool | None, why_unknown: str = "") -> list[Finding]:
    """What the kill switches say; None is a file of which nobody can tell whether it is there."""
    found = []
    if switch:
        found.append(Finding("kill_switch", False, "kill_switch is set"))
    if file:
        words = f"there is a file {file}" if file_exists else f"there is no file {file}"
        if file_exists is None:
            words = f"whether there is a file {file} cannot be told: {why_unknown}"
        found.append(Finding("kill_switch_file", file_exists is False, words))
    return found


def schedule(windows: t.Sequence[Window] | None, now: dt.datetime) -> list[Finding]:
    """What the time windows say."""
    if windows is None:
        return []
    clock = f"{_DAYS[now.weekday()]} {now:%H:%M} {now.tzname()}"
    opened = next((window.text for window in windows if window.is_open(now)), None)
    if opened is not None:
        return [Finding("windows", True, f"it is {clock}, within {opened}")]
    texts = "; ".join(window.text for window in windows) or "all, because the list is empty"
    return [Finding("windows", False, f"it is {clock}, outside of {texts}")]


def segments(down: int | None, problem: str | None, allowed: bool) -> Finding:
    """What the segments say; a number of those that are down, or why it is unknown."""
    name = "allow_segments_down"
    if down is None:
        return Finding(name, allowed, f"whether a segment is down cannot be read: {problem}")
    if not down:
        return Finding(name, True, "no segment is down")
    return Finding(name, allowed, f"{down} {'segment is' if down == 1 else 'segments are'} down")


def check_share(max_share: float | None) -> None:
    """Raise OptionError if this is no percentage."""
    if max_share is not None and not 0 <= max_share <= _ALL:
        raise OptionError("max_share", f"{max_share:g} is not allowed; it is percent, from 0 to 100")


def over_share(signalled: int, total: int, max_share: float | None) -> str | None:
    """Why so many signals in one run are too large a part of all sessions, or None."""
    if max_share is None and signalled <= SMALL_RUN:
        return None
    share = DEFAULT_SHARE if max_share is None else max_share
    if signalled * _ALL <= share * total:
        return None
    return f"{signalled} of {total} sessions would be more than max_share, {share:g}%"
