# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: verdicts and what became of them -> the victims, counts and diff of a result. Private to the collection."""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.engine import MDB, UNTRUSTED, Engine
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.query_text import shown
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.visibility import why_hidden
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.escalation import Outcome
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.request import Request
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.verdicts import (
    CANCELLED,
    GONE,
    REFUSED,
    TERMINATED,
    WOULD_BE,
    Verdict,
)

QUERY_LENGTH = 1024
_DIFF_QUERY = 60
NOTHING_SENT = "nothing was sent"
# The outcomes after which nothing of the session is left, and after which it does nothing any more.
_ENDED = (TERMINATED, WOULD_BE + TERMINATED, GONE)
_STOPPED = (CANCELLED, WOULD_BE + CANCELLED)


def result(
    verdicts: t.Sequence[Verdict],
    endings: t.Mapping[int, Outcome],
    engine: Engine,
    request: Request,
) -> dict[str, t.Any]:
    """PURE: the result of the module; without endings, what would happen."""
    found = records(verdicts, endings, engine, request)
    return {
        "changed": any(is_hit(victim) for victim in found),
        "victims": found,
        "counts": counts(found),
        "engine": engine.shown,
        "diff": diff(found),
    }


def records(
    verdicts: t.Sequence[Verdict],
    endings: t.Mapping[int, Outcome],
    engine: Engine,
    request: Request,
) -> list[dict[str, t.Any]]:
    """PURE: the victims as the result has them."""
    found = [
        record(verdict, endings.get(verdict.backend.pid) if verdict.outcome is None else None, request)
        for verdict in verdicts
    ]
    for verdict, victim in zip(verdicts, found):
        if victim["outcome"] == REFUSED:
            # Who may signal it may still not see which session it is.
            hidden = verdict.backend.hidden
            lacks = why_hidden(engine) if hidden else _privilege(engine, victim["is_superuser"] is True)
            victim["reason"] += f"; {lacks}"
    return found


def _privilege(engine: Engine, is_superuser_s: bool) -> str:
    """Who may signal such a session on this engine."""
    if engine.interface == MDB:
        return (
            "mdb_toolkit signals for members of mdb_admin, and never a superuser's session; "
            "a superuser can, with toolkit=native"
        )
    if is_superuser_s:
        return "only a superuser can signal a superuser's session"
    if engine.traits.signal_role:
        own = "on this engine that takes a member of the session's role or of pg_signal_backend, or a superuser"
    else:
        own = (
            "on this engine that takes a superuser, or the session's own role: "
            "session_role can be that, where it was granted to the login role"
        )
    return "; ".join(part for part in (own, _toolkit_instead(engine)) if part)


def _toolkit_instead(engine: Engine) -> str:
    """How the managed service's functions could do what the engine's own refused."""
    if engine.toolkit_state == "usable":
        return "mdb_toolkit signals for members of mdb_admin: set toolkit to auto or mdb"
    if engine.toolkit_state == UNTRUSTED:
        return "mdb_toolkit signals for members of mdb_admin, and is not trusted here"
    if engine.toolkit_state == "forbidden":
        return "mdb_toolkit signals for members of mdb_admin, and this role may not use it"
    if not engine.traits.has_service:
        return ""
    where = "on this service" if engine.managed_slots else "on a managed service"
    return (
        f"{where} mdb_toolkit signals for members of mdb_admin, in the databases that have it: "
        f"{engine.database} has not, set login_db to one of them"
    )


def record(verdict: Verdict, ending: Outcome | None, request: Request) -> dict[str, t.Any]:
    """PURE: a session with what became of it; without an ending, what would become of it."""
    victim = dataclasses.asdict(verdict.backend)
    for name in ("hidden", "waits_for_modes", "blocked_by", "blocks"):
        del victim[name]
    victim["query"] = shown(verdict.backend.query, QUERY_LENGTH, request.redact_literals)
    if ending is not None:
        return {**victim, **dataclasses.asdict(ending)}
    return {
        **victim,
        "outcome": verdict.outcome or WOULD_BE + request.state,
        "reason": verdict.reason if verdict.outcome else NOTHING_SENT,
        "signalled": False,
        "sqlstate": None,
    }


def is_hit(victim: t.Mapping[str, t.Any]) -> bool:
    """PURE: whether it was signalled, may have been, or would be where nothing is sent."""
    return victim["signalled"] is not False or victim["outcome"].startswith(WOULD_BE)


def counts(victims: t.Iterable[t.Mapping[str, t.Any]]) -> dict[str, int]:
    """PURE: how many victims had each outcome."""
    return dict(collections.Counter(victim["outcome"] for victim in victims))


def diff(victims: t.Iterable[t.Mapping[str, t.Any]]) -> dict[str, str]:
    """PURE: the sessions before and after, a line each; the header tells what only would be."""
    before, after, supposed = [], [], False
    for victim in victims:
        before.append(_line(victim, victim["state"]))
        supposed = supposed or victim["outcome"].startswith(WOULD_BE)
        if victim["outcome"] in _STOPPED and victim["state"] == "active":
            after.append(_line(victim, "idle"))
        elif victim["outcome"] not in _ENDED:
            after.append(before[-1])
    return {
        "before": "".join(before),
        "after": "".join(after),
        "before_header": "sessions",
        "after_header": "sessions as they would be; nothing was sent" if supposed else "sessions",
    }


def _line(victim: t.Mapping[str, t.Any], state: str | None) -> str:
    age = victim["query_age"] if victim["state"] == "active" else victim["state_age"]
    doing = state or "state not visible"
    if age is not None and state == victim["state"]:
        doing += f" for {int(age)} s"
    # Users choose these: a line end in one would look like a session.
    application, query = (" ".join((victim[name] or "").split()) for name in ("application_name", "query"))
    who = f"{victim['pid']} {victim['usename']}@{victim['datname']}"
    return "; ".join(part for part in (f"{who} {doing}", application, query[:_DIFF_QUERY]) if part) + "\n"


def warnings(engine: Engine, request: Request) -> list[str]:
    """PURE: what the engine will not do."""
    function = engine.signal_functions.get(request.state, "")
    if not request.message or function.split(".")[-1] in engine.message_functions:
        return []
    # Where no role signals sessions of others, the engine's own functions reach those of this role only.
    who = f"those of role {engine.role}" if not (engine.traits.signal_role or engine.is_superuser) else "they"
    native = f"; with toolkit=native {who} would get it" if engine.message_functions else ""
    return [f"victim_message: {function} of this engine takes none, the victims get the engine's own{native}"]
