# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: a policy + the sessions of a moment -> what it does now. Private to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._policies import thresholds
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.forecast import after
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.history import SignalHistory
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.policy import Policy
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.backend import Backend, counted
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.request import spared
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.verdicts import (
    GONE,
    NOT_APPLICABLE,
    SPARED,
    Verdict,
)

_AGAIN = "this run signalled it before, or tried to, and it is still there"


@dataclasses.dataclass(frozen=True)
class Step:
    """What a policy does with one moment.

    Attributes:
        now: The sessions to signal.
        verdicts: On these and on all others to be shown.
        relieved: Whether its maximum holds or nobody is left, None if it has none.
        why: Of relieved, in words.
        refused: Why nobody may be signalled although somebody should, or None.
    """

    now: tuple[Backend, ...]
    verdicts: tuple[Verdict, ...]
    relieved: bool | None
    why: str
    refused: str | None = None


def step(
    policy: Policy, moment: thresholds.Moment, found: t.Sequence[Verdict], past: SignalHistory, number: int
) -> Step:
    """What the policy does with this moment.

    Args:
        found: What its selection and protection say of the moment's sessions.
        past: Of the run.
        number: How many sessions this policy tried to signal before.
    """
    state = policy.request.state
    verdicts = [
        Verdict(verdict.backend, SPARED, _AGAIN)
        if verdict.outcome is None and past.has_tried(state, verdict.backend)
        else verdict
        for verdict in found
    ]
    eligible = tuple(verdict.backend for verdict in verdicts if verdict.outcome is None)
    left = policy.request.max_victims - number
    if policy.goal is not None:
        # Who was signalled and is still there will not be there for long: nobody ends in its place.
        ending = [backend for backend in moment.backends if past.is_ending(state, backend)]
        return _step_to_goal(policy.goal, moment, after(moment, ending, state), verdicts, eligible, left)
    there = [verdict for verdict in verdicts if verdict.outcome not in (GONE, NOT_APPLICABLE)]
    relieved = None if policy.quiet_for is None else not there
    why = _who_is_left(there)
    if len(eligible) > left:
        refused = (
            f"{counted(len(eligible))} would be {state}, {left} of max_victims {policy.request.max_victims} are left"
        )
        return Step((), tuple(spared(verdicts, "over max_victims")), relieved, why, refused)
    return Step(eligible, tuple(verdicts), relieved, why)


def _who_is_left(verdicts: t.Sequence[Verdict]) -> str:
    if not verdicts:
        return "no matching session is left"
    first = verdicts[0]
    return f"{counted(len(verdicts))} left, first process {first.backend.pid}: {first.reason}"


def _step_to_goal(
    goal: thresholds.Threshold,
    moment: thresholds.Moment,
    soon: thresholds.Moment,
    verdicts: t.Sequence[Verdict],
    eligible: tuple[Backend, ...],
    left: int,
) -> Step:
    now = goal.pick(moment, eligible)
    if not now.excess:
        return Step((), (), True, now.what)
    pick = goal.pick(soon, eligible)
    if not pick.excess:
        return Step((), (), False, f"{now.what}; some that were signalled are still there")
    return _end_some(goal, pick, verdicts, left)


def _end_some(goal: thresholds.Threshold, pick: thresholds.Pick, verdicts: t.Sequence[Verdict], left: int) -> Step:
    batch = len(pick.order) if goal.batch is None else goal.batch
    now = pick.order[: min(batch, max(left, 0))]
    chosen = {backend.pid for backend in now}
    shown = tuple(verdict for verdict in verdicts if verdict.backend.pid in chosen)
    why = pick.what
    if not now:
        why += f"; {_why_nobody(pick, verdicts)}"
        worst = [verdict for verdict in verdicts if verdict.outcome and verdict.backend == pick.worst]
        shown = tuple(worst)
    return Step(now, shown, False, why)


def _why_nobody(pick: thresholds.Pick, verdicts: t.Sequence[Verdict]) -> str:
    if pick.order:
        return "no more may end, max_victims is reached"
    for verdict in verdicts:
        if verdict.outcome and verdict.backend == pick.worst:
            return f"it is not ended: {verdict.reason}"
    return "no selected session is left that may end"
