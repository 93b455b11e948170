# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: chosen sessions -> which of them to signal, and why the others not. Private to the collection.

The order is criteria, then victims, then protection, then the cap. So of victims=oldest a protected one is
spared and nobody else is hit in its place.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.backend import RUNNING_STATES, Backend
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.selection import names_test

CANCELLED = "cancelled"
TERMINATED = "terminated"
GONE = "gone"
CHANGED = "changed"
NOT_APPLICABLE = "not_applicable"
PROTECTED = "protected"
REFUSED = "refused"
ALIVE = "alive"
UNKNOWN = "unknown"
SPARED = "spared"
# Before the state, of a session that was chosen where nothing is sent.
WOULD_BE = "would_be_"

_DROPPED = (
    "its role was dropped, so nothing tells whether it is one of protected_users or a superuser; to end it, set "
    "protected_users to [] and allow_superusers to true"
)
_MOST_NAMES = 3
_START = re.compile(r"\d{4,6}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\Z")
# As Python writes one, in UTC as all of ours are.
_TIME = re.compile(
    r"(?P<day>\d{4,6}-\d\d-\d\d)[T ](?P<time>\d\d:\d\d:\d\d)(?:\.(?P<part>\d{1,6}))?(?:Z|\+00:00)?\Z", re.ASCII
)


@dataclasses.dataclass(frozen=True)
class Protection:
    """What may be signalled.

    Attributes:
        state: cancelled or terminated.
        victims: all, oldest, newest or all_but_oldest.
        protected_users: Names or globs.
        protected_applications: Names or globs. Anybody can take any name, so they count of some users only.
        protected_application_users: Those users, beside superusers.
        allow_superusers: Do not protect superusers as such.
    """

    state: str
    victims: str = "all"
    protected_users: tuple[str, ...] = ()
    protected_applications: tuple[str, ...] = ()
    protected_application_users: tuple[str, ...] = ()
    allow_superusers: bool = False


@dataclasses.dataclass(frozen=True)
class Verdict:
    """One considered session.

    Attributes:
        backend: As it was seen.
        outcome: Why it is not signalled, or None if it is to be.
        reason: The same in words.
    """

    backend: Backend
    outcome: str | None
    reason: str


def check(policy: Protection) -> None:
    """Raise OptionError if a pattern of the policy cannot be used."""
    names_test("protected_users", policy.protected_users)
    names_test("protected_applications", policy.protected_applications)
    names_test("protected_application_users", policy.protected_application_users)


class _Protected:
    """Who is spared as who it is."""

    def __init__(self, policy: Protection) -> None:
        self._policy = policy
        self._is_user = names_test("protected_users", policy.protected_users)
        self._is_application = names_test("protected_applications", policy.protected_applications)
        self._is_trusted = names_test("protected_application_users", policy.protected_application_users)

    def reason(self, backend: Backend) -> str | None:
        """Why this session is protected, or None."""
        policy = self._policy
        if backend.usename is None:
            return _DROPPED if policy.protected_users or not policy.allow_superusers else None
        if self._is_user(backend.usename):
            return f"user {backend.usename} is one of protected_users"
        if backend.is_superuser is not False and not policy.allow_superusers:
            return "a superuser's session; allow_superusers was not given"
        if self.has_protected_name(backend) and self._may_be_protected_by_name(backend):
            return f"{backend.application_name!r} is one of protected_applications"
        return None

    def has_protected_name(self, backend: Backend) -> bool:
        return backend.application_name is None or self._is_application(backend.application_name)

    def _may_be_protected_by_name(self, backend: Backend) -> bool:
        return backend.is_superuser is not False or self._is_trusted(backend.usename)


def protect(chosen: t.Sequence[Backend], policy: Protection) -> list[Verdict]:
    """The verdict on each chosen session that is a victim by age, in the order given."""
    protection = _Protected(policy)
    return [_verdict(backend, policy, protection.reason(backend)) for backend in _by_age(chosen, policy)]


def unprotected_names(verdicts: t.Iterable[Verdict], policy: Protection) -> list[str]:
    """A warning if sessions that are to end have a name that would protect others."""
    protection = _Protected(policy)
    ending = [verdict.backend for verdict in verdicts if verdict.outcome is None]
    found = [backend for backend in ending if backend.application_name and protection.has_protected_name(backend)]
    if not found:
        return []
    users = sorted({str(backend.usename) for backend in found})
    words = f"{', '.join(users[:_MOST_NAMES])}{' and others' if len(users) > _MOST_NAMES else ''}"
    warning = (
        f"protected_applications: {len(found)} of the sessions, first process {found[0].pid}, have such a name, which "
        f"does not protect them: anybody can take any name, and of protected_application_users there is none ({words})"
    )
    return [warning]


def _by_age(chosen: t.Sequence[Backend], policy: Protection) -> list[Backend]:
    if policy.victims == "all":
        return list(chosen)
    # By what would be ended: the statement of a cancel, else the session.
    started = "query_start" if policy.state == CANCELLED else "backend_start"
    known = [
        backend
        for backend in chosen
        if getattr(backend, started) is not None and (policy.state != CANCELLED or backend.state in RUNNING_STATES)
    ]
    known.sort(key=lambda backend: (getattr(backend, started), backend.pid))
    picked = {"oldest": known[:1], "newest": known[-1:], "all_but_oldest": known[1:]}[policy.victims]
    return [backend for backend in chosen if backend in picked]


def _verdict(backend: Backend, policy: Protection, protected: str | None) -> Verdict:
    if protected:
        return Verdict(backend, PROTECTED, protected)
    if backend.backend_start is None or backend.hidden:
        return Verdict(backend, REFUSED, "this role may not see enough of the session to tell it from another one")
    if policy.state == CANCELLED and backend.state in (None, "disabled"):
        return Verdict(backend, REFUSED, "what the session runs cannot be seen, so its statement cannot be told")
    if policy.state == CANCELLED and backend.state not in RUNNING_STATES:
        return Verdict(
            backend,
            NOT_APPLICABLE,
            f"the session is {backend.state} and runs no statement; a cancel does nothing, state=terminated ends it",
        )
    return Verdict(backend, None, f"to be {policy.state}")


def seen_before(records: t.Any, state: str) -> list[Backend]:
    """Records of gp_process_info as sessions.

    Raises:
        OptionError: A record lacks a field that names the session or statement.
    """
    needed = ["pid", "sess_id", "backend_start"] + (["query_start"] if state == CANCELLED else [])
    found = []
    for number, record in enumerate(records, 1):
        for name in needed:
            if name not in record:
                raise OptionError(
                    "processes",
                    f"record {number} has no {name}; each must be a record of gp_process_info with {', '.join(needed)}",
                )
        found.append(_record(number, record))
    return found


def _start(value: t.Any) -> t.Any:
    """A point in time as the engine names it; without quotes YAML reads it as a time, which comes in another form."""
    found = _TIME.match(str(value))
    return f"{found['day']}T{found['time']}.{found['part'] or '':0<6}Z" if found else value


def _record(number: int, record: t.Mapping[str, t.Any]) -> Backend:
    try:
        backend = Backend(
            pid=int(str(record["pid"])),
            sess_id=int(str(record["sess_id"])),
            usename=record.get("usename"),
            datname=record.get("datname"),
            backend_start=_start(record.get("backend_start")),
            query_start=_start(record.get("query_start")),
        )
    except (TypeError, ValueError):
        raise OptionError("processes", f"record {number}: pid and sess_id must be whole numbers") from None
    for name in ("backend_start", "query_start"):
        value = getattr(backend, name)
        if value is not None and not _START.match(str(value)):
            raise OptionError(
                "processes",
                f"record {number}: {name} {value!r} is not as gp_process_info returns it (2026-01-31T23:59:59.123456Z)",
            )
    return backend


def still_there(record: Backend, now: Backend | None, state: str) -> Verdict | None:
    """What became of a session that was seen before, or None if it is the very same session and statement."""
    if now is None:
        return Verdict(record, GONE, "the session has ended since it was seen")
    if record.backend_start is None or now.backend_start is None:
        return Verdict(record, REFUSED, "this role may not see enough of the session to tell it from another one")
    if record.backend_start != now.backend_start:
        return Verdict(record, CHANGED, "another session has this pid now")
    if record.sess_id != now.sess_id:
        return Verdict(now, CHANGED, "the engine has reset the session, which has a new number now")
    if state == CANCELLED and record.query_start != now.query_start:
        return Verdict(now, CHANGED, "the session is at another statement now")
    return None
