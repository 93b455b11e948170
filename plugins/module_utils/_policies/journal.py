# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What came of each policy, and the result of the run. Private to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.engine import Engine
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import GpopsError
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.decision import Step
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.guards import Finding
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.history import SignalHistory
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.policy import Policy, Settings
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.thresholds import MaxHeldUp
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.backend import counted
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.escalation import Outcome
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.result import counts, diff, is_hit, records
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.verdicts import GONE, Verdict

REPORT = "report"
ENFORCE = "enforce"
DONE = "done"
WOULD_ACT = "would_act"
NOTHING = "nothing"
REFUSED = "refused"
FAILED = "failed"
NOT_RUN = "not_run"
# How many of those that were named in vain are told one by one.
_NAMED = 5


class Stopped(GpopsError):
    """A guard said no."""


@dataclasses.dataclass
class PolicyAccount:
    """What came of one policy so far.

    Attributes:
        tried: How many sessions it tried to signal.
        hit: Those, as the result has them.
        bystanders: Those that it chose and did not try to signal, by pid and start.
        problem: Why it may signal nobody more.
        named_in_vain: Which of those that were named one by one were not there, in words.
    """

    outcome: str = NOT_RUN
    reason: str = ""
    relieved: bool | None = None
    rounds: int = 0
    tried: int = 0
    hit: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    bystanders: dict[tuple[t.Any, ...], dict[str, t.Any]] = dataclasses.field(default_factory=dict)
    problem: str | None = None
    named_in_vain: t.Sequence[str] = ()

    @property
    def victims(self) -> list[dict[str, t.Any]]:
        """Each session once; a session of which several statements were cancelled once for each."""
        seen = {_who(victim) for victim in self.hit}
        # That a session is gone is no news of one that was ended.
        seen.update((victim["pid"], None) for victim in self.hit)
        return self.hit + [victim for who, victim in self.bystanders.items() if who not in seen]


def _who(victim: t.Mapping[str, t.Any]) -> tuple[t.Any, ...]:
    return (victim["pid"], victim["backend_start"])


class Journal:
    """What came of each policy, and the result of the run.

    Attributes:
        history: Whom this run has signalled.
        total: How many sessions there were at first; None before anybody looked.
        engine: What the server is; None before the login.
        coordinators: Hosts and ports of the coordinator and its standby, as the catalog has them.
        unknown_names: Those in the policies that the cluster does not have.
    """

    def __init__(self, policies: t.Sequence[Policy], settings: Settings) -> None:
        self.history = SignalHistory()
        self.warnings: list[str] = []
        self.total: int | None = None
        self.engine: Engine | None = None
        self.coordinators: t.Sequence[str] = ()
        self.unknown_names: list[str] = []
        self._policies = policies
        self._settings = settings
        self._acting = settings.acting
        self._accounts = {policy.name: PolicyAccount() for policy in policies}
        self._guards: dict[str, Finding] = {}

    def account(self, policy: Policy) -> PolicyAccount:
        """What came of this policy so far."""
        return self._accounts[policy.name]

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
        number = sum(is_hit(victim) for account in self._accounts.values() for victim in account.hit)
        before = f"after {number} signals" if number else "and nothing was signalled"
        raise Stopped(f"a guard stopped it, {before}: {words}")

    def say(self, warnings: t.Iterable[str]) -> None:
        """Warn of each thing once."""
        self.warnings += [warning for warning in warnings if warning not in self.warnings]

    def broke_off(self, message: str) -> None:
        """Say of each policy that was not reached why."""
        for account in self._accounts.values():
            if account.outcome == NOT_RUN:
                account.reason = account.reason or message

    def sent_so_far(self, account: PolicyAccount) -> str:
        """What a policy that is refused has done before."""
        number = sum(is_hit(victim) for victim in account.hit)
        if not number:
            return "nobody was signalled"
        verb = ("was" if number == 1 else "were") if self._acting else "would be"
        return f"{counted(number)} {verb} signalled before that, and nobody more"

    def note(
        self, policy: Policy, verdicts: t.Sequence[Verdict], outcomes: t.Mapping[int, Outcome], engine: Engine
    ) -> None:
        """Take the sessions into the result."""
        account = self.account(policy)
        more = {"policy": policy.name, "why": policy.why, "round": max(account.rounds, 1)}
        for verdict, victim in zip(verdicts, records(verdicts, outcomes, engine, policy.request)):
            record = {**victim, **more}
            if verdict.outcome is None:
                account.hit.append(record)
            else:
                account.bystanders[_who(record)] = record

    def conclude(self, policy: Policy, step: Step) -> None:
        """The outcome of a policy that came to its end."""
        account = self.account(policy)
        number = sum(is_hit(victim) for victim in account.hit)
        state = policy.request.state
        if not account.tried:
            account.outcome, account.reason = NOTHING, "no session is to end"
        elif not number:
            account.outcome, account.reason = NOTHING, "nobody was signalled, as the victims tell"
        elif self._acting:
            account.outcome, account.reason = DONE, f"{counted(number)} signalled to be {state}"
        else:
            account.outcome, account.reason = WOULD_ACT, f"{counted(number)} would be {state}"
        account.reason = "; ".join([account.reason, *_some(account.named_in_vain)])
        supposed = not self._acting and account.rounds
        if policy.has_end:
            account.reason += f"; {self._foretold(policy, step) if supposed else step.why}"
            if step.now and account.problem is None:
                account.reason += f"; {policy.rounds} rounds were not enough"
        if self._acting and not policy.request.ignore_survivors:
            problem = self._problem(policy, account)
            if problem or (policy.has_end and not account.relieved):
                account.outcome = FAILED
                account.reason = "; ".join(part for part in (problem, account.reason) if part)

    @staticmethod
    def _foretold(policy: Policy, step: Step) -> str:
        """What is said of a moment that nobody has seen."""
        held_up = ", if those that were held up hold up nobody in turn" if isinstance(policy.goal, MaxHeldUp) else ""
        return f"it would then be so that {step.why}{held_up}"

    def _problem(self, policy: Policy, account: PolicyAccount) -> str | None:
        """The first session that was to end and did not."""
        bad = policy.request.bad_outcomes
        left = [victim for victim in account.victims if victim["outcome"] in bad]
        return f"process {left[0]['pid']}: {left[0]['reason']}" if left else account.problem

    def fail_if_not_all_done(self) -> None:
        """Raise GpopsError if it was to act, and a policy could not."""
        bad = {name: account for name, account in self._accounts.items() if account.outcome in (REFUSED, FAILED)}
        if not bad or not self._acting:
            return
        words = "; ".join(f"{name} {account.outcome}: {account.reason}" for name, account in bad.items())
        raise GpopsError(f"{len(bad)} of {len(self._policies)} policies did not succeed: {words}", **self.result())

    def result(self) -> dict[str, t.Any]:
        """The result of the module so far."""
        victims = [victim for account in self._accounts.values() for victim in account.victims]
        found: dict[str, t.Any] = {
            # A report changes nothing and would not; in check mode, what would be.
            "changed": self._settings.enforce and any(is_hit(victim) for victim in victims),
            "mode": ENFORCE if self._acting else REPORT,
            "policies": [self._policy(policy) for policy in self._policies],
            "victims": victims,
            "counts": counts(victims),
            "guards": [dataclasses.asdict(finding) for finding in self._guards.values()],
            "diff": _diff(victims),
            "coordinators": list(self.coordinators),
            "unknown_names": self.unknown_names,
        }
        if self.engine is not None:
            found["engine"] = self.engine.shown
        if self.total is not None:
            number = self.history.sessions_with()
            sent, supposed = (number, 0) if self._acting else (0, number)
            found["sessions"] = {"total": self.total, "signalled": sent, "would_be_signalled": supposed}
        return found

    def _policy(self, policy: Policy) -> dict[str, t.Any]:
        account = self._accounts[policy.name]
        return {
            "name": policy.name,
            "why": policy.why,
            "state": policy.request.state,
            "outcome": account.outcome,
            "reason": account.reason,
            "relieved": account.relieved,
            "rounds": account.rounds,
            "counts": counts(account.victims),
        }


def _diff(victims: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, str]:
    """PURE: each session once, as the first policy that chose it found it, and as the last one left it."""
    listed = [victim for victim in victims if victim["outcome"] != GONE]
    first = {_who(victim): victim for victim in reversed(listed)}
    last = {_who(victim): victim for victim in listed}
    return diff([{**first[who], "outcome": victim["outcome"]} for who, victim in last.items()])


def _some(sentences: t.Sequence[str]) -> list[str]:
    """The first ones, and how many more there are."""
    more = len(sentences) - _NAMED
    return [*sentences[:_NAMED], f"and {more} more like these"] if more > 0 else list(sentences)
