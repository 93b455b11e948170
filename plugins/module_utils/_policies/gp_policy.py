# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What gp_policy does: options -> its result. Private to the collection."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import os
import time
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core import connection
from ansible_collections.gpops.toolkit.plugins.module_utils._core import engine as _engine
from ansible_collections.gpops.toolkit.plugins.module_utils._core.cluster import Cluster, connect
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import (
    ConnectionLost,
    DeadlineExceeded,
    GpopsError,
    GroupFull,
    OptionError,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._core.module import Definition
from ansible_collections.gpops.toolkit.plugins.module_utils._policies import guards as _guards
from ansible_collections.gpops.toolkit.plugins.module_utils._policies import policy, thresholds
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import gp_process_info, selection
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import snapshot as _processes
from ansible_collections.gpops.toolkit.plugins.module_utils._signals import escalation, gp_backend
from ansible_collections.gpops.toolkit.plugins.module_utils._signals import verdicts as _victims
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.sender import SignalSender

REPORT = "report"
ENFORCE = "enforce"
DONE = "done"
WOULD_ACT = "would_act"
NOTHING = "nothing"
REFUSED = "refused"
FAILED = "failed"
NOT_RUN = "not_run"
# The engine needs a moment until those that waited for a victim go on.
_SETTLE_SECONDS = 0.5

ARGUMENT_SPEC: dict[str, t.Any] = {
    "policies": {"type": "list", "elements": "dict", "required": True, "options": policy.OPTIONS},
    "mode": {"type": "str", "choices": [REPORT, ENFORCE], "default": REPORT},
    "kill_switch": {"type": "bool", "default": False},
    "kill_switch_file": {"type": "path"},
    "allow_segments_down": {"type": "bool", "default": False},
    "max_share": {"type": "float"},
    "windows": {"type": "list", "elements": "str"},
    "windows_timezone": {"type": "str", "default": "UTC"},
    "redact_literals": {"type": "bool", "default": False},
}


def run(options: t.Mapping[str, t.Any], check_mode: bool) -> tuple[dict[str, t.Any], list[str]]:
    """Apply the policies.

    Args:
        options: Validated by the argument specs of this module and of _connection.
        check_mode: Decide, and send nothing, whatever the mode.

    Returns:
        The result as M(gpops.toolkit.gp_policy) documents it, and warnings.

    Raises:
        GpopsError: In plain words, with the whole result so far.
    """
    rules = policy.parse(options["policies"])
    _guards.check_share(options["max_share"])
    guards = _Guards(options)
    job = _PolicyRun(rules, options, guards, acting=options["mode"] == ENFORCE and not check_mode)
    try:
        job.guard(guards.findings())
        with connect(options, *_engine.needs_of_messages(*options["policies"])) as cluster:
            job.apply(cluster)
    except GpopsError as error:
        job.broke_off(error.message)
        raise GpopsError(error.message, **{**job.result(), **error.result}) from None
    job.fail_if_not_all_done()
    return job.result(), job.warnings


def too_late(rules: t.Iterable[policy.Policy], engine: _engine.Engine) -> list[str]:
    """PURE: the policies that are to keep connections free for ordinary roles, and cannot."""
    most, kept = engine.max_connections, gp_process_info.kept_connections(engine)
    found = (
        (rule.name, rule.goal.comes_too_late(most, kept))
        for rule in rules
        if isinstance(rule.goal, thresholds.MaxConnections)
    )
    return [f"policy {name}: {words}" for name, words in found if words]


class _Guards:
    """The guards that need no server, understood.

    Raises:
        OptionError: One of them cannot be used.
    """

    def __init__(self, options: t.Mapping[str, t.Any]) -> None:
        self._switch = options["kill_switch"]
        self._file = _guards.kill_switch_file(options["kill_switch_file"])
        self._windows = _guards.windows(options["windows"])
        self._timezone = _timezone(options["windows_timezone"])

    def findings(self) -> list[_guards.Finding]:
        """What they say at this moment."""
        there = None if self._file is None else _is_there(self._file)
        return [
            *_guards.kill_switches(self._switch, self._file, there),
            *_guards.schedule(self._windows, dt.datetime.now(self._timezone)),
        ]


def _is_there(path: str) -> bool | None:
    """Whether there is anything of this name, be it a link to nothing; V(none) if that cannot be told."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return None
    return True


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


class _Stopped(GpopsError):
    """A guard said no."""


@dataclasses.dataclass
class _PolicyAccount:
    """What came of one policy so far.

    Attributes:
        tried: How many sessions it tried to signal.
        hit: Those, as the result has them.
        bystanders: Those that it chose and did not try to signal, by pid and start.
        problem: Why it may signal nobody more.
    """

    outcome: str = NOT_RUN
    reason: str = ""
    relieved: bool | None = None
    rounds: int = 0
    tried: int = 0
    hit: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    bystanders: dict[tuple[t.Any, ...], dict[str, t.Any]] = dataclasses.field(default_factory=dict)
    problem: str | None = None

    @property
    def victims(self) -> list[dict[str, t.Any]]:
        """Each session once; a session of which several statements were cancelled once for each."""
        seen = {_who(victim) for victim in self.hit}
        # That a session is gone is no news of one that was ended.
        seen.update((victim["pid"], None) for victim in self.hit)
        return self.hit + [victim for who, victim in self.bystanders.items() if who not in seen]


def _who(victim: t.Mapping[str, t.Any]) -> tuple[t.Any, ...]:
    return (victim["pid"], victim["backend_start"])


class _TimeBudget:
    """What is left of O(timeout); waits that were asked for come on top."""

    def __init__(self, deadline: connection.Deadline) -> None:
        self._left = deadline.remaining()

    @contextlib.contextmanager
    def spend(self, waits: float = 0.0, free: float = 0.0) -> t.Iterator[connection.Deadline]:
        """A deadline for what is done inside.

        Args:
            waits: Seconds that it may wait, on top.
            free: Seconds that do not count, because a wait goes on meanwhile.
        """
        if self._left <= 0:
            raise DeadlineExceeded("timeout is over; what was not done yet is left")
        deadline = connection.Deadline(self._left + waits)
        try:
            yield deadline
        finally:
            self._left = min(self._left, deadline.remaining() + free)


class _PolicyRun:
    """All policies on one server."""

    def __init__(
        self, rules: t.Sequence[policy.Policy], options: t.Mapping[str, t.Any], guards: _Guards, acting: bool
    ) -> None:
        self._rules = rules
        self._options = options
        self._again = guards
        self._acting = acting
        self._accounts = {rule.name: _PolicyAccount() for rule in rules}
        self._past = policy.SignalHistory()
        self._guards: dict[str, _guards.Finding] = {}
        self._moment: thresholds.Moment | None = None
        self._moment_has_locks = False
        self._looks = 0
        self._settled = True
        self._total: int | None = None
        self._locks_problem: str | None = None
        self._engine: _engine.Engine | None = None
        self.warnings: list[str] = []

    def guard(self, findings: t.Sequence[_guards.Finding]) -> None:
        """Take note of guards; stop if one of them does.

        Raises:
            GpopsError: It does.
        """
        self._guards.update({finding.guard: finding for finding in findings})
        stopped = [finding for finding in findings if not finding.passed]
        if not stopped or not self._acting:
            return
        words = "; ".join(f"{finding.guard}: {finding.reason}" for finding in stopped)
        number = sum(victim["signalled"] is not False for account in self._accounts.values() for victim in account.hit)
        before = f"after {number} signals" if number else "and nothing was signalled"
        raise _Stopped(f"a guard stopped it, {before}: {words}")

    def apply(self, cluster: Cluster) -> None:
        """Each policy in turn."""
        self._cluster = cluster
        self._engine = cluster.engine
        self._time = _TimeBudget(cluster.deadline)
        self._say(too_late(self._rules, cluster.engine))
        if not self._options["allow_segments_down"]:
            with self._time.spend() as deadline:
                down, problem = _engine.segments_down(cluster.connection, deadline)
            self.guard([_guards.segments(down, problem, allowed=False)])
        for rule in self._rules:
            account = self._accounts[rule.name]
            account.outcome = FAILED
            try:
                self._apply(rule, account)
            except _Stopped as error:
                account.outcome = FAILED if account.rounds else NOT_RUN
                account.reason = error.message
                raise
            except GpopsError as error:
                account.reason, account.relieved = self._words(error), None
                raise GpopsError(f"policy {rule.name} broke off: {account.reason}", **error.result) from None

    def _words(self, error: GpopsError) -> str:
        if isinstance(error, GroupFull):
            return self._cluster.full_group
        return error.message

    def broke_off(self, message: str) -> None:
        """Say of each policy that was not reached why."""
        for account in self._accounts.values():
            if account.outcome == NOT_RUN:
                account.reason = account.reason or message

    def _apply(self, rule: policy.Policy, account: _PolicyAccount) -> None:
        unable = self._unable(rule)
        if unable:
            account.reason = unable
            return
        quiet_until: float | None = None
        while True:
            step = self._step(rule, account, quiet_until)
            if rule.needs_locks and self._locks_problem:
                account.reason, account.relieved = f"it cannot be judged: {self._locks_problem}", None
                return
            may_end = account.rounds < rule.rounds and account.problem is None
            refused = (step.refused or self._over_share(step)) if may_end else None
            if refused:
                self._note(rule, account, gp_backend.spared(step.verdicts, "the policy was refused"), {})
                account.outcome, account.reason = REFUSED, f"{refused}; {self._sent_so_far(account)}"
                return
            if step.now and may_end:
                quiet_until = None
                self._end(rule, account, step)
                if rule.has_end or account.rounds < rule.rounds:
                    continue  # another look, be it to tell whether that did
            elif may_end and rule.quiet_for is not None and self._acting:
                quiet_until = quiet_until or time.monotonic() + rule.quiet_for
                if self._pause(quiet_until):
                    continue
            if not account.rounds:
                self._note(rule, account, step.verdicts, {})
            self._conclude(rule, account, step)
            return

    def _unable(self, rule: policy.Policy) -> str | None:
        """Why this role cannot do what the policy asks for."""
        plan = rule.request.plan
        needed = [_victims.CANCELLED] if plan.cancel_first or plan.state == _victims.CANCELLED else []
        for state in [*needed, plan.state]:
            if state not in self._cluster.engine.signal_functions:
                return f"role {self._cluster.engine.role} may use no function of mdb_toolkit for state={state}"
        return None

    def _step(self, rule: policy.Policy, account: _PolicyAccount, quiet_until: float | None) -> policy.Step:
        """What the policy does now; what that takes while it waits for quiet is a part of that wait."""
        free = max(0.0, quiet_until - time.monotonic()) if quiet_until else 0.0
        with self._time.spend(free=free) as deadline:
            moment = self._look(self._wants_locks(rule), deadline)
            with deadline.enforced(rule.request.selection.too_slow, selection.LEAST_SECONDS):
                found = gp_backend.choose(moment.backends, rule.request, rule.options, moment.who)
            step = policy.step(rule, moment, found, self._past, account.tried)
        account.relieved = step.relieved
        chosen = [verdict for verdict in step.verdicts if verdict.backend in step.now]
        self._say(_victims.unprotected_names(chosen, rule.request.policy))
        return step

    def _wants_locks(self, rule: policy.Policy) -> bool:
        """Whether the lock table is to be read for this policy; a report is made of one look for all of them."""
        if self._locks_problem:
            return False  # once is enough: each further attempt would take half of the time that is left
        return rule.needs_locks or (not self._acting and any(each.needs_locks for each in self._rules))

    def _look(self, with_locks: bool, deadline: connection.Deadline) -> thresholds.Moment:
        """All sessions; anew if something was signalled since the last look, or if that was without locks."""
        if self._moment is not None and (self._moment_has_locks or not with_locks):
            return self._moment
        engine = self._cluster.engine
        if not self._settled:
            time.sleep(min(_SETTLE_SECONDS, deadline.remaining()))
            self._settled = True
        length = max(rule.request.selection.query_length(gp_backend.QUERY_LENGTH) for rule in self._rules)
        snapshot = _processes.read(self._cluster, deadline, with_locks, length)
        if not self._looks:
            self._total = len(snapshot.backends)
            self.warnings += gp_process_info.warnings(engine, snapshot, with_locks=False)
        self._looks += 1
        if with_locks:
            self._locks_problem = snapshot.locks_problem
        self._moment_has_locks = with_locks
        self._moment = thresholds.Moment(
            snapshot.backends, snapshot.connections + 1, engine.max_connections, snapshot.who
        )
        return self._moment

    def _over_share(self, step: policy.Step) -> str | None:
        if not step.now:
            return None
        number = self._past.sessions_with(step.now)
        return _guards.over_share(number, self._total or 0, self._options["max_share"])

    def _sent_so_far(self, account: _PolicyAccount) -> str:
        """What a policy that is refused has done before."""
        number = sum(victim["signalled"] is not False for victim in account.hit)
        if not number:
            return "nobody was signalled"
        verb = ("was" if number == 1 else "were") if self._acting else "would be"
        return f"{_sessions(number)} {verb} signalled before that, and nobody more"

    def _end(self, rule: policy.Policy, account: _PolicyAccount, step: policy.Step) -> None:
        """End the sessions of a step, or suppose so."""
        state = rule.request.policy.state
        moment = t.cast(thresholds.Moment, self._moment)
        endings: dict[int, escalation.Outcome] = {}
        if self._acting:
            self.guard(self._again.findings())
            waited = any(backend.waiting is not False for backend in moment.backends)
            endings = self._signal(rule, account, step)
            self._moment, self._settled = None, rule.request.plan.wait and not waited
        else:
            self._moment = policy.after(moment, step.now, state)
        account.rounds += 1
        account.tried += len(step.now)
        for backend in step.now:
            self._past.tried.add(policy.key(state, backend))
            if not self._acting or endings[backend.pid].signalled is not False:
                self._past.sent.add(policy.key(state, backend))
        self._note(rule, account, step.verdicts, endings)
        bad = [pid for pid, ending in endings.items() if ending.outcome in gp_backend.bad_outcomes(rule.options)]
        if bad and not rule.options["ignore_survivors"]:
            account.problem = f"process {bad[0]}: {endings[bad[0]].reason}"
        lost = [pid for pid, ending in endings.items() if ending.outcome == _victims.UNKNOWN]
        if lost:
            raise ConnectionLost(f"process {lost[0]}: {endings[lost[0]].reason}")

    def _signal(self, rule: policy.Policy, account: _PolicyAccount, step: policy.Step) -> dict[int, escalation.Outcome]:
        plan = rule.request.plan
        waits = (plan.grace_period if plan.cancel_first else 0.0) + (plan.wait_timeout if plan.wait else 0.0)
        self._say(gp_backend.warnings(self._cluster.engine, rule.options))
        try:
            with self._time.spend(waits) as deadline:
                sender = SignalSender(self._cluster, deadline, rule.options["victim_message"])
                return escalation.signal_all(sender, step.now, plan)
        except GpopsError as error:
            # It is raised only if no signal was sent.
            self._note(rule, account, gp_backend.spared(step.verdicts, f"not signalled: {self._words(error)}"), {})
            raise

    def _pause(self, until: float) -> bool:
        """Wait a little for somebody to come back; false when that was long enough."""
        rest = until - time.monotonic()
        if rest <= 0:
            return False
        time.sleep(min(rest, _SETTLE_SECONDS))
        self._moment = None
        return True

    def _note(
        self,
        rule: policy.Policy,
        account: _PolicyAccount,
        verdicts: t.Sequence[_victims.Verdict],
        endings: t.Mapping[int, escalation.Outcome],
    ) -> None:
        """Take the sessions into the result."""
        options = {**rule.options, "redact_literals": self._options["redact_literals"]}
        more = {"policy": rule.name, "why": rule.options["why"], "round": max(account.rounds, 1)}
        for verdict, victim in zip(verdicts, gp_backend.records(verdicts, endings, self._cluster.engine, options)):
            record = {**victim, **more}
            if verdict.outcome is None:
                account.hit.append(record)
            else:
                account.bystanders[_who(record)] = record

    def _conclude(self, rule: policy.Policy, account: _PolicyAccount, step: policy.Step) -> None:
        """The outcome of a policy that came to its end."""
        number = sum(victim["signalled"] is not False for victim in account.hit)
        state = rule.request.policy.state
        if not account.tried:
            account.outcome, account.reason = NOTHING, "no session is to end"
        elif not number:
            account.outcome, account.reason = NOTHING, "nobody was signalled, as the victims tell"
        elif self._acting:
            account.outcome, account.reason = DONE, f"{_sessions(number)} signalled to be {state}"
        else:
            account.outcome, account.reason = WOULD_ACT, f"{_sessions(number)} would be {state}"
        if rule.has_end:
            account.reason += f"; {step.why}"
            if step.now and account.problem is None:
                account.reason += f"; {rule.rounds} rounds did not do"
        if self._acting and not rule.options["ignore_survivors"]:
            problem = self._problem(rule, account)
            if problem or (rule.has_end and not account.relieved):
                account.outcome = FAILED
                account.reason = "; ".join(part for part in (problem, account.reason) if part)

    def _problem(self, rule: policy.Policy, account: _PolicyAccount) -> str | None:
        """The first session that was to end and did not."""
        bad = gp_backend.bad_outcomes(rule.options)
        left = [victim for victim in account.victims if victim["outcome"] in bad]
        return f"process {left[0]['pid']}: {left[0]['reason']}" if left else account.problem

    def _say(self, warnings: t.Iterable[str]) -> None:
        self.warnings += [warning for warning in warnings if warning not in self.warnings]

    def fail_if_not_all_done(self) -> None:
        """Raise GpopsError if it was to act, and a policy could not."""
        bad = {name: account for name, account in self._accounts.items() if account.outcome in (REFUSED, FAILED)}
        if not bad or not self._acting:
            return
        words = "; ".join(f"{name} {account.outcome}: {account.reason}" for name, account in bad.items())
        raise GpopsError(f"{len(bad)} of {len(self._rules)} policies did not succeed: {words}", **self.result())

    def result(self) -> dict[str, t.Any]:
        """The result of the module so far."""
        victims = [victim for account in self._accounts.values() for victim in account.victims]
        found: dict[str, t.Any] = {
            # A report changes nothing and would not; in check mode, what would be.
            "changed": self._options["mode"] == ENFORCE and any(victim["signalled"] is not False for victim in victims),
            "mode": ENFORCE if self._acting else REPORT,
            "policies": [self._policy(rule) for rule in self._rules],
            "victims": victims,
            "counts": gp_backend.counts(victims),
            "guards": [dataclasses.asdict(finding) for finding in self._guards.values()],
            "diff": _diff(victims),
        }
        if self._engine is not None:
            found["engine"] = self._engine.shown
        if self._total is not None:
            found["sessions"] = {"total": self._total, "signalled": self._past.sessions_with()}
        return found

    def _policy(self, rule: policy.Policy) -> dict[str, t.Any]:
        account = self._accounts[rule.name]
        return {
            "name": rule.name,
            "why": rule.options["why"],
            "state": rule.request.policy.state,
            "outcome": account.outcome,
            "reason": account.reason,
            "relieved": account.relieved,
            "rounds": account.rounds,
            "counts": gp_backend.counts(account.victims),
        }


def _diff(victims: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, str]:
    """PURE: each session once, as the first policy that chose it found it, and as the last one left it."""
    listed = [victim for victim in victims if victim["outcome"] != _victims.GONE]
    first = {_who(victim): victim for victim in reversed(listed)}
    last = {_who(victim): victim for victim in listed}
    return {
        "before": gp_backend.diff([first[who] for who in last])["before"],
        "after": gp_backend.diff(last.values())["after"],
    }


def _sessions(number: int) -> str:
    return "1 session" if number == 1 else f"{number} sessions"


DEFINITION = Definition(run, ARGUMENT_SPEC)
