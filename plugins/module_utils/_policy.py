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

from ansible_collections.gpops.toolkit.plugins.module_utils import (
    _backend,
    _connection,
    _engine,
    _goals,
    _guards,
    _policies,
    _process_info,
    _processes,
    _selection,
    _signals,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._errors import DeadlineExceeded, GpopsError, OptionError
from ansible_collections.gpops.toolkit.plugins.module_utils._line import ServerLine
from ansible_collections.gpops.toolkit.plugins.module_utils._module import Definition
from ansible_collections.gpops.toolkit.plugins.module_utils._visit import Visit, visit

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
    "policies": {"type": "list", "elements": "dict", "required": True, "options": _policies.OPTIONS},
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
    rules = _policies.understand(options["policies"])
    _guards.check_share(options["max_share"])
    findings = _findings(options)
    job = _Job(rules, options, acting=options["mode"] == ENFORCE and not check_mode)
    job.guard(findings)
    try:
        with visit(options) as line:
            job.apply(line)
    except GpopsError as error:
        raise GpopsError(error.message, **{**job.result(), **error.result}) from None
    job.fail_if_not_all_done()
    return job.result(), job.warnings


def _findings(options: t.Mapping[str, t.Any]) -> list[_guards.Finding]:
    """What the guards say that need no server.

    Raises:
        OptionError: One of them cannot be used.
    """
    windows = [_guards.window(text) for text in options["windows"] or ()]
    file = options["kill_switch_file"]
    return [
        *_guards.kill_switches(options["kill_switch"], file, bool(file) and os.path.lexists(file)),
        *_guards.schedule(windows, dt.datetime.now(_timezone(options["windows_timezone"]))),
    ]


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


@dataclasses.dataclass
class _Account:
    """What came of one policy so far."""

    outcome: str = NOT_RUN
    reason: str = ""
    relieved: bool | None = None
    rounds: int = 0
    victims: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    tried: set[tuple[t.Any, ...]] = dataclasses.field(default_factory=set)
    problem: str | None = None


class _Time:
    """What is left of O(timeout); waits that were asked for come on top."""

    def __init__(self, deadline: _connection.Deadline) -> None:
        self._left = deadline.remaining()

    @contextlib.contextmanager
    def spend(self, waits: float = 0.0) -> t.Iterator[_connection.Deadline]:
        """A deadline for what is done inside, which may wait so many seconds."""
        if self._left <= 0:
            raise DeadlineExceeded("timeout is over; what was not done yet is left")
        deadline = _connection.Deadline(self._left + waits)
        try:
            yield deadline
        finally:
            self._left = min(self._left, deadline.remaining())


class _Job:
    """All policies on one server."""

    def __init__(self, rules: t.Sequence[_policies.Rule], options: t.Mapping[str, t.Any], acting: bool) -> None:
        self._rules = rules
        self._options = options
        self._acting = acting
        self._accounts = {rule.name: _Account() for rule in rules}
        self._guards: list[_guards.Finding] = []
        self._with_locks = any(rule.needs_locks for rule in rules)
        self._moment: _goals.Moment | None = None
        self._looks = 0
        self._total: int | None = None
        self._locks_problem: str | None = None
        self._engine: _engine.Engine | None = None
        self.warnings: list[str] = []

    def guard(self, findings: t.Sequence[_guards.Finding]) -> None:
        """Take note of guards; stop if one of them does.

        Raises:
            GpopsError: It does.
        """
        self._guards += findings
        stopped = [finding for finding in findings if not finding.passed]
        if not stopped or not self._acting:
            return
        for account in self._accounts.values():
            account.reason = f"stopped by {stopped[0].guard}"
        words = "; ".join(f"{finding.guard}: {finding.reason}" for finding in stopped)
        raise GpopsError(f"a guard stopped it, and nothing was signalled: {words}", **self.result())

    def apply(self, line: Visit) -> None:
        """Each policy in turn."""
        self._line = line
        self._engine = line.engine
        self._time = _Time(line.deadline)
        if not self._options["allow_segments_down"]:
            with self._time.spend() as deadline:
                down, problem = _engine.segments_down(line.session, deadline)
            self.guard([_guards.segments(down, problem, allowed=False)])
        for rule in self._rules:
            account = self._accounts[rule.name]
            account.outcome, account.reason = FAILED, "it broke off"
            try:
                self._apply(rule, account)
            except GpopsError as error:
                account.reason = error.message
                raise

    def _apply(self, rule: _policies.Rule, account: _Account) -> None:
        quiet_until: float | None = None
        while True:
            moment = self._look()
            if rule.needs_locks and self._locks_problem:
                account.reason = f"it cannot be judged: {self._locks_problem}"
                return
            with self._time.spend() as deadline, deadline.enforced(_selection.TOO_SLOW):
                step = _policies.step(rule, moment, account.tried, len(account.tried))
            account.relieved = step.relieved
            refused = step.refused or self._over_share(step)
            if refused:
                self._note(rule, account, _backend.spared(step.verdicts, "the policy was refused"), {})
                account.outcome, account.reason = REFUSED, refused
                return
            if step.now and account.rounds < rule.rounds:
                quiet_until = None
                if self._end(rule, account, step):
                    continue
            elif self._is_quiet(rule, quiet_until := quiet_until or time.monotonic() + (rule.quiet_for or 0.0)):
                continue
            if not account.rounds:
                self._note(rule, account, step.verdicts, {})
            self._conclude(rule, account, step)
            return

    def _look(self) -> _goals.Moment:
        """All sessions; anew if something was signalled since the last look."""
        if self._moment is not None:
            return self._moment
        line, engine = self._line, self._line.engine
        with self._time.spend() as deadline:
            if self._looks and engine.toolkit_spends_session:
                line.session = line.session.renewed(deadline)
            line.session, snapshot = _processes.read(line.session, engine, deadline, self._with_locks)
        if not self._looks:
            self._total = len(snapshot.backends)
            self.warnings += _process_info.warnings(engine, snapshot, with_locks=False)
        self._looks += 1
        self._locks_problem = snapshot.locks_problem if self._with_locks else None
        self._moment = _goals.Moment(snapshot.backends, snapshot.connections + 1, engine.max_connections)
        return self._moment

    def _over_share(self, step: _policies.Step) -> str | None:
        if not step.now:
            return None
        before = sum(len(account.tried) for account in self._accounts.values())
        words = _guards.over_share(before + len(step.now), self._total or 0, self._options["max_share"])
        return f"{words}; nobody was signalled" if words else None

    def _end(self, rule: _policies.Rule, account: _Account, step: _policies.Step) -> bool:
        """End the sessions of a step, or suppose so; whether there may be another round."""
        moment = t.cast(_goals.Moment, self._moment)
        state = rule.request.policy.state
        account.rounds += 1
        endings: dict[int, _signals.Ending] = {}
        account.tried.update(_policies.key(rule, backend) for backend in step.now)
        if self._acting:
            endings = self._signal(rule, step)
            self._moment = None
        else:
            self._moment = _policies.after(moment, step.now, state)
        self._note(rule, account, step.verdicts, endings)
        bad = [pid for pid, ending in endings.items() if ending.outcome in _backend.bad_outcomes(rule.options)]
        if bad:
            account.problem = f"process {bad[0]}: {endings[bad[0]].reason}"
            return False
        if rule.has_end and self._acting:
            time.sleep(_SETTLE_SECONDS)
        return rule.has_end or account.rounds < rule.rounds

    def _signal(self, rule: _policies.Rule, step: _policies.Step) -> dict[int, _signals.Ending]:
        plan = rule.request.plan
        waits = (plan.grace_period if plan.cancel_first else 0.0) + (plan.wait_timeout if plan.wait else 0.0)
        self._say(_backend.warnings(self._line.engine, rule.options))
        with self._time.spend(waits) as deadline:
            line = ServerLine(self._line, deadline, rule.options["victim_message"])
            return _signals.end(line, step.now, plan)

    def _is_quiet(self, rule: _policies.Rule, until: float) -> bool:
        """Wait a little for somebody to come back; false when it was quiet for long enough."""
        rest = until - time.monotonic()
        if rule.quiet_for is None or not self._acting or rest <= 0:
            return False
        time.sleep(min(rest, _SETTLE_SECONDS))
        self._moment = None
        return True

    def _note(
        self,
        rule: _policies.Rule,
        account: _Account,
        verdicts: t.Sequence[t.Any],
        endings: t.Mapping[int, _signals.Ending],
    ) -> None:
        """Take the sessions into the result; those that were not to be signalled once only."""
        if account.rounds > 1:
            verdicts = [verdict for verdict in verdicts if verdict.outcome is None]
        options = {**rule.options, "redact_literals": self._options["redact_literals"]}
        more = {"policy": rule.name, "why": rule.options["why"], "round": max(account.rounds, 1)}
        found = _backend.records(verdicts, endings, self._line.engine, options)
        account.victims += [{**victim, **more} for victim in found]

    def _conclude(self, rule: _policies.Rule, account: _Account, step: _policies.Step) -> None:
        """The outcome of a policy that came to its end."""
        number = len(account.tried)
        state = rule.request.policy.state
        if not number:
            account.outcome, account.reason = NOTHING, "no session is to end"
        elif self._acting:
            account.outcome, account.reason = DONE, f"{_sessions(number)} signalled to be {state}"
        else:
            account.outcome, account.reason = WOULD_ACT, f"{_sessions(number)} would be {state}"
        if rule.has_end and not account.problem:
            account.reason += f"; {step.why}"
            if step.now:
                account.reason += f"; {rule.rounds} rounds did not do"
            if self._acting and not account.relieved:
                account.problem = account.reason
        if account.problem and not rule.options["ignore_survivors"]:
            account.outcome, account.reason = FAILED, account.problem

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
            "changed": any(victim["signalled"] is not False for victim in victims),
            "mode": ENFORCE if self._acting else REPORT,
            "policies": [self._policy(rule) for rule in self._rules],
            "victims": victims,
            "counts": _backend.counts(victims),
            "guards": [dataclasses.asdict(finding) for finding in self._guards],
            "diff": _backend.diff(victims),
        }
        if self._engine is not None:
            found["engine"] = self._engine.shown
        if self._total is not None:
            signalled = sum(victim["signalled"] is not False for victim in victims)
            found["sessions"] = {"total": self._total, "signalled": signalled}
        return found

    def _policy(self, rule: _policies.Rule) -> dict[str, t.Any]:
        account = self._accounts[rule.name]
        return {
            "name": rule.name,
            "why": rule.options["why"],
            "state": rule.request.policy.state,
            "outcome": account.outcome,
            "reason": account.reason,
            "relieved": account.relieved,
            "rounds": account.rounds,
            "counts": _backend.counts(account.victims),
        }


def _sessions(number: int) -> str:
    return "1 session" if number == 1 else f"{number} sessions"


DEFINITION = Definition(run, ARGUMENT_SPEC)
