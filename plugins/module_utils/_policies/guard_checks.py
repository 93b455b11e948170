# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guards that need no server, asked: switches, files and the clock. Private to the collection."""

from __future__ import annotations

import datetime as dt
import os
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.guards import (
    Finding,
    kill_switch_file,
    kill_switches,
    schedule,
    windows,
)


class GuardChecks:
    """The guards that need no server, understood.

    Raises:
        OptionError: One of them cannot be used.
    """

    def __init__(self, options: t.Mapping[str, t.Any]) -> None:
        self._switch = options["kill_switch"]
        self._file = kill_switch_file(options["kill_switch_file"])
        self._windows = windows(options["windows"])
        self._timezone = _timezone(options["windows_timezone"])

    def findings(self) -> list[Finding]:
        """What they say at this moment."""
        there, why = (None, "") if self._file is None else _is_there(self._file)
        return [
            *kill_switches(self._switch, self._file, there, why),
            *schedule(self._windows, dt.datetime.now(self._timezone)),
        ]


def _is_there(path: str) -> tuple[bool | None, str]:
    """Whether there is anything of this name, be it a link to nothing; None if that cannot be told, and why."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        # A slip in the name, or a share that is not mounted: whoever wants to stop it could not.
        folder = os.path.dirname(path)
        return (False, "") if os.path.isdir(folder) else (None, f"there is no folder {folder}")
    except OSError as error:
        return None, str(error.strerror)
    return True, ""


def _timezone(name: str) -> dt.tzinfo:
    if name == "UTC":
        return dt.timezone.utc
    try:
        import zoneinfo

        return zoneinfo.ZoneInfo(name)
    except (ImportError, KeyError, ValueError, OSError):
        raise OptionError(
            "windows_timezone",
            f"{name!r} is not known to the Python that runs the module; allowed are UTC, and with Python 3.9 "
            "and its time zone data such as Europe/Berlin",
        ) from None
