# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one policy does with one moment, and what the report supposes of the next."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError
from ansible_collections.gpops.toolkit.plugins.module_utils._policies import (
    decision,
    forecast,
    history,
    policy,
    thresholds,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.history import SignalHistory
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.backend import Backend
from ansible_collections.gpops.toolkit.plugins.module_utils._signals import request
from hypothesis import given
from hypothesis import strategies as st
from unit.sessions import active

PIDS = range(1, 7)


def session(pid: int, **more: t.Any) -> Backend:
    return active(pid, **{"query_age": 100.0, "state_age": 100.0, "blocks": (), **more})


def moment(*backends: Backend) -> thresholds.Moment:
    return thresholds.Moment(backends, len(backends) + 1, 100)


def options(**more: t.Any) -> dict[str, t.Any]:
    given_ = {name: spec.get("default") for name, spec in policy.OPTIONS.items()}
    return {**given_, "name": "it", "state": "terminated", **more}


def rule(**more: t.Any) -> policy.Policy:
    return policy.parse([options(**more)])[0]


def step(one: policy.Policy, now: thresholds.Moment, past: SignalHistory | None = None, number: int = 0) -> t.Any:
    found = request.choose(now.backends, one.request)
    return decision.step(one, now, found, past or SignalHistory(), number)


def past(state: str, *backends: Backend, sent: bool = True) -> SignalHistory:
    keys = {history.key(state, backend) for backend in backends}
    return SignalHistory(set(keys), set(keys) if sent else set())


def pids(backends: t.Iterable[Backend]) -> list[int]:
    return [backend.pid for backend in backends]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "policies: 'it': match_all: "),
        ({"name": " ", "pids": [1]}, "policies: number 1: name ' '"),
        ({"exclude_users": ["x"]}, "policies: 'it': match_all: "),
        ({"limits": []}, "policies: 'it': limits: an empty list"),
        ({"limits": [{"users": ["a["]}]}, "policies: 'it': limits: users: "),
        ({"limits": [{"min_query_age": "soon"}]}, "policies: 'it': limits: min_query_age: "),
        ({"pids": [1], "rounds": 0}, "policies: 'it': rounds: 0"),
        ({"pids": [1], "quiet_for": "8d"}, "policies: 'it': quiet_for: 8d"),
        ({"max_held_up": 1, "victims": "oldest"}, "policies: 'it': victims: oldest"),
    ],
)
def test_bad_options(more: dict[str, t.Any], words: str) -> None:
    with pytest.raises(OptionError) as caught:
        rule(**more)
    assert caught.value.message.startswith(words)


def test_names_are_there_once() -> None:
    with pytest.raises(OptionError, match="number 2: name 'it'"):
        policy.parse([options(pids=[1]), options(pids=[2])])


@pytest.mark.parametrize(
    ("more", "rounds", "has_end", "needs_locks"),
    [
        ({"match_all": True}, 1, False, False),
        ({"limits": [{"min_query_age": "1"}]}, 1, False, False),
        ({"max_held_up": 1}, 20, True, True),
        ({"max_connections": "1"}, 20, True, False),
        ({"pids": [1], "quiet_for": "1s"}, 20, True, False),
        ({"pids": [1], "quiet_for": "1s", "rounds": 3}, 3, True, False),
        ({"blocking": 1}, 1, False, True),
    ],
)
def test_what_options_come_to(more: dict[str, t.Any], rounds: int, has_end: bool, needs_locks: bool) -> None:
    one = rule(**more)
    assert (one.rounds, one.has_end, one.needs_locks) == (rounds, has_end, needs_locks)


LIMITS = [
    {"users": ["sammy"], "resource_groups": ["batch"]},
    {"users": ["sammy"], "min_query_age": "1h"},
    {"databases": [], "min_query_age": "0"},
    {"min_query_age": "60"},
]


@pytest.mark.parametrize(
    ("more", "chosen"),
    [
        ({"resource_group": "adhoc", "query_age": 3600.0}, True),
        ({"resource_group": "adhoc", "query_age": 3599.0}, False),  # the entry that fits decides, not the next
        ({"resource_group": "batch", "query_age": 9999.0}, False),
        ({"resource_group": None, "query_age": 9999.0}, False),  # it may be the batch that is exempt
        ({"usename": "billy", "query_age": 60.0}, True),
        ({"usename": "billy", "query_age": 59.0}, False),
        ({"usename": "billy", "resource_group": None, "query_age": 60.0}, True),  # not sammy, so no matter
        ({"usename": "billy", "state": "idle", "query_age": 60.0}, False),
        ({"usename": "billy", "query_age": None}, False),
    ],
)
def test_the_first_limit_that_fits_decides(more: dict[str, t.Any], chosen: bool) -> None:
    found = step(rule(limits=LIMITS), moment(session(1, **more)))
    assert bool(found.now) is chosen


def test_limits_and_criteria_both_count() -> None:
    one = rule(limits=[{"min_query_age": "1"}], users=["billy"])
    assert pids(step(one, moment(session(1), session(2, usename="billy"))).now) == [2]


def test_without_a_match_nobody_is_chosen() -> None:
    assert step(rule(limits=[{"users": ["nobody"], "min_query_age": "0"}]), moment(session(1))).now == ()


def test_nobody_is_tried_twice_with_the_same_signal() -> None:
    one, two = session(1), session(2)
    found = step(rule(match_all=True), moment(one, two), past("terminated", one))
    assert pids(found.now) == [2]
    assert [(verdict.backend.pid, verdict.outcome) for verdict in found.verdicts] == [(1, "spared"), (2, None)]
    # A cancel before is another signal; another statement or session is another one to signal.
    assert pids(step(rule(match_all=True), moment(one), past("cancelled", one)).now) == [1]
    cancel = rule(match_all=True, state="cancelled")
    assert step(cancel, moment(one), past("cancelled", one)).now == ()
    assert step(cancel, moment(one), past("terminated", one)).now == ()
    again = dataclasses.replace(one, query_start="another")
    assert pids(step(cancel, moment(again), past("cancelled", one)).now) == [1]
    reused = dataclasses.replace(one, backend_start="another")
    assert pids(step(rule(match_all=True), moment(reused), past("terminated", one)).now) == [1]


def test_over_the_cap_nobody_ends() -> None:
    now = moment(session(1), session(2), session(3, usename="gpadmin"))
    found = step(rule(match_all=True, max_victims=2), now, number=1)
    assert found.now == ()
    assert "1 of max_victims 2 are left" in found.refused
    assert [verdict.outcome for verdict in found.verdicts] == ["spared", "spared", "protected"]
    assert step(rule(match_all=True, max_victims=2), now).refused is None


def test_a_maximum_stops_at_the_cap() -> None:
    one = rule(max_role_sessions=0, max_victims=3)
    now = moment(session(1), session(2), session(3))
    assert len(step(one, now, number=1).now) == 2
    found = step(one, now, number=3)
    assert (found.now, found.relieved, found.refused) == ((), False, None)
    assert "max_victims is reached" in found.why


def test_a_batch_is_the_most_of_one_round() -> None:
    now = moment(*(session(pid) for pid in PIDS))
    assert len(step(rule(max_role_sessions=0, batch=2), now).now) == 2


def test_who_is_ending_is_not_replaced() -> None:
    """With wait=false, or one that will not die: the count is above the maximum, and nobody else pays for it."""
    now = moment(session(1), session(2), session(3))
    one = rule(max_role_sessions=2)
    first = step(one, now)
    assert len(first.now) == 1
    found = step(one, now, past("terminated", *first.now), 1)
    assert (found.now, found.relieved) == ((), False)
    assert "still there" in found.why
    # One that could not be signalled is not ending.
    refused = step(one, now, past("terminated", *first.now, sent=False), 1)
    assert len(refused.now) == 1
    assert refused.now != first.now


def test_the_worst_that_may_not_end_is_named() -> None:
    root = session(1, application_name="gpbackup_x", blocks=(2, 3))
    now = moment(root, session(2, blocked_by=(1,)), session(3, blocked_by=(1,)))
    found = step(rule(max_held_up=1, protected_application_users=["*"]), now)
    assert found.now == ()
    assert "protected_applications" in found.why
    assert [verdict.outcome for verdict in found.verdicts] == ["protected"]


@pytest.mark.parametrize(
    ("more", "state", "relieved"),
    [
        ({}, "terminated", False),
        ({"usename": "gpadmin"}, "terminated", False),  # it is there, whoever it is
        ({"state": "idle"}, "terminated", False),
        ({"state": "idle"}, "cancelled", True),  # it runs nothing
        ({"hidden": True, "state": None}, "cancelled", False),
    ],
)
def test_quiet_is_when_nobody_is_left(more: dict[str, t.Any], state: str, relieved: bool) -> None:
    one = rule(match_all=True, quiet_for="1s", state=state)
    assert step(one, moment(session(1, **more))).relieved is relieved


def test_a_survivor_is_not_quiet() -> None:
    one = rule(pids=[1, 9], quiet_for="1s")
    assert step(one, moment(session(1)), past("terminated", session(1)), 1).relieved is False
    assert step(one, moment(session(2)), past("terminated", session(1)), 1).relieved is True


def test_sessions_are_counted_once() -> None:
    found = past("terminated", session(1), session(2))
    found.sent |= past("cancelled", session(2), session(3)).sent
    assert found.sessions_with() == 3
    assert found.sessions_with([session(3), session(4)]) == 4


# What the report supposes.


@st.composite
def moments(draw: st.DrawFn) -> thresholds.Moment:
    known = sorted(draw(st.sets(st.sampled_from(PIDS))))
    waits: dict[int, tuple[int, ...]] = {
        pid: tuple(sorted(draw(st.sets(st.sampled_from(known))) - {pid})) for pid in known
    }
    backends = []
    for pid in known:
        reason = "lock" if waits[pid] else draw(st.sampled_from([None, "lock", "resource_group"]))
        backends.append(
            session(
                pid,
                state="active" if reason else draw(st.sampled_from(["active", "idle", "idle in transaction"])),
                blocked_by=waits[pid],
                blocks=tuple(other for other in known if pid in waits[other]),
                waiting=reason is not None,
                waiting_reason=reason,
                wait_age=draw(st.sampled_from([1.0, 2.0])) if reason else None,
                resource_group=draw(st.sampled_from(["etl", "adhoc"])),
            )
        )
    return moment(*backends)


@given(moments(), st.sets(st.sampled_from(PIDS)), st.sampled_from(["cancelled", "terminated"]))
def test_nothing_is_invented(before: thresholds.Moment, picked: set[int], state: str) -> None:
    ended = [backend for backend in before.backends if backend.pid in picked]
    now = forecast.after(before, ended, state)
    old = {backend.pid: backend for backend in before.backends}
    new = {backend.pid: backend for backend in now.backends}
    gone = {backend.pid for backend in ended} if state == "terminated" else set()
    assert list(new) == [pid for pid in old if pid not in gone]
    assert now.connections == before.connections - len(gone)
    touched = {backend.pid for backend in ended}
    for pid, backend in new.items():
        assert set(backend.blocked_by or ()) <= set(old[pid].blocked_by or ()) - touched
        assert set(backend.blocks or ()) <= set(old[pid].blocks or ()) - touched
        assert backend.waiting_reason in (None, old[pid].waiting_reason)
        for name in ("sess_id", "usename", "backend_start", "query_start", "resource_group"):
            assert getattr(backend, name) == getattr(old[pid], name)
        if pid in touched:
            assert (backend.state, backend.state_age, backend.waiting) == ("idle", 0.0, False)
    for pid, backend in new.items():  # both sides say the same
        for blocker in backend.blocked_by or ():
            assert pid in (new[blocker].blocks or ())
    if not ended:
        assert now == before


@given(moments(), st.sets(st.sampled_from(PIDS)), st.sampled_from(["cancelled", "terminated"]))
def test_who_goes_on_is_who_waited_for_those_only(before: thresholds.Moment, picked: set[int], state: str) -> None:
    ended = [backend for backend in before.backends if backend.pid in picked]
    waits = {b.pid: set(b.blocked_by or ()) for b in before.backends if b.waiting_reason == "lock" and b.blocked_by}
    free = {backend.pid for backend in ended}
    while True:
        more = {pid for pid, blockers in waits.items() if blockers <= free} - free
        if not more:
            break
        free |= more
    now = forecast.after(before, ended, state)
    still = {backend.pid for backend in now.backends if backend.blocked_by}
    assert still == set(waits) - free


@given(moments(), st.sets(st.sampled_from(PIDS)), st.sampled_from(["cancelled", "terminated"]))
def test_a_queue_moves_by_the_slots_that_came_free(before: thresholds.Moment, picked: set[int], state: str) -> None:
    ended = [backend for backend in before.backends if backend.pid in picked]
    now = forecast.after(before, ended, state)
    for group in ("etl", "adhoc"):
        queue = [b.pid for b in before.backends if b.resource_group == group and b.waiting_reason == "resource_group"]
        left = [pid for pid in queue if pid not in picked]
        slots = sum(b.resource_group == group and thresholds.holds_slot(b) for b in ended)
        waiting = [b.pid for b in now.backends if b.resource_group == group and b.waiting_reason == "resource_group"]
        assert len(waiting) == max(0, len(left) - slots)
        assert set(waiting) <= set(left)


def test_who_waits_for_nobody_that_is_seen_goes_on_waiting() -> None:
    """Such as for a prepared transaction."""
    before = moment(session(1), session(2, waiting=True, waiting_reason="lock"))
    now = forecast.after(before, [before.backends[0]], "terminated")
    assert now.backends[0].waiting_reason == "lock"


def test_what_was_cancelled_has_only_just_become_idle() -> None:
    now = forecast.after(moment(session(1, transaction_age=100.0)), [session(1)], "cancelled")
    one = rule(states=["idle"], min_state_age="1s")
    assert step(one, now).now == ()
    assert now.backends[0].transaction_age is None
