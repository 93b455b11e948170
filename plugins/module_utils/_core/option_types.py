# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: what options of several modules are written in: durations and names. Private to the collection.

Apart from the selection, so that modules that select no sessions do without that.
"""

from __future__ import annotations

import fnmatch
import re
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError

MAX_WAIT = 7 * 86400.0
_UNIT_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[smhd]?)\Z")


def duration(option: str, value: t.Any) -> float:
    """Seconds of 90, 90s, 15m, 2h or 1d.

    Raises:
        OptionError: It is none of these.
    """
    found = _DURATION.match(str(value).strip())
    if not found:
        raise OptionError(
            option, f"{value!r} is not a duration; use seconds, or a number with s, m, h or d, such as 90s, 15m, 2h, 1d"
        )
    return float(found.group("number")) * _UNIT_SECONDS[found.group("unit")]


def waiting_time(option: str, value: t.Any) -> float:
    """A duration that is waited for, at most seven days.

    Raises:
        OptionError: It is none, or longer.
    """
    seconds = duration(option, value)
    if seconds > MAX_WAIT:
        raise OptionError(option, f"{value} is not allowed; it is at most 7d")
    return seconds


def names_test(option: str, patterns: t.Iterable[str]) -> t.Callable[[t.Any], bool]:
    """Whether a name is one of these, exact or as a glob.

    Raises:
        OptionError: A pattern cannot be used.
    """
    compiled = [_glob(option, pattern) for pattern in patterns]
    return lambda name: name is not None and any(pattern.match(name) for pattern in compiled)


def _glob(option: str, pattern: str) -> t.Pattern[str]:
    if not pattern and option not in ("application_names", "exclude_application_names"):
        raise OptionError(option, "an empty name is not allowed")
    # fnmatch takes an open bracket for itself, silently: then a rule would protect or hit nobody.
    if re.search(r"\[(?!!?\]?[^\]]*\])", pattern):
        raise OptionError(
            option,
            f"{pattern!r} has a '[' that is never closed; write [[] for the character itself, or * ? [abc] globs",
        )
    try:
        return re.compile(fnmatch.translate(pattern))
    except re.error as error:  # Python 3.8 on a range such as [z-a]
        raise OptionError(option, f"{pattern!r} is not a glob: {error}") from None
