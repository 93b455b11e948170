# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: settings that a session has from its first moment, as libpq's parameter options. Private to the collection.

Each SET of a setting that the segments must know starts a process on every one of them, on Greenplum 6 and 7 alike:
with one segment that hangs, a session that begins with a SET hangs too. What comes with the login starts none.
"""

from __future__ import annotations

import re
import typing as t

# The server reports it to the client unasked, so the client knows that its options arrived. ISO, which the driver
# wants, shows the same for each order of day and month.
PROBE_SETTING = ("DateStyle", "ISO, YMD")
BYPASS = "gp_resource_group_bypass"
ROLE = "role"
# As which the login role acts as itself.
NO_ROLE = "none"
# Who owns a database sets what each login to it begins with (ALTER DATABASE … SET), and for roles there is the same.
# What we read and tell depends on these; all are as old as the oldest base, for an engine that knows one of them not
# lets nobody in. tests/integration/login_settings.py says why, and of each other setting why it is left alone.
_ALWAYS = {
    "exit_on_error": "off",
    "client_min_messages": "warning",
    "extra_float_digits": "0",
    "IntervalStyle": "postgres",
    "quote_all_identifiers": "off",
    "standard_conforming_strings": "on",
    "gp_select_invisible": "off",
}
# Likewise, unless the operator says otherwise: who asks for a session that only reads has one.
_UNLESS_GIVEN = {
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
}
# Likewise, but not each engine knows them, and not each role may set them: only once they are seen to be otherwise.
IF_OTHERWISE = {BYPASS: "off", "idle_session_timeout": "0"}
# With very little, Greenplum 7 refuses each statement; so much is the engines' own default.
ENOUGH_MEMORY = {"statement_mem": "125MB"}
QUEUE_LIMIT = "gp_resource_group_queuing_timeout"
# How long a full group is waited for before the queue is bypassed, and at most what part of the time. As long may a
# session of Greenplum 7 wait with its end, after a function of mdb_toolkit, where its role may not bypass the queue.
_QUEUE_SECONDS = 0.5
_QUEUE_SHARE = 0.2
# The server's names are shorter, and no character is cut in two.
_NAME_BYTES = 64
_WORD = re.compile(r"(?:\\.|[^\\\s])+", re.DOTALL)
# A setting of no meaning, which tells the session that has our settings from the others of a pooler.
SESSION_MARK = "gpops.session"


def limits(remaining: float, patient: bool = False) -> dict[str, str]:
    """What bounds each wait on the server.

    Args:
        remaining: Seconds that the client has; the server gives up a little before, its own error says more.
        patient: Wait for a slot of a full group as long as for anything else.
    """
    limit = max(1, int(1000 * (remaining - min(1.0, remaining * 0.2))))
    queue = limit if patient else min(limit, max(1, int(1000 * min(_QUEUE_SECONDS, remaining * _QUEUE_SHARE))))
    return {
        "search_path": "pg_catalog",
        "statement_timeout": str(limit),
        # Before the statement's, whose error would not say that it was a lock.
        "lock_timeout": str(max(1, limit * 9 // 10)),
        QUEUE_LIMIT: str(queue),
    }


def fixed(given: str | None) -> dict[str, str]:
    """What holds whatever a database or a role sets.

    Args:
        given: The options that the user has set.
    """
    theirs = settings_in(given)
    return {**_ALWAYS, **{name: value for name, value in _UNLESS_GIVEN.items() if name not in theirs}}


def wanted_role(session_role: str | None, given: str | None) -> str:
    """The role that the session is to act as, or NO_ROLE; one in the user's own options is meant, too."""
    return session_role or settings_in(given).get(ROLE) or NO_ROLE


def settings_in(options: str | None) -> dict[str, str]:
    """The settings in libpq's options, by their names in small letters, as the server reads them.

    That is -c name=value, -cname=value or --name=value; white space ends a word, unless a backslash is before.
    """
    words = [re.sub(r"\\(.)", r"\1", word, flags=re.DOTALL) for word in _WORD.findall(options or "")]
    found: dict[str, str] = {}
    for before, word in zip(["", *words], words):
        name, equals, value = (word if before == "-c" else word[2:]).partition("=")
        if equals and (before == "-c" or word.startswith(("-c", "--"))):
            found[name.lower().replace("-", "_")] = value
    return found


def is_same_role(wanted: str, found: str) -> bool:
    """Whether the server's name is the one that was asked for, of which it may have cut off what is too long."""
    asked, there = wanted.encode(), found.encode()
    return asked == there or (len(asked) >= _NAME_BYTES > len(there) > _NAME_BYTES - 5 and asked.startswith(there))


def with_settings(params: t.Mapping[str, t.Any], given: str | None, settings: t.Mapping[str, str]) -> dict[str, t.Any]:
    """The libpq parameters with these settings too.

    Args:
        given: The options that the user has set, which stay; but ours count.
    """
    ours = [f"-c {name}={_escaped(value)}" for name, value in [*settings.items(), PROBE_SETTING]]
    return {**params, "options": " ".join([given or "", *ours]).strip()}


def _escaped(value: str) -> str:
    return re.sub(r"([\\\s])", r"\\\1", value)


def refused(message: str, settings: t.Iterable[str]) -> bool:
    """Whether a connection failed for its options: a pooler may take none, an engine may not know one of the settings.

    Names of settings are the same in each language of the server.
    """
    # A role is in many messages.
    names = [name for name in settings if name != ROLE]
    return any(word in message for word in [*names, PROBE_SETTING[0], "startup parameter", "options"])


def refuses_role(message: str, role: str | None) -> bool:
    """Whether a connection failed for the role that it was to become."""
    words = (f'parameter "{ROLE}"', "permission denied to set role", f'role "{role}" does not exist')
    return bool(role) and any(each in message for each in words)


def refuses_bypass(message: str) -> bool:
    """Whether a connection failed because this role may not bypass its group."""
    return f'permission denied to set parameter "{BYPASS}"' in message
