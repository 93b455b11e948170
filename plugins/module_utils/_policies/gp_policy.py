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

from ansible_collections.gpops.toolkit.plugins.module_utils._core.cluster import Cluster, connect
from ansible_collections.gpops.toolkit.plugins.module_utils._core.deadline import Deadline
from ansible_collections.gpops.toolkit.plugins.module_utils._core.engine import Engine, needs_of_messages, segments_down
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import (
    ConnectionLost,
    DeadlineExceeded,
    GpopsError,
    GroupFull,
    OptionError,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._core.module import Definition
from ansible_collections.gpops.toolkit.plugins.module_utils._policies import decision, guards, thresholds
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.forecast import after
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.guards import Finding
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.history import SignalHistory, key
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.policy import OPTIONS, Policy, parse
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import snapshot as snapshots
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import visibility
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.selection import LEAST_SECONDS
from ansible_collections.gpops.toolkit.plugins.module_utils._signals import result as results
from ansible_collections.gpops.toolkit.plugins.module_utils._signals import verdicts
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.escalation import Outcome, signal_all
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.request import choose, spared
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
    "policies": {"type": "list", "elements": "dict", "required": True, "options": OPTIONS},
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
    rules = parse(options["policies"])
    guards.check_share(options["max_share"])
    guard_checks = _GuardChecks(options)
    job = _PolicyRun(rules, options, guard_checks, acting=options["mode"] == ENFORCE and not check_mode)
    try:
        job.guard(guard_checks.findings())
        with connect(options, *needs_of_messages(*options["policies"])) as cluster:
            job.apply(cluster)
    except GpopsError as error:
        job.broke_off(error.message)
        raise GpopsError(error.message, **{**job.result(), **error.result}) from None
    job.fail_if_not_all_done()
    return job.result(), job.warnings


def too_late(rules: t.Iterable[Policy], engine: Engine) -> list[str]:
    """PURE: the policies that are to keep connections free for ordinary roles, and cannot."""
    most, kept = engine.max_connections, engine.kept_connections
    found = (
        (rule.name, rule.goal.comes_too_late(most, kept))
        for rule in rules
        if isinstance(rule.goal, thresholds.MaxConnections)
    )
    return [f"policy {name}: {words}" for name, words in found if words]


class _GuardChecks:
    """The guards that need no server, understood.

    Raises:
        OptionError: One of them cannot be used.
    """

    def __init__(self, options: t.Mapping[str, t.Any]) -> None:
        self._switch = options["kill_switch"]
        self._file = guards.kill_switch_file(options["kill_switch_file"])
        self._windows = guards.windows(options["windows"])
        self._timezone = _timezone(options["windows_timezone"])

    def findings(self) -> list[Finding]:
        """What they say at this moment."""
        there = None if self._file is None else _is_there(self._file)
        return [
            *guards.kill_switches(self._switch, self._file, there),
            *guards.schedule(self._windows, dt.datetime.now(self._timezone)),
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

    def __init__(self, deadline: Deadline) -> None:
        self._left = deadline.remaining()

    @contextlib.contextmanager
    def spend(self, waits: float = 0.0, free: float = 0.0) -> t.Iterator[Deadline]:
        """A deadline for what is done inside.

        Args:
            waits: Seconds that it may wait, on top.
            free: Seconds that do not count, because a wait goes on meanwhile.
        """
        if self._left <= 0:
            raise DeadlineExceeded("timeout is over; what was not done yet is left")
        deadline = Deadline(self._left + waits)
        try:
            yield deadline
        finally:
            self._left = min(self._left, deadline.remaining() + free)


class _PolicyRun:
    """All policies on one server."""

    def __init__(
        self, rules: t.Sequence[Policy], options: t.Mapping[str, t.Any], guard_checks: _GuardChecks, acting: bool
    ) -> None:
        self._rules = rules
        self._options = options
        self._guard_checks = guard_checks
        self._acting = acting
        self._accounts = {rule.name: _PolicyAccount() for rule in rules}
        self._past = SignalHistory()
        self._guards: dict[str, Finding] = {}
        self._moment: thresholds.Moment | None = None
        self._moment_has_locks = False
        self._looks = 0
        self._settled = True
        self._total: int | None = None
        self._locks_problem: str | None = None
        self._engine: Engine | None = None
        self.warnings: list[str] = []

    def guard(self, findings: t.Sequence[Finding]) -> None:
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
                down, problem = segments_down(cluster.connection, deadline)
            self.guard([guards.segments(down, problem, allowed=False)])
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

    def _apply(self, rule: Policy, account: _PolicyAccount) -> None:
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
                self._note(rule, account, spared(step.verdicts, "the policy was refused"), {})
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

    def _unable(self, rule: Policy) -> str | None:
        """Why this role cannot do what the policy asks for."""
        plan = rule.request.plan
        needed = [verdicts.CANCELLED] if plan.cancel_first or plan.state == verdicts.CANCELLED else []
        for state in [*needed, plan.state]:
            if state not in self._cluster.engine.signal_functions:
                return f"role {self._cluster.engine.role} may use no function of mdb_toolkit for state={state}"
        return None

    def _step(self, rule: Policy, account: _PolicyAccount, quiet_until: float | None) -> decision.Step:
        """What the policy does now; what that takes while it waits for quiet is a part of that wait."""
        free = max(0.0, quiet_until - time.monotonic()) if quiet_until else 0.0
        with self._time.spend(free=free) as deadline:
            moment = self._look(self._wants_locks(rule), deadline)
            with deadline.enforced(rule.request.selection.too_slow, LEAST_SECONDS):
                found = choose(moment.backends, rule.request, rule.options, moment.who)
            step = decision.step(rule, moment, found, self._past, account.tried)
        account.relieved = step.relieved
        chosen = [verdict for verdict in step.verdicts if verdict.backend in step.now]
        self._say(verdicts.unprotected_names(chosen, rule.request.policy))
        return step

    def _wants_locks(self, rule: Policy) -> bool:
        """Whether the lock table is to be read for this policy; a report is made of one look for all of them."""
        if self._locks_problem:
            return False  # once is enough: each further attempt would take half of the time that is left
        return rule.needs_locks or (not self._acting and any(each.needs_locks for each in self._rules))

    def _look(self, with_locks: bool, deadline: Deadline) -> thresholds.Moment:
        """All sessions; anew if something was signalled since the last look, or if that was without locks."""
        if self._moment is not None and (self._moment_has_locks or not with_locks):
            return self._moment
        engine = self._cluster.engine
        if not self._settled:
            time.sleep(min(_SETTLE_SECONDS, deadline.remaining()))
            self._settled = True
        length = max(rule.request.selection.query_length(results.QUERY_LENGTH) for rule in self._rules)
        snapshot = snapshots.read(self._cluster, deadline, with_locks, length)
        if not self._looks:
            self._total = len(snapshot.backends)
            self.warnings += visibility.warnings(engine, snapshot, with_locks=False)
        self._looks += 1
        if with_locks:
            self._locks_problem = snapshot.locks_problem
        self._moment_has_locks = with_locks
        self._moment = thresholds.Moment(
            snapshot.backends, snapshot.connections + 1, engine.max_connections, snapshot.who
        )
        return self._moment

    def _over_share(self, step: decision.Step) -> str | None:
        if not step.now:
            return None
        number = self._past.sessions_with(step.now)
        return guards.over_share(number, self._total or 0, self._options["max_share"])

    def _sent_so_far(self, account: _PolicyAccount) -> str:
        """What a policy that is refused has done before."""
        number = sum(victim["signalled"] is not False for victim in account.hit)
        if not number:
            return "nobody was signalled"
        verb = ("was" if number == 1 else "were") if self._acting else "would be"
        return f"{_sessions(number)} {verb} signalled before that, and nobody more"

    def _end(self, rule: Policy, account: _PolicyAccount, step: decision.Step) -> None:
        """End the sessions of a step, or suppose so."""
        state = rule.request.policy.state
        moment = t.cast(thresholds.Moment, self._moment)
        endings: dict[int, Outcome] = {}
        if self._acting:
            self.guard(self._guard_checks.findings())
            waited = any(backend.waiting is not False for backend in moment.backends)
            endings = self._signal(rule, account, step)
            self._moment, self._settled = None, rule.request.plan.wait and not waited
        else:
            self._moment = after(moment, step.now, state)
        account.rounds += 1
        account.tried += len(step.now)
        for backend in step.now:
            self._past.tried.add(key(state, backend))
            if not self._acting or endings[backend.pid].signalled is not False:
                self._past.sent.add(key(state, backend))
        self._note(rule, account, step.verdicts, endings)
        bad = [pid for pid, ending in endings.items() if ending.outcome in results.bad_outcomes(rule.options)]
        if bad and not rule.options["ignore_survivors"]:
            account.problem = f"process {bad[0]}: {endings[bad[0]].reason}"
        lost = [pid for pid, ending in endings.items() if ending.outcome == verdicts.UNKNOWN]
        if lost:
            raise ConnectionLost(f"process {lost[0]}: {endings[lost[0]].reason}")

    def _signal(self, rule: Policy, account: _PolicyAccount, step: decision.Step) -> dict[int, Outcome]:
        plan = rule.request.plan
        waits = (plan.grace_period if plan.cancel_first else 0.0) + (plan.wait_timeout if plan.wait else 0.0)
        self._say(results.warnings(self._cluster.engine, rule.options))
        try:
            with self._time.spend(waits) as deadline:
                sender = SignalSender(self._cluster, deadline, rule.options["victim_message"])
                return signal_all(sender, step.now, plan)
        except GpopsError as error:
            # It is raised only if no signal was sent.
            self._note(rule, account, spared(step.verdicts, f"not signalled: {self._words(error)}"), {})
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
        rule: Policy,
        account: _PolicyAccount,
        verdicts: t.Sequence[verdicts.Verdict],
        endings: t.Mapping[int, Outcome],
    ) -> None:
        """Take the sessions into the result."""
        options = {**rule.options, "redact_literals": self._options["redact_literals"]}
        more = {"policy": rule.name, "why": rule.options["why"], "round": max(account.rounds, 1)}
        for verdict, victim in zip(verdicts, results.records(verdicts, endings, self._cluster.engine, options)):
            record = {**victim, **more}
            if verdict.outcome is None:
                account.hit.append(record)
            else:
                account.bystanders[_who(record)] = record

    def _conclude(self, rule: Policy, account: _PolicyAccount, step: decision.Step) -> None:
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

    def _problem(self, rule: Policy, account: _PolicyAccount) -> str | None:
        """The first session that was to end and did not."""
        bad = results.bad_outcomes(rule.options)
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
            "counts": results.counts(victims),
            "guards": [dataclasses.asdict(finding) for finding in self._guards.values()],
            "diff": _diff(victims),
        }
        if self._engine is not None:
            found["engine"] = self._engine.shown
        if self._total is not None:
            found["sessions"] = {"total": self._total, "signalled": self._past.sessions_with()}
        return found

    def _policy(self, rule: Policy) -> dict[str, t.Any]:
        account = self._accounts[rule.name]
        return {
            "name": rule.name,
            "why": rule.options["why"],
            "state": rule.request.policy.state,
            "outcome": account.outcome,
            "reason": account.reason,
            "relieved": account.relieved,
            "rounds": account.rounds,
            "counts": results.counts(account.victims),
        }


def _diff(victims: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, str]:
    """PURE: each session once, as the first policy that chose it found it, and as the last one left it."""
    listed = [victim for victim in victims if victim["outcome"] != verdicts.GONE]
    first = {_who(victim): victim for victim in reversed(listed)}
    last = {_who(victim): victim for victim in listed}
    return {
        "before": results.diff([first[who] for who in last])["before"],
        "after": results.diff(last.values())["after"],
    }


def _sessions(number: int) -> str:
    return "1 session" if number == 1 else f"{number} sessions"


DEFINITION = Definition(run, ARGUMENT_SPEC)
