# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What gp_backend does: options -> its result. Private to the collection."""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core import connection
from ansible_collections.gpops.toolkit.plugins.module_utils._core import engine as _engine
from ansible_collections.gpops.toolkit.plugins.module_utils._core.cluster import Cluster, connect
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import GpopsError, OptionError
from ansible_collections.gpops.toolkit.plugins.module_utils._core.module import Definition
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import identity
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import selection as _selection
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import snapshot as _processes
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.query_text import shown
from ansible_collections.gpops.toolkit.plugins.module_utils._signals import escalation
from ansible_collections.gpops.toolkit.plugins.module_utils._signals import verdicts as _victims
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.sender import SignalSender

# One less than the engines' buffer: they cut the rest off, if need be in the middle of a character.
MESSAGE_BYTES = 127
QUERY_LENGTH = 1024

ARGUMENT_SPEC: dict[str, t.Any] = {
    "state": {"type": "str", "choices": [_victims.CANCELLED, _victims.TERMINATED], "required": True},
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
    """The options, understood."""

    selection: _selection.Selection
    records: tuple[_processes.Backend, ...] | None
    policy: _victims.Protection
    plan: escalation.SignalPlan


def run(options: t.Mapping[str, t.Any], check_mode: bool) -> tuple[dict[str, t.Any], list[str]]:
    """Cancel or terminate the sessions that the options select.

    Args:
        options: Validated by the argument specs of this module, of _connection and of _selection.
        check_mode: Decide, and send nothing.

    Returns:
        The result as M(gpops.toolkit.gp_backend) documents it, and warnings.

    Raises:
        GpopsError: In plain words, with the whole result once something may have been signalled.
    """
    request = parse(options)
    plan = request.plan
    waits = (plan.grace_period if plan.cancel_first else 0.0) + (plan.wait_timeout if plan.wait else 0.0)
    deadline = connection.Deadline(options["timeout"] + waits)
    endings: dict[int, escalation.Outcome] = {}
    with connect(options, *_engine.needs_of_messages(options)) as cluster:
        engine = cluster.engine
        verdicts = _look(cluster, request, options)
        _check_cap(verdicts, options)
        said = _engine.toolkit_warnings(engine) + warnings(engine, options)
        said += _victims.unprotected_names(verdicts, request.policy)
        victims = [verdict.backend for verdict in verdicts if verdict.outcome is None]
        if victims and not check_mode:
            sender = SignalSender(cluster, deadline, options["victim_message"])
            endings = escalation.signal_all(sender, victims, plan)
    whole = result(verdicts, endings, engine, options)
    _fail_on_survivors(whole, options)
    return whole, said


def parse(options: t.Mapping[str, t.Any]) -> Request:
    """PURE: the options -> what is asked for.

    Raises:
        OptionError: An option cannot be used, or no criterion was given.
    """
    criteria = [name for name in _selection.ARGUMENT_SPEC if options.get(name) is not None]
    positive = [name for name in criteria if not name.startswith("exclude_")]
    if options["processes"] is not None and criteria:
        raise OptionError("processes", f"cannot be combined with {criteria[0]}: the records are the choice")
    if options["processes"] is None and not positive and not options["match_all"]:
        raise OptionError(
            "match_all", "no criterion was given; say whom (for example users, pids or states), or match_all: true"
        )
    if options["max_victims"] < 0:
        raise OptionError("max_victims", f"{options['max_victims']} is not allowed; it is a number, 0 or more")
    _check_message(options["victim_message"])
    policy = _victims.Protection(
        state=options["state"],
        victims=options["victims"],
        protected_users=tuple(options["protected_users"]),
        protected_applications=tuple(options["protected_applications"]),
        protected_application_users=tuple(options["protected_application_users"]),
        allow_superusers=options["allow_superusers"],
    )
    _victims.check(policy)
    records = options["processes"]
    return Request(
        selection=_selection.parse(options),
        records=None if records is None else tuple(_victims.seen_before(records, policy.state)),
        policy=policy,
        plan=escalation.SignalPlan(
            state=policy.state,
            cancel_first=options["cancel_first"],
            grace_period=_selection.waiting_time("grace_period", options["grace_period"]),
            wait=options["wait"],
            wait_timeout=_selection.waiting_time("wait_timeout", options["wait_timeout"]),
        ),
    )


def _check_message(message: str | None) -> None:
    size = len((message or "").encode("utf-8", "surrogatepass"))
    if size > MESSAGE_BYTES:
        raise OptionError("victim_message", f"it has {size} bytes; the engines take {MESSAGE_BYTES}")


def _look(cluster: Cluster, request: Request, options: t.Mapping[str, t.Any]) -> list[_victims.Verdict]:
    with_locks = _selection.needs_locks(options)
    length = request.selection.query_length(QUERY_LENGTH)
    snapshot = _processes.read(cluster, cluster.deadline, with_locks, length)
    if with_locks and snapshot.locks_problem:
        raise GpopsError(
            f"blocking, waiting_for, waits_for_modes and min_wait_age cannot be judged: {snapshot.locks_problem}"
        )
    with cluster.deadline.enforced(request.selection.too_slow, _selection.LEAST_SECONDS):
        return choose(snapshot.backends, request, options, snapshot.who)


def choose(
    backends: t.Sequence[_processes.Backend],
    request: Request,
    options: t.Mapping[str, t.Any],
    who: identity.Identities = identity.NOBODY,
) -> list[_victims.Verdict]:
    """PURE: all sessions -> the verdict on each that was asked for, those that are gone included.

    Raises:
        OptionError: O(session_ids) has a number that several sessions bear.
    """
    early: list[_victims.Verdict] = []
    if request.records is None:
        _check_numbers(options.get("session_ids") or (), who)
        chosen = request.selection.choose(backends)
        known = {backend.pid for backend in backends}
        early = [
            _not_listed(_processes.Backend(pid=pid, sess_id=0), who)
            for pid in dict.fromkeys(options.get("pids") or ())
            if pid not in known
        ]
    else:
        chosen = []
        now = {backend.pid: backend for backend in backends}
        for record in request.records:
            ended = _victims.still_there(record, now.get(record.pid), request.policy.state)
            if record.pid in who.readers:
                early.append(_not_listed(record, who))
            elif ended is not None:
                early.append(ended)
            elif now[record.pid] not in chosen:
                chosen.append(now[record.pid])
    return _victims.protect(chosen, request.policy) + early


def _not_listed(backend: _processes.Backend, who: identity.Identities) -> _victims.Verdict:
    """On a process that is no session."""
    if backend.pid not in who.readers:
        return _victims.Verdict(backend, _victims.GONE, "no session with this pid is listed")
    session = who.readers[backend.pid]
    words = f"it is no session but a helper of one, process {session}, and ends with its statement; choose that one"
    return _victims.Verdict(backend, _victims.NOT_APPLICABLE, words)


def _check_numbers(numbers: t.Iterable[int], who: identity.Identities) -> None:
    for number in numbers:
        if number in who.shared:
            pids = ", ".join(map(str, sorted(who.shared[number])))
            raise OptionError(
                "session_ids",
                f"several sessions bear number {number}, processes {pids}: a login may give itself any number. Nothing "
                "was sent; choose by pids",
            )


def _check_cap(verdicts: t.Sequence[_victims.Verdict], options: t.Mapping[str, t.Any]) -> None:
    number = sum(verdict.outcome is None for verdict in verdicts)
    if number <= options["max_victims"]:
        return
    found = [_record(verdict, None, options) for verdict in spared(verdicts, "over max_victims")]
    raise OptionError(
        "max_victims",
        f"{number} sessions would be {options['state']}, {options['max_victims']} are allowed; nobody was signalled. "
        "Narrow the selection, or raise max_victims",
        victims=found,
        counts=counts(found),
    )


def spared(verdicts: t.Iterable[_victims.Verdict], reason: str) -> list[_victims.Verdict]:
    """PURE: the verdicts when nobody is to be signalled after all."""
    return [
        verdict if verdict.outcome else _victims.Verdict(verdict.backend, _victims.SPARED, reason)
        for verdict in verdicts
    ]


def warnings(engine: _engine.Engine, options: t.Mapping[str, t.Any]) -> list[str]:
    """PURE: what the engine will not do."""
    function = engine.signal_functions.get(options["state"], "")
    if not options["victim_message"] or function.split(".")[-1] in engine.message_functions:
        return []
    # On Greenplum 6 the engine's own functions signal no sessions of others.
    who = f"those of role {engine.role}" if engine.family == "gp6" and not engine.is_superuser else "they"
    native = f"; with toolkit=native {who} would get it" if engine.message_functions else ""
    return [f"victim_message: {function} of this engine takes none, the victims get the engine's own{native}"]


def result(
    verdicts: t.Sequence[_victims.Verdict],
    endings: t.Mapping[int, escalation.Outcome],
    engine: _engine.Engine,
    options: t.Mapping[str, t.Any],
) -> dict[str, t.Any]:
    """PURE: the result of the module; without endings, what would happen."""
    found = records(verdicts, endings, engine, options)
    return {
        "changed": any(victim["signalled"] is not False for victim in found),
        "victims": found,
        "counts": counts(found),
        "engine": engine.shown,
        "diff": diff(found),
    }


def records(
    verdicts: t.Iterable[_victims.Verdict],
    endings: t.Mapping[int, escalation.Outcome],
    engine: _engine.Engine,
    options: t.Mapping[str, t.Any],
) -> list[dict[str, t.Any]]:
    """PURE: the victims as the result has them."""
    found = [
        _record(verdict, endings.get(verdict.backend.pid) if verdict.outcome is None else None, options)
        for verdict in verdicts
    ]
    for victim in found:
        if victim["outcome"] == _victims.REFUSED:
            victim["reason"] += f"; {_privilege(engine, victim['is_superuser'] is True)}"
    return found


def _privilege(engine: _engine.Engine, is_superuser_s: bool) -> str:
    """Who may signal such a session on this engine."""
    if engine.interface == _engine.MDB:
        return (
            "mdb_toolkit signals for members of mdb_admin, and never a superuser's session; "
            "a superuser can, with toolkit=native"
        )
    if is_superuser_s:
        return "a superuser's session takes a superuser"
    if engine.family != "gp6":
        own = "on this engine that takes a member of the session's role or of pg_signal_backend, or a superuser"
    else:
        own = (
            "on this engine that takes a superuser, or the session's own role: "
            "session_role can be that, where it was granted to the login role"
        )
    return "; ".join(part for part in (own, _toolkit_instead(engine)) if part)


def _toolkit_instead(engine: _engine.Engine) -> str:
    """How the managed service's functions could do what the engine's own refused."""
    if engine.toolkit_state == "usable":
        return "mdb_toolkit signals for members of mdb_admin: set toolkit to auto or mdb"
    if engine.toolkit_state == _engine.UNTRUSTED:
        return "mdb_toolkit signals for members of mdb_admin, and is not trusted here"
    if engine.toolkit_state == "forbidden":
        return "mdb_toolkit signals for members of mdb_admin, and this role may not use it"
    if engine.family == "gp7":  # no service has it
        return ""
    where = "on this service" if engine.managed_slots else "on a managed service"
    return (
        f"{where} mdb_toolkit signals for members of mdb_admin, in the databases that have it: "
        f"{engine.database} has not, set login_db to one of them"
    )


def _record(
    verdict: _victims.Verdict, ending: escalation.Outcome | None, options: t.Mapping[str, t.Any]
) -> dict[str, t.Any]:
    """PURE: a session with what became of it; without an ending, what would."""
    victim = dataclasses.asdict(verdict.backend)
    for name in ("hidden", "waits_for_modes", "blocked_by", "blocks"):
        del victim[name]
    victim["query"] = shown(verdict.backend.query, QUERY_LENGTH, options["redact_literals"])
    if ending is not None:
        return {**victim, **dataclasses.asdict(ending)}
    # In check mode, or not signalled: a victim-to-be counts as one.
    return {
        **victim,
        "outcome": verdict.outcome or options["state"],
        "reason": verdict.reason,
        "signalled": verdict.outcome is None,
        "sqlstate": None,
    }


def counts(victims: t.Iterable[t.Mapping[str, t.Any]]) -> dict[str, int]:
    """PURE: how many victims had each outcome."""
    return dict(collections.Counter(victim["outcome"] for victim in victims))


def diff(victims: t.Iterable[t.Mapping[str, t.Any]]) -> dict[str, str]:
    """PURE: the sessions before and after, a line each."""
    before, after = [], []
    for victim in victims:
        line = f"{victim['pid']} {victim['usename']}@{victim['datname']} {victim['state']}\n"
        before.append(line)
        if victim["outcome"] == _victims.CANCELLED:
            after.append(line.replace(" active\n", " idle\n"))
        elif victim["outcome"] not in (_victims.TERMINATED, _victims.GONE):
            after.append(line)
    return {"before": "".join(before), "after": "".join(after)}


def _fail_on_survivors(whole: dict[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
    bad = {name: whole["counts"][name] for name in bad_outcomes(options) if whole["counts"].get(name)}
    if not bad or options["ignore_survivors"]:
        return
    what = ", ".join(f"{number} {name}" for name, number in bad.items())
    first = next(record for record in whole["victims"] if record["outcome"] in bad)
    raise GpopsError(
        f"not all sessions were {options['state']}: {what}. First: process {first['pid']}: {first['reason']}", **whole
    )


def bad_outcomes(options: t.Mapping[str, t.Any]) -> tuple[str, ...]:
    """PURE: the outcomes with which not all was done."""
    bad = (_victims.REFUSED, _victims.UNKNOWN)
    # Without a wait nobody claims that they are gone.
    return (*bad, _victims.ALIVE) if options["wait"] else bad


DEFINITION = Definition(run, _selection.ARGUMENT_SPEC, ARGUMENT_SPEC)
