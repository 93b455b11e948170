# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is to end for a maximum to hold: rules for any sessions, and each branch by an example."""

from __future__ import annotations

import collections
import typing as t

import pytest
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError
from ansible_collections.gpops.toolkit.plugins.module_utils._policies import forecast, policy, thresholds
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import waits
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.backend import Backend
from hypothesis import given
from hypothesis import strategies as st

PIDS = range(1, 9)
STATES = ["active", "idle", "idle in transaction", "idle in transaction (aborted)", None]


def session(pid: int, **more: t.Any) -> Backend:
    return Backend(**{"pid": pid, "sess_id": 100 + pid, "usename": "sammy", "state": "idle", **more})


def moment(*backends: Backend, limit: int = 100) -> thresholds.Moment:
    return thresholds.Moment(backends, len(backends) + 1, limit)


@st.composite
def moments(draw: st.DrawFn) -> thresholds.Moment:
    backends = []
    for pid in draw(st.sets(st.sampled_from(PIDS))):
        reason = draw(st.sampled_from([None, "lock", "resource_group"]))
        waits = draw(st.sets(st.sampled_from(PIDS))) - {pid}
        backends.append(
            session(
                pid,
                usename=draw(st.sampled_from(["sammy", "billy", "svc_load", None])),
                state=draw(st.sampled_from(STATES)),
                state_age=draw(st.sampled_from([None, 0.0, 1.0, 60.0])),
                transaction_age=draw(st.sampled_from([None, 1.0, 60.0])),
                resource_group=draw(st.sampled_from(["etl", "adhoc", None])),
                waiting_reason=reason,
                waiting=reason is not None,
                wait_age=draw(st.sampled_from([None, 1.0, 60.0])),
                blocked_by=tuple(waits),
            )
        )
    known = {backend.pid for backend in backends}
    backends = [
        _replaced(backend, blocked_by=tuple(pid for pid in backend.blocked_by or () if pid in known))
        for backend in backends
    ]
    return thresholds.Moment(tuple(backends), len(backends) + draw(st.integers(1, 3)), draw(st.integers(1, 10)))


def _replaced(backend: Backend, **more: t.Any) -> Backend:
    return Backend(**{**vars(backend), **more})


names = st.builds(
    thresholds.Names,
    st.sampled_from([None, (), ("s*",), ("sammy", "etl"), ("*",)]),
    st.sampled_from([(), ("adhoc",), ("svc_*",), ("*",)]),
)
numbers = st.integers(0, 4)
counting = st.one_of(
    st.builds(thresholds.MaxRoleSessions, st.one_of(st.none(), numbers), st.just((("s*", 1),)), roles=names),
    st.builds(thresholds.MaxConnections, numbers, by=st.sampled_from(sorted(thresholds.OFFENDERS.values()))),
    st.builds(thresholds.MaxConnections, st.none(), st.floats(1, 100)),
)
goals = st.one_of(
    counting, st.builds(thresholds.MaxHeldUp, numbers), st.builds(thresholds.MaxGroupQueue, numbers, names)
)


@given(moments(), goals, st.sets(st.sampled_from(PIDS)))
def test_a_maximum_picks_only_who_may_end_and_no_more_than_it_takes(
    now: thresholds.Moment, goal: thresholds.Threshold, may_end: set[int]
) -> None:
    eligible = tuple(backend for backend in now.backends if backend.pid in may_end)
    pick = goal.pick(now, eligible)
    assert set(pick.order) <= set(eligible)
    assert len(set(pick.order)) == len(pick.order)
    assert pick.excess >= 0
    assert pick.what
    if not isinstance(goal, thresholds.MaxHeldUp):
        assert len(pick.order) <= pick.excess
    if not pick.excess:
        assert pick.order == ()


@given(moments(), counting, st.sets(st.sampled_from(PIDS)))
def test_each_session_that_ends_brings_a_count_down_by_one(
    now: thresholds.Moment, goal: thresholds.Threshold, may_end: set[int]
) -> None:
    eligible = tuple(backend for backend in now.backends if backend.pid in may_end)
    pick = goal.pick(now, eligible)
    later = goal.pick(forecast.after(now, pick.order, "terminated"), ())
    assert later.excess == pick.excess - len(pick.order)
    if len(eligible) == len(now.backends):
        # Connections are also those of helpers, which are no sessions.
        assert later.excess == 0 or isinstance(goal, thresholds.MaxConnections)


def closure(now: thresholds.Moment) -> dict[int, set[int]]:
    """Whom each session holds up, by Warshall."""
    holds_up = {a.pid: {b.pid for b in now.backends if a.pid in (b.blocked_by or ())} for a in now.backends}
    for through, behind in holds_up.items():
        for found in holds_up.values():
            if through in found:
                found.update(behind)
    return {pid: found - {pid} for pid, found in holds_up.items()}


@given(moments(), numbers)
def test_held_up_is_the_closure_of_who_waits_for_whom(now: thresholds.Moment, limit: int) -> None:
    held_up = closure(now)
    roots = {backend.pid for backend in now.backends if not backend.blocked_by}
    by_root = waits.held_up_by_root(thresholds.waiters_among(now.backends))
    assert by_root == {pid: held_up[pid] for pid in roots if held_up[pid]}
    pick = thresholds.MaxHeldUp(limit).pick(now, now.backends)
    assert (pick.excess > 0) == any(len(found) > limit for found in held_up.values())
    assert {backend.pid for backend in pick.order} == {pid for pid in roots if len(held_up[pid]) > limit}
    sizes = [len(held_up[backend.pid]) for backend in pick.order]
    assert sizes == sorted(sizes, reverse=True)


def test_a_circle_has_no_root_and_does_not_hold() -> None:
    circle = moment(session(1, blocked_by=(2,)), session(2, blocked_by=(1,)), session(3, blocked_by=(2,)))
    pick = thresholds.MaxHeldUp(1).pick(circle, circle.backends)
    assert (pick.excess, pick.order, pick.worst) == (1, (), None)
    assert "circle" in pick.what


def test_locks_that_are_unknown_block_nobody() -> None:
    unknown = moment(session(1, blocked_by=None), session(2, blocked_by=None))
    assert thresholds.MaxHeldUp(0).pick(unknown, unknown.backends).excess == 0


@given(moments(), numbers, names)
def test_only_who_has_a_slot_ends_for_a_queue(now: thresholds.Moment, limit: int, groups: thresholds.Names) -> None:
    pick = thresholds.MaxGroupQueue(limit, groups).pick(now, now.backends)
    queues = collections.Counter(b.resource_group for b in now.backends if b.waiting_reason == "resource_group")
    for backend in pick.order:
        assert backend.waiting_reason != "resource_group"
        assert backend.state in ("active", "idle in transaction")
        assert queues[backend.resource_group] > limit
        assert groups.test()(backend.resource_group)


def test_the_largest_offender_gives_first() -> None:
    theirs = [session(pid, usename="billy", state_age=float(pid)) for pid in (1, 2, 7)]
    ours = [session(pid, state_age=float(pid)) for pid in (3, 4, 5)]
    busy = session(6, state="active", state_age=99.0)
    now = moment(*theirs, *ours, busy)
    pick = thresholds.MaxConnections(5).pick(now, now.backends)
    assert [backend.pid for backend in pick.order] == [5, 4, 7]


def test_quotas_by_pattern_come_before_the_maximum_for_all() -> None:
    now = moment(session(1, usename="svc_load"), session(2, usename="svc_load"), session(3), session(4))
    goal = thresholds.MaxRoleSessions(1, (("svc_*", 5),))
    assert [backend.pid for backend in goal.pick(now, now.backends).order] == [3]
    assert thresholds.MaxRoleSessions(None, (("svc_*", 1),)).pick(now, now.backends).excess == 1


def options(**more: t.Any) -> dict[str, t.Any]:
    given_ = {name: spec.get("default") for name, spec in policy.OPTIONS.items()}
    return {**given_, "state": "terminated", **more}


@pytest.mark.parametrize(
    ("more", "goal"),
    [
        ({}, None),
        ({"max_held_up": 3}, thresholds.MaxHeldUp(3)),
        ({"max_held_up": 0, "batch": 2}, thresholds.MaxHeldUp(0, 2)),
        ({"role_quotas": {"a": "5", "b*": 6}}, thresholds.MaxRoleSessions(None, (("a", 5), ("b*", 6)))),
        ({"max_role_sessions": 2, "users": ["a"]}, thresholds.MaxRoleSessions(2, roles=thresholds.Names(("a",)))),
        ({"max_connections": " 80% "}, thresholds.MaxConnections(None, 80.0)),
        ({"max_connections": "7", "offenders_by": "client_address"}, thresholds.MaxConnections(7, None, "client_addr")),
        (
            {"max_group_queue": 1, "resource_groups": ["x"], "exclude_resource_groups": ["y"]},
            thresholds.MaxGroupQueue(1, thresholds.Names(("x",), ("y",))),
        ),
    ],
)
def test_options(more: dict[str, t.Any], goal: thresholds.Threshold | None) -> None:
    assert thresholds.parse(options(**more)) == goal


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"max_held_up": -1}, "max_held_up: -1"),
        ({"max_held_up": 1, "max_connections": "5"}, "max_connections: only one maximum"),
        ({"max_group_queue": 1, "role_quotas": {}}, "max_role_sessions: only one maximum"),
        ({"batch": 2}, "batch: it goes with a maximum"),
        ({"batch": 0, "max_held_up": 1}, "batch: 0"),
        ({"role_quotas": {"a": "-1"}}, "role_quotas: a: '-1'"),
        ({"role_quotas": {"a": True}}, "role_quotas: a: True"),
        ({"role_quotas": {"a[": 1}}, "role_quotas: 'a['"),
        ({"max_connections": "0%"}, "max_connections: '0%'"),
        ({"max_connections": "101%"}, "max_connections: '101%'"),
        ({"max_connections": "many"}, "max_connections: 'many'"),
        ({"max_connections": "5", "state": "cancelled"}, "max_connections: it does not go with"),
        ({"max_role_sessions": 5, "state": "cancelled"}, "max_role_sessions: it does not go with"),
    ],
)
def test_bad_options(more: dict[str, t.Any], words: str) -> None:
    with pytest.raises(OptionError) as caught:
        thresholds.parse(options(**more))
    assert caught.value.message.startswith(words)


@given(limit=st.integers(0, 120), share=st.floats(1, 100), most=st.integers(10, 100), kept=st.integers(0, 20))
def test_a_maximum_that_comes_too_late_is_told(limit: int, share: float, most: int, kept: int) -> None:
    """It acts above its limit; ordinary roles are refused once all but what is kept is used."""
    for goal in (thresholds.MaxConnections(limit), thresholds.MaxConnections(None, share)):
        last = thresholds.Moment((), most - kept, most)
        acts = goal.pick(last, []).excess > 0
        words = goal.comes_too_late(most, kept)
        assert (words is None) is acts
        assert words is None or f"max_connections allows {goal.limit(last)}" in words
