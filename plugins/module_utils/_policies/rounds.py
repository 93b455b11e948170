# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Look, decide, signal, and again, for one policy after the other. Private to the collection."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.engine import Engine
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import ConnectionLost, GpopsError, GroupFull
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.decision import Step
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.decision import step as decide
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.forecast import after
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.guard_checks import GuardChecks
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.guards import over_share, segments
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.history import key
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.journal import (
    FAILED,
    NOT_RUN,
    REFUSED,
    Journal,
    PolicyAccount,
    Stopped,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.observer import Observer, TimeBudget
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.policy import Policy, Settings
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.port import Server
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.thresholds import MaxConnections, Moment
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.selection import LEAST_SECONDS
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.escalation import Outcome, signal_all
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.request import choose, named_in_vain, spared
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.result import warnings
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.verdicts import (
    CANCELLED,
    UNKNOWN,
    Verdict,
    unprotected_names,
)


class Rounds:
    """Each policy in turn: look, decide, signal, and again."""

    def __init__(
        self,
        server: Server,
        policies: t.Sequence[Policy],
        settings: Settings,
        guard_checks: GuardChecks,
        journal: Journal,
    ) -> None:
        self._server = server
        self._policies = policies
        self._settings = settings
        self._guard_checks = guard_checks
        self._journal = journal
        self._acting = settings.acting
        self._time = TimeBudget(server.deadline)
        self._observer = Observer(server, policies, journal, settings.acting)

    def run(self) -> None:
        """Apply the policies, as far as guards and the cluster let it.

        Raises:
            GpopsError: A guard stopped it, or it broke off.
        """
        engine = self._server.engine
        self._journal.say(too_late(self._policies, engine))
        with self._time.spend() as deadline:
            found = self._server.hosts(deadline)
        self._journal.coordinators = found.coordinators
        self._journal.guard([segments(found.down, found.problem, self._settings.allow_segments_down)])
        for policy in self._policies:
            account = self._journal.account(policy)
            account.outcome = FAILED
            try:
                self._apply(policy, account)
            except Stopped as error:
                account.outcome = FAILED if account.rounds else NOT_RUN
                account.reason = error.message
                raise
            except GpopsError as error:
                account.reason, account.relieved = self._words(error), None
                raise GpopsError(f"policy {policy.name} broke off: {account.reason}", **error.result) from None

    def _words(self, error: GpopsError) -> str:
        return self._server.full_group if isinstance(error, GroupFull) else error.message

    def _apply(self, policy: Policy, account: PolicyAccount) -> None:
        unable = self._unable(policy)
        if unable:
            account.reason = unable
            return
        quiet_until: float | None = None
        while True:
            step = self._step(policy, account, quiet_until)
            if policy.needs_locks and self._observer.locks_problem:
                account.reason, account.relieved = f"it cannot be judged: {self._observer.locks_problem}", None
                return
            may_end = account.rounds < policy.rounds and account.problem is None
            refused = (step.refused or self._over_share(step)) if may_end else None
            if refused:
                self._note(policy, spared(step.verdicts, "the policy was refused"), {})
                account.outcome = REFUSED
                account.reason = f"{refused}; {self._journal.sent_so_far(account)}"
                return
            if step.now and may_end:
                quiet_until = None
                self._end(policy, account, step)
                if policy.has_end or account.rounds < policy.rounds:
                    continue  # another look, be it to tell whether that did
            elif may_end and policy.quiet_for is not None and self._acting:
                quiet_until = quiet_until or time.monotonic() + policy.quiet_for
                if self._observer.pause(quiet_until):
                    continue
            if not account.rounds:
                self._note(policy, step.verdicts, {})
            self._journal.conclude(policy, step)
            return

    def _unable(self, policy: Policy) -> str | None:
        """Why this role cannot do what the policy asks for."""
        plan = policy.request.plan
        needed = [CANCELLED] if plan.cancel_first or plan.state == CANCELLED else []
        for state in [*needed, plan.state]:
            if state not in self._server.engine.signal_functions:
                return f"role {self._server.engine.role} may use no function of mdb_toolkit for state={state}"
        return None

    def _step(self, policy: Policy, account: PolicyAccount, quiet_until: float | None) -> Step:
        """What the policy does now; what that takes while it waits for quiet is a part of that wait."""
        free = max(0.0, quiet_until - time.monotonic()) if quiet_until else 0.0
        with self._time.spend(free=free) as deadline:
            moment = self._observer.look(policy, deadline)
            with deadline.enforced(policy.request.selection.too_slow, LEAST_SECONDS):
                found = choose(moment.backends, policy.request, moment.who)
            step = decide(policy, moment, found, self._journal.history, account.tried)
        account.relieved = step.relieved
        if not account.rounds:
            account.named_in_vain = named_in_vain(moment.backends, policy.request, moment.who)
        chosen = [verdict for verdict in step.verdicts if verdict.backend in step.now]
        self._journal.say(unprotected_names(chosen, policy.request.protection))
        return step

    def _over_share(self, step: Step) -> str | None:
        if not step.now:
            return None
        number = self._journal.history.sessions_with(step.now)
        return over_share(number, self._journal.total or 0, self._settings.max_share)

    def _end(self, policy: Policy, account: PolicyAccount, step: Step) -> None:
        """End the sessions of a step, or suppose so."""
        state = policy.request.state
        moment = t.cast(Moment, self._observer.moment)
        outcomes: dict[int, Outcome] = {}
        if self._acting:
            self._journal.guard(self._guard_checks.findings())
            waited = any(backend.waiting is not False for backend in moment.backends)
            outcomes = self._signal(policy, step)
            self._observer.forget(settled=policy.request.plan.wait and not waited)
        else:
            self._observer.suppose(after(moment, step.now, state))
        account.rounds += 1
        account.tried += len(step.now)
        history = self._journal.history
        for backend in step.now:
            history.tried.add(key(state, backend))
            if not self._acting or outcomes[backend.pid].signalled is not False:
                history.sent.add(key(state, backend))
        self._note(policy, step.verdicts, outcomes)
        bad = [pid for pid, outcome in outcomes.items() if outcome.outcome in policy.request.bad_outcomes]
        if bad and not policy.request.ignore_survivors:
            account.problem = f"process {bad[0]}: {outcomes[bad[0]].reason}"
        lost = [pid for pid, outcome in outcomes.items() if outcome.outcome == UNKNOWN]
        if lost:
            raise ConnectionLost(f"process {lost[0]}: {outcomes[lost[0]].reason}")

    def _signal(self, policy: Policy, step: Step) -> dict[int, Outcome]:
        plan = policy.request.plan
        self._journal.say(warnings(self._server.engine, policy.request))
        try:
            with self._time.spend(plan.longest_wait) as deadline:
                sender = self._server.sender(deadline, policy.request.message)
                return signal_all(sender, step.now, plan)
        except GpopsError as error:
            # It is raised only if no signal was sent.
            self._note(policy, spared(step.verdicts, f"not signalled: {self._words(error)}"), {})
            raise

    def _note(self, policy: Policy, verdicts: t.Sequence[Verdict], outcomes: t.Mapping[int, Outcome]) -> None:
        self._journal.note(policy, verdicts, outcomes, self._server.engine)


def too_late(policies: t.Iterable[Policy], engine: Engine) -> list[str]:
    """PURE: the policies that are to keep connections free for ordinary roles, and cannot."""
    most, kept = engine.max_connections, engine.kept_connections
    found = (
        (policy.name, policy.goal.comes_too_late(most, kept))
        for policy in policies
        if isinstance(policy.goal, MaxConnections)
    )
    return [f"policy {name}: {words}" for name, words in found if words]
