# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: policies + the sessions of a moment -> what each would do now. Private to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError
from ansible_collections.gpops.toolkit.plugins.module_utils._policies import thresholds
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import selection as _selection
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.snapshot import GROUP_WAIT, LOCK_WAIT, Backend
from ansible_collections.gpops.toolkit.plugins.module_utils._signals import gp_backend
from ansible_collections.gpops.toolkit.plugins.module_utils._signals import verdicts as _victims

_STRINGS: dict[str, t.Any] = {"type": "list", "elements": "str"}
_LIMIT_CRITERIA = ("users", "databases", "application_names", "resource_groups")
# Of gp_backend's options those that belong to the task or to another way to choose.
_NOT_OF_A_POLICY = ("processes", "redact_literals")

OPTIONS: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "why": {"type": "str", "default": ""},
    **_selection.ARGUMENT_SPEC,
    **{name: spec for name, spec in gp_backend.ARGUMENT_SPEC.items() if name not in _NOT_OF_A_POLICY},
    "limits": {
        "type": "list",
        "elements": "dict",
        "options": {**dict.fromkeys(_LIMIT_CRITERIA, _STRINGS), "min_query_age": {"type": "str"}},
    },
    "max_held_up": {"type": "int"},
    "max_role_sessions": {"type": "int"},
    "role_quotas": {"type": "dict"},
    "max_connections": {"type": "str"},
    "offenders_by": {"type": "str", "choices": list(thresholds.OFFENDERS), "default": "user"},
    "max_group_queue": {"type": "int"},
    "quiet_for": {"type": "str"},
    "rounds": {"type": "int"},
    "batch": {"type": "int"},
}
_MANY_ROUNDS = 20


@dataclasses.dataclass(frozen=True)
class Policy:
    """One policy, understood.

    Attributes:
        options: As they were given, for the result.
        request: Selection, protection and how to end.
        goal: The maximum to reach, or V(none).
        quiet_for: Seconds without anybody, or V(none).
        rounds: At most.
    """

    name: str
    options: t.Mapping[str, t.Any]
    request: gp_backend.Request
    goal: thresholds.Threshold | None
    quiet_for: float | None
    rounds: int

    @property
    def needs_locks(self) -> bool:
        """Whether it can be judged with the lock table only."""
        return _selection.needs_locks(self.options) or isinstance(self.goal, thresholds.MaxHeldUp)

    @property
    def has_end(self) -> bool:
        """Whether it can be said that its situation is relieved."""
        return self.goal is not None or self.quiet_for is not None


@dataclasses.dataclass(frozen=True)
class Step:
    """What a policy does with one moment.

    Attributes:
        now: The sessions to signal.
        verdicts: On these and on all others to be shown.
        relieved: Whether its maximum holds or nobody is left, V(none) if it has none.
        why: Of V(relieved), in words.
        refused: Why nobody may be signalled although somebody should, or V(none).
    """

    now: tuple[Backend, ...]
    verdicts: tuple[_victims.Verdict, ...]
    relieved: bool | None
    why: str
    refused: str | None = None


def parse(policies: t.Sequence[t.Mapping[str, t.Any]]) -> list[Policy]:
    """The rules for these policies.

    Raises:
        OptionError: An option of one cannot be used, or a name is empty or there twice.
    """
    rules: list[Policy] = []
    for number, options in enumerate(policies, 1):
        name = options["name"]
        if not name.strip() or name in [rule.name for rule in rules]:
            raise OptionError("policies", f"number {number}: name {name!r} is empty or was used before")
        try:
            rules.append(_rule(options))
        except OptionError as error:
            raise OptionError("policies", f"{name!r}: {error.message}") from None
    return rules


def _rule(options: t.Mapping[str, t.Any]) -> Policy:
    goal = thresholds.parse(options)
    if goal is not None and options["victims"] != "all":
        raise OptionError(
            "victims", f"{options['victims']} is not allowed with a maximum to reach, which chooses itself"
        )
    match_all = options["match_all"] or goal is not None or options["limits"] is not None
    request = gp_backend.parse({**options, "processes": None, "match_all": match_all})
    if options["limits"] is not None:
        criterion = _selection.Criterion("limits", _limits(options["limits"]))
        selection = dataclasses.replace(request.selection, wanted=(*request.selection.wanted, criterion))
        request = dataclasses.replace(request, selection=selection)
    quiet_for = options["quiet_for"]
    rounds = options["rounds"]
    if rounds is not None and rounds < 1:
        raise OptionError("rounds", f"{rounds} is not allowed; it is a number, 1 or more")
    return Policy(
        name=options["name"],
        options=options,
        request=request,
        goal=goal,
        quiet_for=None if quiet_for is None else _selection.waiting_time("quiet_for", quiet_for),
        rounds=rounds or (_MANY_ROUNDS if goal is not None or quiet_for is not None else 1),
    )


def _limits(entries: t.Sequence[t.Mapping[str, t.Any]]) -> t.Callable[[Backend], bool]:
    if not entries:
        raise OptionError("limits", "an empty list is not allowed; leave it out, or give entries with min_query_age")
    try:
        tests = [_limit(entry) for entry in entries]
    except OptionError as error:
        raise OptionError("limits", error.message) from None

    def too_long(backend: Backend) -> bool:
        for perhaps, who, age in tests:
            # What an entry names and nobody can see may be what it exempts: nothing is chosen on a guess.
            if all(name.why_not(backend) is not None for name in perhaps):
                return all(part is not None and part.why_not(backend) is None for part in (who, age))
        return False

    return too_long


def _limit(
    entry: t.Mapping[str, t.Any],
) -> tuple[list[_selection.Selection], _selection.Selection, _selection.Selection | None]:
    """Tests of one entry: which each leave out whom it may fit, which chooses whom it fits, and of the age."""
    given = {name: entry[name] for name in _LIMIT_CRITERIA if entry.get(name) is not None}
    age = entry.get("min_query_age")
    fits = _selection.parse(given)
    is_old = None if age is None else _selection.parse({"min_query_age": age})
    return [_selection.parse({f"exclude_{name}": value}) for name, value in given.items()], fits, is_old


Key = t.Tuple[t.Any, ...]


def key(state: str, backend: Backend) -> Key:
    """What names the session, or for a cancel the statement."""
    what = backend.query_start if state == _victims.CANCELLED else None
    return (backend.pid, backend.sess_id, backend.backend_start, what)


@dataclasses.dataclass
class SignalHistory:
    """What was done before in this run, by all of its policies.

    Attributes:
        tried: Whom it tried to signal: nobody gets the same signal twice.
        sent: To whom of these a signal went, perhaps.
    """

    tried: set[Key] = dataclasses.field(default_factory=set)
    sent: set[Key] = dataclasses.field(default_factory=set)

    def has_tried(self, state: str, backend: Backend) -> bool:
        """Whether it tried this signal on it, or to end the whole session."""
        return key(state, backend) in self.tried or key(_victims.TERMINATED, backend) in self.tried

    def is_ending(self, state: str, backend: Backend) -> bool:
        """Whether it is there still although such a signal went to it."""
        running = state == _victims.TERMINATED or backend.state in _selection.RUNNING_STATES
        return running and key(state, backend) in self.sent

    def sessions_with(self, more: t.Iterable[Backend] = ()) -> int:
        """How many sessions it signalled, together with these."""
        return len({found[:3] for found in (*self.sent, *(key(_victims.TERMINATED, backend) for backend in more))})


_AGAIN = "this run signalled it before, or tried to, and it is still there"


def step(
    rule: Policy, moment: thresholds.Moment, found: t.Sequence[_victims.Verdict], past: SignalHistory, number: int
) -> Step:
    """What the rule does with this moment.

    Args:
        found: What its selection and protection say of the moment's sessions.
        past: Of the run.
        number: How many sessions this policy tried to signal before.
    """
    state = rule.request.policy.state
    verdicts = [
        _victims.Verdict(verdict.backend, _victims.SPARED, _AGAIN)
        if verdict.outcome is None and past.has_tried(state, verdict.backend)
        else verdict
        for verdict in found
    ]
    eligible = tuple(verdict.backend for verdict in verdicts if verdict.outcome is None)
    left = rule.options["max_victims"] - number
    if rule.goal is not None:
        # Who was signalled and is still there will not be there for long: nobody ends in its place.
        ending = [backend for backend in moment.backends if past.is_ending(state, backend)]
        return _step_to_goal(rule.goal, moment, after(moment, ending, state), verdicts, eligible, left)
    there = [verdict for verdict in verdicts if verdict.outcome not in (_victims.GONE, _victims.NOT_APPLICABLE)]
    relieved = None if rule.quiet_for is None else not there
    why = _who_is_left(there)
    if len(eligible) > left:
        refused = (
            f"{len(eligible)} sessions would be {rule.request.policy.state}, {left} of max_victims "
            f"{rule.options['max_victims']} are left"
        )
        return Step((), tuple(gp_backend.spared(verdicts, "over max_victims")), relieved, why, refused)
    return Step(eligible, tuple(verdicts), relieved, why)


def _who_is_left(verdicts: t.Sequence[_victims.Verdict]) -> str:
    if not verdicts:
        return "nobody is left"
    first = verdicts[0]
    return f"{len(verdicts)} are left, first process {first.backend.pid}: {first.reason}"


def _step_to_goal(
    goal: thresholds.Threshold,
    moment: thresholds.Moment,
    soon: thresholds.Moment,
    verdicts: t.Sequence[_victims.Verdict],
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


def _end_some(
    goal: thresholds.Threshold, pick: thresholds.Pick, verdicts: t.Sequence[_victims.Verdict], left: int
) -> Step:
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


def _why_nobody(pick: thresholds.Pick, verdicts: t.Sequence[_victims.Verdict]) -> str:
    if pick.order:
        return "no more may end, max_victims is reached"
    for verdict in verdicts:
        if verdict.outcome and verdict.backend == pick.worst:
            return f"it is not ended: {verdict.reason}"
    return "no selected session is left that may end"


def after(moment: thresholds.Moment, ended: t.Collection[Backend], state: str) -> thresholds.Moment:
    """The moment as it would be if these sessions or statements had ended.

    Whoever then waits for nobody any more is supposed to go on and to hold up nobody.
    """
    pids = {backend.pid for backend in ended}
    at_rest = [
        dataclasses.replace(backend, state="idle", **_AT_REST) if backend.pid in pids else backend
        for backend in moment.backends
        if backend.pid not in pids or state == _victims.CANCELLED
    ]
    freed = [backend.resource_group for backend in ended if thresholds.holds_slot(backend)]
    gone = 0 if state == _victims.CANCELLED else len(pids)
    return dataclasses.replace(
        moment, backends=_with_slots(_unblocked(at_rest, pids), freed), connections=moment.connections - gone
    )


_NO_WAIT: dict[str, t.Any] = {"waiting": False, "waiting_reason": None, "wait_age": None, "waits_for_modes": ()}
_FREE: dict[str, t.Any] = {**_NO_WAIT, "blocked_by": (), "blocks": ()}
_AT_REST: dict[str, t.Any] = {**_FREE, "state_age": 0.0, "xact_start": None, "transaction_age": None}


def _unblocked(backends: list[Backend], gone: set[int]) -> list[Backend]:
    """The sessions without their waits for those that are gone, and for those that go on in turn."""
    # Who waits for nobody that is seen, such as for a prepared transaction, goes on waiting.
    can_go_on = {b.pid for b in backends if b.waiting_reason == LOCK_WAIT and b.blocked_by}
    while True:
        backends = [
            dataclasses.replace(
                backend,
                blocked_by=backend.blocked_by and tuple(pid for pid in backend.blocked_by if pid not in gone),
                blocks=backend.blocks and tuple(pid for pid in backend.blocks if pid not in gone),
            )
            for backend in backends
        ]
        gone = {b.pid for b in backends if b.pid in can_go_on and b.blocked_by == ()}
        if not gone:
            return backends
        can_go_on -= gone
        backends = [dataclasses.replace(b, **_FREE) if b.pid in gone else b for b in backends]


def _with_slots(backends: list[Backend], freed: list[str | None]) -> tuple[Backend, ...]:
    """The sessions when each of these groups has one more free slot, for the one that waits longest."""
    for backend in sorted(backends, key=lambda waiter: -(waiter.wait_age or 0.0)):
        if backend.waiting_reason == GROUP_WAIT and backend.resource_group in freed:
            freed.remove(backend.resource_group)
            backends[backends.index(backend)] = dataclasses.replace(backend, **_NO_WAIT)
    return tuple(backends)
