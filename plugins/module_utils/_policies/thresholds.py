# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: a maximum to reach + the sessions of a moment -> who is to end next. Private to the collection.

A maximum is judged over all sessions, and only sessions that may end (selected and not protected) are picked.
"""

from __future__ import annotations

import collections
import dataclasses
import re
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import waits
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.backend import GROUP_WAIT, SLOT_STATES, Backend
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.identity import NOBODY, Identities
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.selection import names_test
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.verdicts import CANCELLED

OFFENDERS = {
    "user": "usename",
    "database": "datname",
    "application_name": "application_name",
    "client_address": "client_addr",
}
_SHARE = re.compile(r"(?P<number>\d+(?:\.\d+)?)%\Z")
_ALL = 100.0
# Who is missed least ends first.
_BY_STATE = {"idle": 0, "idle in transaction": 1, "idle in transaction (aborted)": 1}


def holds_slot(backend: Backend) -> bool:
    """Whether the session has a slot of its resource group; others have none to give back."""
    return backend.state in SLOT_STATES and backend.waiting_reason != GROUP_WAIT


@dataclasses.dataclass(frozen=True)
class Names:
    """Which names are in question: those that the selection asks for by the same options.

    Attributes:
        wanted: Exact or globs, or None for all.
        unwanted: Exact or globs.
    """

    wanted: tuple[str, ...] | None = None
    unwanted: tuple[str, ...] = ()

    def test(self) -> t.Callable[[t.Any], bool]:
        """Whether a name is in question."""
        wanted = names_test("users", ("*",) if self.wanted is None else self.wanted)
        unwanted = names_test("exclude_users", self.unwanted)
        return lambda name: wanted(name) and not unwanted(name)


@dataclasses.dataclass(frozen=True)
class Moment:
    """The sessions of one look.

    Attributes:
        backends: All client sessions.
        connections: Used ones, our own included.
        max_connections: Of the coordinator.
        who: Which processes are sessions.
    """

    backends: tuple[Backend, ...]
    connections: int
    max_connections: int
    who: Identities = NOBODY


@dataclasses.dataclass(frozen=True)
class Pick:
    """What a maximum asks for now.

    Attributes:
        excess: How far beyond the maximum, 0 if it holds.
        what: The same in words, whichever it is.
        order: The sessions to end, the first one first, of those that may end.
        worst: The session that is to blame most, though it may not end.
    """

    excess: int
    what: str
    order: tuple[Backend, ...] = ()
    worst: Backend | None = None


@dataclasses.dataclass(frozen=True)
class MaxHeldUp:
    """No session holds up more than so many others, directly or through others."""

    limit: int
    batch: int | None = 1

    def pick(self, moment: Moment, eligible: t.Sequence[Backend]) -> Pick:
        """The roots that hold up too many, the worst first, then the oldest transaction."""
        waiters = waiters_among(moment.backends)
        held_up = waits.held_up_by_root(waiters)
        over = [backend for backend in moment.backends if len(held_up.get(backend.pid, ())) > self.limit]
        if not over:
            return self._without_root(waiters, held_up)
        over.sort(key=lambda backend: (-len(held_up[backend.pid]), -(backend.transaction_age or 0), backend.pid))
        may_end = {backend.pid for backend in eligible}
        worst = over[0]
        number = len(held_up[worst.pid])
        return Pick(
            number - self.limit,
            f"process {worst.pid} holds up {number} others, {self.limit} are allowed",
            tuple(backend for backend in over if backend.pid in may_end),
            worst,
        )

    def _without_root(self, waiters: waits.Graph, held_up: waits.Graph) -> Pick:
        """Who waits in a circle holds up others too, and nobody can be named as the one to end."""
        behind_roots = set(held_up).union(*held_up.values())
        for pid in sorted(waiters.keys() - behind_roots):
            number = len(waits.held_up(pid, waiters) - {pid})
            if number > self.limit:
                words = f"process {pid} holds up {number} others, {self.limit} are allowed, behind a circle of waits"
                return Pick(number - self.limit, f"{words}, which the engine itself detects and breaks")
        return Pick(0, f"no session holds up more than {self.limit} others")


def waiters_among(backends: t.Iterable[Backend]) -> dict[int, list[int]]:
    """Each session that is waited for, with those that wait directly for it."""
    return waits.waiters_of({backend.pid: backend.blocked_by or () for backend in backends})


@dataclasses.dataclass(frozen=True)
class MaxRoleSessions:
    """A login role has no more than so many sessions.

    Attributes:
        limit: For those that no quota fits, or None for no limit.
        quotas: Pattern and number; the first that fits counts.
        roles: Those in question.
    """

    limit: int | None
    quotas: tuple[tuple[str, int], ...] = ()
    batch: int | None = None
    roles: Names = Names()

    def pick(self, moment: Moment, eligible: t.Sequence[Backend]) -> Pick:
        """Of each role that has too many, as many as it has too many."""
        tests = [(names_test("role_quotas", [pattern]), number) for pattern, number in self.quotas]
        in_question = self.roles.test()
        counts = collections.Counter(b.usename for b in moment.backends if b.usename and in_question(b.usename))
        over: dict[str, int] = {}
        for role, number in counts.items():
            quota = next((quota for test, quota in tests if test(role)), self.limit)
            if quota is not None and number > quota:
                over[role] = number - quota
        if not over:
            return Pick(0, "no role has more sessions than allowed")
        order: list[Backend] = []
        for role, excess in over.items():
            own = sorted((backend for backend in eligible if backend.usename == role), key=missed_least)
            order += own[:excess]
        worst = max(over, key=lambda role: (over[role], role))
        words = f"role {worst} has {counts[worst]} sessions, {over[worst]} more than allowed"
        return Pick(sum(over.values()), words, tuple(order))


def missed_least(backend: Backend) -> tuple[int, float, int]:
    """A sort key: idle before idle in a transaction before running, in each the longest first."""
    return (_BY_STATE.get(backend.state or "", 2), -(backend.state_age or 0.0), backend.pid)


@dataclasses.dataclass(frozen=True)
class MaxConnections:
    """No more connections are used than a number, or a percentage of the maximum.

    Attributes:
        number: Connections, or None if a share is given.
        share: Percent of max_connections.
        by: The field whose equal values make one offender.
    """

    number: int | None
    share: float | None = None
    by: str = "usename"
    batch: int | None = 10

    def limit(self, moment: Moment) -> int:
        """The maximum as a number."""
        return self.number if self.number is not None else int(moment.max_connections * (self.share or 0.0) / 100)

    def comes_too_late(self, most: int, kept: int) -> str | None:
        """Why ordinary roles are refused before it acts, or None.

        Args:
            most: The connections of the coordinator.
            kept: Those of them that ordinary roles cannot have.
        """
        limit, ordinary = self.limit(Moment((), 0, most)), most - kept
        if limit < ordinary:
            return None
        return (
            f"max_connections allows {limit}, and ordinary roles get no connection once {ordinary} are used "
            f"({kept} of {most} are kept from them): they are refused before it acts"
        )

    def pick(self, moment: Moment, eligible: t.Sequence[Backend]) -> Pick:
        """The one idle longest of the largest offender, again and again."""
        excess = moment.connections - self.limit(moment)
        words = (
            f"{moment.connections} of {moment.max_connections} connections are used, {self.limit(moment)} are allowed"
        )
        if excess <= 0:
            return Pick(0, words)
        sizes = collections.Counter(getattr(backend, self.by) for backend in moment.backends)
        own: dict[t.Any, list[Backend]] = {}
        for backend in sorted(eligible, key=missed_least, reverse=True):
            own.setdefault(getattr(backend, self.by), []).append(backend)
        order: list[Backend] = []
        while own and len(order) < excess:
            offender = max(own, key=lambda key: (sizes[key], str(key)))
            order.append(own[offender].pop())
            sizes[offender] -= 1
            if not own[offender]:
                del own[offender]
        return Pick(excess, words, tuple(order))


@dataclasses.dataclass(frozen=True)
class MaxGroupQueue:
    """No more than so many sessions wait for a slot of one resource group.

    Attributes:
        groups: Those in question.
    """

    limit: int
    groups: Names = Names()
    batch: int | None = None

    def pick(self, moment: Moment, eligible: t.Sequence[Backend]) -> Pick:
        """For each that waits beyond the limit, one that is selected and has a slot."""
        in_question = self.groups.test()
        queues = collections.Counter(
            backend.resource_group for backend in moment.backends if backend.waiting_reason == GROUP_WAIT
        )
        over = {group: n - self.limit for group, n in queues.items() if n > self.limit and in_question(group)}
        if not over:
            return Pick(0, f"no resource group has more than {self.limit} in its queue")
        holders = [backend for backend in eligible if holds_slot(backend)]
        order: list[Backend] = []
        for group, excess in over.items():
            order += sorted((b for b in holders if b.resource_group == group), key=_longest_in_state)[:excess]
        worst = max(over, key=lambda group: (over[group], str(group)))
        return Pick(sum(over.values()), f"{queues[worst]} wait for a slot of resource group {worst}", tuple(order))


def _longest_in_state(backend: Backend) -> tuple[float, int]:
    return (-(backend.state_age or 0.0), backend.pid)


Threshold = t.Union[MaxHeldUp, MaxRoleSessions, MaxConnections, MaxGroupQueue]


_COUNTS_SESSIONS = ("max_connections", "max_role_sessions")


def parse(options: t.Mapping[str, t.Any]) -> Threshold | None:
    """The maximum to reach of a policy, or None.

    Raises:
        OptionError: More than one is given, or one cannot be used.
    """
    given = [name for name in ("max_held_up", "max_connections", "max_group_queue") if options[name] is not None]
    if options["max_role_sessions"] is not None or options["role_quotas"] is not None:
        given.append("max_role_sessions")
    if len(given) > 1:
        raise OptionError(given[1], f"only one maximum to reach may be given, and {given[0]} is")
    for name in ("max_held_up", "max_role_sessions", "max_group_queue"):
        _check_number(name, options[name], 0)
    _check_number("batch", options["batch"], 1)
    if given and given[0] in _COUNTS_SESSIONS and options["state"] == CANCELLED:
        raise OptionError(given[0], "it does not go with state=cancelled, after which there are as many sessions")
    if not given:
        if options["batch"] is not None:
            raise OptionError("batch", "it goes with a maximum to reach, such as max_connections")
        return None
    goal = _goal(given[0], options)
    return goal if options["batch"] is None else dataclasses.replace(goal, batch=options["batch"])


def _check_number(name: str, value: int | None, least: int) -> None:
    if value is not None and value < least:
        raise OptionError(name, f"{value} is not allowed; it is a number, {least} or more")


def _goal(name: str, options: t.Mapping[str, t.Any]) -> Threshold:
    if name == "max_held_up":
        return MaxHeldUp(options[name])
    if name == "max_group_queue":
        return MaxGroupQueue(options[name], _names(options, "resource_groups"))
    if name == "max_role_sessions":
        quotas = tuple(_quotas(options["role_quotas"] or {}))
        return MaxRoleSessions(options[name], quotas, roles=_names(options, "users"))
    number, share = _connections(options[name])
    return MaxConnections(number, share, OFFENDERS[options["offenders_by"]])


def _names(options: t.Mapping[str, t.Any], name: str) -> Names:
    wanted = options.get(name)
    return Names(None if wanted is None else tuple(wanted), tuple(options.get(f"exclude_{name}") or ()))


def _quotas(given: t.Mapping[str, t.Any]) -> t.Iterator[tuple[str, int]]:
    for role, value in given.items():
        names_test("role_quotas", [str(role)])
        if not re.match(r"\d+\Z", str(value)):
            raise OptionError("role_quotas", f"{role}: {value!r} is not allowed; it is a number of sessions, 0 or more")
        yield str(role), int(value)


def _connections(text: str) -> tuple[int | None, float | None]:
    share = _SHARE.match(text.strip())
    if share and 0 < float(share.group("number")) <= _ALL:
        return None, float(share.group("number"))
    if re.match(r"\d+\Z", text.strip()):
        return int(text), None
    raise OptionError("max_connections", f"{text!r} is not allowed; it is a number such as 200, or percent such as 80%")
