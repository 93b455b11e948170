# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: options -> whom to signal and how; all sessions -> the verdict on each that was asked for.

Private to the collection.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import identity
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.backend import Backend
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.selection import ARGUMENT_SPEC as SELECTION_SPEC
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.selection import Selection, waiting_time
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.selection import parse as parse_selection
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.escalation import SignalPlan
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.verdicts import (
    ALIVE,
    CANCELLED,
    GONE,
    NOT_APPLICABLE,
    REFUSED,
    SPARED,
    TERMINATED,
    UNKNOWN,
    Protection,
    Verdict,
    check,
    protect,
    seen_before,
    still_there,
)

# One less than the engines' buffer: they cut the rest off, if need be in the middle of a character.
MESSAGE_BYTES = 127
ARGUMENT_SPEC: dict[str, t.Any] = {
    "state": {"type": "str", "choices": [CANCELLED, TERMINATED], "required": True},
    "processes": {"type": "list", "elements": "dict"},
    "match_all": {"type": "bool", "default": False},
    "cancel_first": {"type": "bool", "default": False},
    "grace_period": {"type": "str", "default": "10"},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "str", "default": "30"},
    "max_victims": {"type": "int", "default": 20},
    "victims": {"type": "str", "choices": ["all", "oldest", "newest", "all_but_oldest"], "default": "all"},
    "protected_users": {"type": "list", "elements": "str", "default": ["gpadmin", "gpmon"]},
    "allow_superusers": {"type": "bool", "default": False},
    "protected_applications": {
        "type": "list",
        "elements": "str",
        "default": ["gpbackup*", "gprestore*", "gpexpand*", "pg_dump*"],
    },
    "protected_application_users": {"type": "list", "elements": "str", "default": []},
    "victim_message": {"type": "str"},
    "ignore_survivors": {"type": "bool", "default": False},
    "redact_literals": {"type": "bool", "default": False},
}


@dataclasses.dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        records: The choice as it was seen before, or None: by the criteria.
        pids: Of the criteria; those that are no session are told of.
        session_ids: Likewise; those that several sessions bear are refused.
        message: For the victims.
    """

    selection: Selection
    records: tuple[Backend, ...] | None
    protection: Protection
    plan: SignalPlan
    pids: tuple[int, ...]
    session_ids: tuple[int, ...]
    max_victims: int
    ignore_survivors: bool
    message: str | None
    redact_literals: bool

    @property
    def state(self) -> str:
        """What they are to be."""
        return self.protection.state

    @property
    def bad_outcomes(self) -> tuple[str, ...]:
        """The outcomes with which not all was done."""
        # Without a wait nobody claims that they are gone.
        return (REFUSED, UNKNOWN, ALIVE) if self.plan.wait else (REFUSED, UNKNOWN)


def parse(options: t.Mapping[str, t.Any]) -> Request:
    """PURE: the options -> what is asked for.

    Raises:
        OptionError: An option cannot be used, or no criterion was given.
    """
    _check_choice(options)
    _check_message(options["victim_message"])
    protection = Protection(
        state=options["state"],
        victims=options["victims"],
        protected_users=tuple(options["protected_users"]),
        protected_applications=tuple(options["protected_applications"]),
        protected_application_users=tuple(options["protected_application_users"]),
        allow_superusers=options["allow_superusers"],
    )
    check(protection)
    records = options["processes"]
    return Request(
        selection=parse_selection(options),
        records=None if records is None else tuple(seen_before(records, protection.state)),
        protection=protection,
        plan=SignalPlan(
            state=protection.state,
            cancel_first=options["cancel_first"],
            grace_period=waiting_time("grace_period", options["grace_period"]),
            wait=options["wait"],
            wait_timeout=waiting_time("wait_timeout", options["wait_timeout"]),
        ),
        pids=tuple(dict.fromkeys(options.get("pids") or ())),
        session_ids=tuple(options.get("session_ids") or ()),
        max_victims=options["max_victims"],
        ignore_survivors=options["ignore_survivors"],
        message=options["victim_message"] or None,
        redact_literals=options["redact_literals"],
    )


def _check_choice(options: t.Mapping[str, t.Any]) -> None:
    criteria = [name for name in SELECTION_SPEC if options.get(name) is not None]
    positive = [name for name in criteria if not name.startswith("exclude_")]
    if options["processes"] is not None and criteria:
        raise OptionError("processes", f"cannot be combined with {criteria[0]}: the records are the choice")
    if options["processes"] is None and not positive and not options["match_all"]:
        raise OptionError(
            "match_all", "no criterion was given; say whom (for example users, pids or states), or match_all: true"
        )
    if options["max_victims"] < 0:
        raise OptionError("max_victims", f"{options['max_victims']} is not allowed; it is a number, 0 or more")


def _check_message(message: str | None) -> None:
    size = len((message or "").encode("utf-8", "surrogatepass"))
    if size > MESSAGE_BYTES:
        raise OptionError("victim_message", f"it has {size} bytes; the engines take {MESSAGE_BYTES}")


def choose(
    backends: t.Sequence[Backend],
    request: Request,
    who: identity.Identities = identity.NOBODY,
) -> list[Verdict]:
    """PURE: all sessions -> the verdict on each that was asked for, those that are gone included.

    Raises:
        OptionError: session_ids has a number that several sessions bear.
    """
    early: list[Verdict] = []
    if request.records is None:
        _check_numbers(request.session_ids, who)
        chosen = request.selection.choose(backends)
        known = {backend.pid for backend in backends}
        early = [_not_listed(Backend(pid=pid, sess_id=0), who) for pid in request.pids if pid not in known]
    else:
        chosen = []
        now = {backend.pid: backend for backend in backends}
        for record in request.records:
            ended = still_there(record, now.get(record.pid), request.protection.state)
            if record.pid in who.readers:
                early.append(_not_listed(record, who))
            elif ended is not None:
                early.append(ended)
            elif now[record.pid] not in chosen:
                chosen.append(now[record.pid])
    return protect(chosen, request.protection) + early


def named_in_vain(
    backends: t.Sequence[Backend], request: Request, who: identity.Identities = identity.NOBODY
) -> list[str]:
    """PURE: of the processes and sessions that were named one by one, those that are not chosen, and why."""
    by_pid = {backend.pid: backend for backend in backends}
    numbers = {backend.sess_id for backend in backends}
    found = [f"process {pid} is not there" for pid in request.pids if pid not in by_pid and pid not in who.readers]
    found += [f"process {pid} is a helper of process {who.readers[pid]}" for pid in request.pids if pid in who.readers]
    found += [f"session {number} is not there" for number in request.session_ids if number not in numbers]
    named = [backend for backend in backends if backend.pid in request.pids or backend.sess_id in request.session_ids]
    left_out = [(backend.pid, request.selection.why_not(backend)) for backend in named]
    return found + [f"process {pid} is left out by {option}" for pid, option in left_out if option is not None]


def _not_listed(backend: Backend, who: identity.Identities) -> Verdict:
    """On a process that is no session."""
    if backend.pid not in who.readers:
        return Verdict(backend, GONE, "no session with this pid is listed")
    session = who.readers[backend.pid]
    words = f"it is no session but a helper of one, process {session}, and ends with its statement; choose that one"
    return Verdict(backend, NOT_APPLICABLE, words)


def _check_numbers(numbers: t.Iterable[int], who: identity.Identities) -> None:
    for number in numbers:
        if number in who.shared:
            pids = ", ".join(map(str, sorted(who.shared[number])))
            raise OptionError(
                "session_ids",
                f"several sessions have the session number {number}, processes {pids}: a login may give itself any. "
                "Nothing was sent; choose by pids",
            )


def spared(verdicts: t.Iterable[Verdict], reason: str) -> list[Verdict]:
    """PURE: the verdicts when nobody is to be signalled after all."""
    return [verdict if verdict.outcome else Verdict(verdict.backend, SPARED, reason) for verdict in verdicts]
