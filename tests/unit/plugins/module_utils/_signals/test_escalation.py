# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signals against a model of a server in which sessions come, go, reuse pids and change statements meanwhile.

The model does what the signalling statement does: it compares what it was given with what is there at that very
moment, and signals only on equality. That the statement really does so is for the integration tests.
"""

from __future__ import annotations

import dataclasses
import random
import typing as t

import pytest
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import (
    ConnectError,
    ConnectionLost,
    GroupFull,
    StatementError,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._core.interruption import Interrupted
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.backend import Backend
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.escalation import (
    Clock,
    Outcome,
    SignalPlan,
    signal_all,
)
from hypothesis import given, settings
from hypothesis import strategies as st


@dataclasses.dataclass
class Live:
    """A session of the model."""

    pid: int
    number: int
    statement: int = 0
    running: bool = True
    immortal: bool = False

    def seen(self) -> Backend:
        return Backend(
            pid=self.pid,
            sess_id=self.number,
            state="active" if self.running else "idle",
            backend_start=f"start {self.number}",
            query_start=f"query {self.number}.{self.statement}",
        )


@dataclasses.dataclass
class Server:
    """A server with few pids, so that they are reused at once.

    Args:
        seed: Of all that happens by chance.
        churn: How likely something happens to a session at each step.
        answers: What the engine's functions return for a signal that was sent.
        refuse: Numbers of sessions that may not be signalled; answered with False.
        forbid: Numbers of sessions that may not be signalled; answered with an error.
        break_at: The call, of all, at which the connection breaks; the server still does what it was told.
        stays_down: No new connection comes about after that.
        blind_at: From this call on, nobody shows more than a pid to this role, whose privilege was taken away.
        unlisted: Numbers that the statement which signals does not find in its list, though they are there.
    """

    sessions: int = 4
    seed: int = 0
    churn: float = 0.0
    answers: t.Any = True
    refuse: t.Collection[int] = ()
    forbid: t.Collection[int] = ()
    break_at: int | None = None
    stays_down: bool = False
    blind_at: int | None = None
    unlisted: t.Collection[int] = ()

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.broken = False
        self.calls = 0
        self.numbers = 0
        self.now = 0.0
        self.live: dict[int, Live] = {}
        self.cancelled: list[tuple[int, int]] = []
        self.terminated: list[int] = []
        self.dying: set[int] = set()
        for pid in range(1, self.sessions + 1):
            self.live[pid] = self.fresh(pid)

    def fresh(self, pid: int) -> Live:
        self.numbers += 1
        return Live(pid, self.numbers, running=self.random.random() < 0.7)

    def happen(self) -> None:
        """What goes on between two calls: signals take effect, clients do what clients do."""
        for pid, live in list(self.live.items()):
            if live.number in self.dying and not live.immortal and self.random.random() < 0.6:
                del self.live[pid]
            elif self.random.random() < self.churn:
                self.random.choice([self.leave, self.reuse, self.work])(pid)
        if self.random.random() < self.churn:
            free = [pid for pid in range(1, 9) if pid not in self.live]
            if free:
                self.live[free[0]] = self.fresh(free[0])

    def leave(self, pid: int) -> None:
        del self.live[pid]

    def reuse(self, pid: int) -> None:
        self.live[pid] = self.fresh(pid)

    def work(self, pid: int) -> None:
        live = self.live[pid]
        live.statement += 1
        live.running = self.random.random() < 0.7

    def reached(self) -> None:
        self.happen()
        self.calls += 1
        if self.broken:
            raise ConnectionLost("gone")

    def answered(self) -> None:
        if self.calls == self.break_at:
            self.broken = True
            raise ConnectionLost("the connection broke")

    # The line.

    def look(self, pids: t.Iterable[int]) -> dict[int, Backend]:
        self.reached()
        found = {pid: self.live[pid].seen() for pid in pids if pid in self.live}
        if self.is_blind:
            found = {pid: Backend(pid=pid, sess_id=seen.sess_id, hidden=True) for pid, seen in found.items()}
        self.answered()
        return found

    @property
    def is_blind(self) -> bool:
        return self.blind_at is not None and self.calls >= self.blind_at

    def signal(self, victims: t.Sequence[Backend], state: str) -> dict[int, t.Any]:
        self.reached()
        returned: dict[int, t.Any] = {}
        for victim in victims:
            live = self.live.get(victim.pid)
            if live is None or self.is_blind or live.number in self.unlisted:
                continue
            now = live.seen()
            same = (now.sess_id, now.backend_start) == (victim.sess_id, victim.backend_start)
            if state == "cancelled":
                same = same and now.query_start == victim.query_start and live.running
            if not same:
                continue
            if live.number in self.forbid:
                raise StatementError("must be superuser", "42501", "SELECT")
            returned[victim.pid] = False if live.number in self.refuse else self.answers
            if live.number not in self.refuse:
                self.hit(live, state)
        self.answered()
        return returned

    def hit(self, live: Live, state: str) -> None:
        if state == "terminated":
            self.terminated.append(live.number)
            self.dying.add(live.number)
        else:
            self.cancelled.append((live.number, live.statement))
            if not live.immortal:
                live.running = False

    def renew(self) -> None:
        if self.stays_down:
            raise ConnectError("cannot connect")
        self.broken = False

    def clock(self) -> Clock:
        def sleep(seconds: float) -> None:
            self.now += seconds

        return Clock(now=lambda: self.now, sleep=sleep)


def run(
    server: Server, plan: SignalPlan, pids: t.Iterable[int] | None = None
) -> tuple[list[Backend], dict[int, Outcome]]:
    victims = [live.seen() for live in server.live.values() if pids is None or live.pid in pids]
    if plan.state == "cancelled":
        victims = [victim for victim in victims if victim.state == "active"]
    return victims, signal_all(server, victims, plan, server.clock())


servers = st.builds(
    Server,
    sessions=st.integers(0, 8),
    seed=st.integers(0, 2**32),
    churn=st.sampled_from([0.0, 0.2, 0.5, 0.9]),
    answers=st.sampled_from([True, None, ""]),
    refuse=st.sets(st.integers(1, 8), max_size=2),
    forbid=st.sets(st.integers(1, 8), max_size=2),
    break_at=st.one_of(st.none(), st.integers(1, 6)),
    stays_down=st.booleans(),
    blind_at=st.one_of(st.none(), st.integers(1, 6)),
    unlisted=st.sets(st.integers(1, 8), max_size=2),
)
plans = st.builds(
    SignalPlan,
    state=st.sampled_from(["cancelled", "terminated"]),
    cancel_first=st.booleans(),
    grace_period=st.sampled_from([0.0, 0.01, 5.0]),
    wait=st.booleans(),
    wait_timeout=st.sampled_from([0.0, 0.01, 5.0]),
)


@settings(max_examples=10_000)
@given(servers, plans)
def test_nobody_else_is_hit_and_every_claim_is_true(server: Server, plan: SignalPlan) -> None:
    victims, endings = run(server, plan)
    chosen = {victim.sess_id for victim in victims}
    statements = {(victim.sess_id, victim.query_start) for victim in victims}
    assert set(server.terminated) <= chosen
    assert {(number, f"query {number}.{statement}") for number, statement in server.cancelled} <= statements
    assert plan.state == "terminated" or not server.terminated
    # Each victim has its ending, and no claim is untrue.
    assert set(endings) == {victim.pid for victim in victims}
    hit = set(server.terminated) | {number for number, dummy in server.cancelled}
    for victim in victims:
        ending = endings[victim.pid]
        if victim.sess_id in hit:
            assert ending.signalled is not False, (ending, "was signalled and is reported as untouched")
        if ending.signalled is True and not server.forbid:
            assert victim.sess_id in hit, (ending, "was not signalled and is reported as hit")
        live = server.live.get(victim.pid)
        same = live is not None and live.number == victim.sess_id
        if ending.outcome in ("terminated", "gone"):
            assert not same
        if ending.outcome in ("gone", "changed", "refused") and not plan.cancel_first:
            assert victim.sess_id not in hit or ending.signalled is not False


def test_all_end() -> None:
    server = Server(sessions=8)
    victims, endings = run(server, SignalPlan("terminated"))
    assert {ending.outcome for ending in endings.values()} == {"terminated"}
    assert len(victims) == 8
    assert not server.live


def test_one_statement_for_all() -> None:
    server = Server(sessions=8)
    run(server, SignalPlan("terminated", wait=False))
    assert server.calls == 2  # the signal and one look


def test_a_victim_that_ignores_the_signal_is_alive() -> None:
    server = Server(sessions=2)
    server.live[1].immortal = True
    endings = run(server, SignalPlan("terminated", wait_timeout=5.0))[1]
    assert {pid: ending.outcome for pid, ending in endings.items()} == {1: "alive", 2: "terminated"}
    assert "after 5 s" in endings[1].reason
    assert 5.0 <= server.now < 6.0


def test_cancel_first_terminates_who_is_left() -> None:
    server = Server(sessions=3)
    for live in server.live.values():
        live.running = live.pid != 3
    endings = run(server, SignalPlan("terminated", cancel_first=True, grace_period=1.0))[1]
    assert {number for number, dummy in server.cancelled} == {1, 2}
    assert sorted(set(server.terminated)) == [1, 2, 3]
    assert {ending.outcome for ending in endings.values()} == {"terminated"}


def test_the_grace_period_ends_with_the_last_statement() -> None:
    server = Server(sessions=2)
    run(server, SignalPlan("terminated", cancel_first=True, grace_period=1000.0))
    assert server.now < 10.0


def test_a_session_that_ends_by_its_cancel_is_terminated_by_us() -> None:
    server = Server(sessions=1)
    server.live[1].running = True
    original = server.hit
    server.hit = lambda live, state: (original(live, state), server.live.pop(live.pid))[0]  # type: ignore[method-assign]  # the model of this test only
    endings = run(server, SignalPlan("terminated", cancel_first=True))[1]
    assert (endings[1].outcome, endings[1].signalled) == ("terminated", True)


@pytest.mark.parametrize("answers", [True, None, ""])
def test_what_the_engine_returns_is_not_the_outcome(answers: t.Any) -> None:
    endings = run(Server(sessions=2, answers=answers), SignalPlan("terminated"))[1]
    assert {ending.outcome for ending in endings.values()} == {"terminated"}


def test_false_for_a_session_that_is_still_there_is_refused() -> None:
    endings = run(Server(sessions=2, refuse={1}), SignalPlan("terminated"))[1]
    assert (endings[1].outcome, endings[1].signalled) == ("refused", False)
    assert endings[2].outcome == "terminated"


def test_one_that_is_forbidden_does_not_save_the_others() -> None:
    endings = run(Server(sessions=4, forbid={2}), SignalPlan("terminated"))[1]
    assert (endings[2].outcome, endings[2].sqlstate) == ("refused", "42501")
    assert [endings[pid].outcome for pid in (1, 3, 4)] == ["terminated"] * 3


@pytest.mark.parametrize("stays_down", [True, False])
@pytest.mark.parametrize("break_at", [1, 2])
def test_a_connection_that_breaks_is_told(break_at: int, stays_down: bool) -> None:
    server = Server(sessions=1, break_at=break_at, stays_down=stays_down)
    server.live[1].immortal = True
    ending = run(server, SignalPlan("terminated"))[1][1]
    assert server.terminated == [1]
    assert ending.signalled is (True if break_at == 2 else None)
    assert ending.outcome == ("alive" if break_at == 2 and not stays_down else "unknown")
    if break_at == 1:
        assert "the connection broke" in ending.reason


def test_a_connection_that_comes_back_in_time_tells_the_end() -> None:
    """As when all connections were taken for a moment."""
    server = Server(sessions=1, break_at=2)
    assert run(server, SignalPlan("terminated"))[1][1].outcome == "terminated"


@pytest.mark.parametrize("state", ["cancelled", "terminated"])
@pytest.mark.parametrize("wait", [True, False])
def test_who_is_hidden_after_the_signal_is_not_said_to_have_ended(state: str, wait: bool) -> None:
    """As when pg_monitor is revoked meanwhile."""
    server = Server(sessions=1, blind_at=2)
    server.live[1].immortal = server.live[1].running = True
    ending = run(server, SignalPlan(state, wait=wait, wait_timeout=1.0))[1][1]
    assert (ending.outcome, ending.signalled) == ("unknown", True)
    assert "may not see any more" in ending.reason


def test_who_is_hidden_before_the_signal_is_not_said_to_be_another() -> None:
    ending = run(Server(sessions=1, blind_at=1), SignalPlan("terminated"))[1][1]
    assert (ending.outcome, ending.signalled) == ("unknown", False)


def test_who_is_hidden_from_a_new_connection_is_unknown() -> None:
    """The cut takes the connection, and the new one is another role's."""
    server = Server(sessions=1, break_at=2, blind_at=3)
    server.live[1].immortal = True
    ending = run(server, SignalPlan("terminated", wait=False))[1][1]
    assert (ending.outcome, ending.signalled) == ("unknown", True)


def test_who_is_there_and_was_not_in_the_list_is_not_said_to_be_at_another_statement() -> None:
    """As on Greenplum 6, where the service's list leaves out whose role was dropped."""
    ending = run(Server(sessions=1, unlisted={1}), SignalPlan("terminated"))[1][1]
    assert (ending.outcome, ending.signalled) == ("unknown", False)


def test_a_session_that_the_engine_reset_is_not_said_to_have_ended() -> None:
    """As seen on Greenplum 6 and 7: after a failure on a segment a session lives on with a new number."""

    class Reset(Server):
        def look(self, pids: t.Iterable[int]) -> dict[int, Backend]:
            live = [self.live[pid] for pid in pids if pid in self.live]
            return {one.pid: dataclasses.replace(one.seen(), sess_id=1000 + one.number) for one in live}

        def signal(self, victims: t.Sequence[Backend], state: str) -> dict[int, t.Any]:
            # The statement that signals compares the number, too.
            return {} if state == "terminated" else super().signal(victims, state)

    server = Reset(sessions=1)
    server.live[1].running = True
    ending = run(server, SignalPlan("terminated", cancel_first=True))[1][1]
    assert (ending.outcome, ending.signalled) == ("changed", True)
    assert "new number" in ending.reason


def test_a_full_group_before_the_first_signal_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_dummy: t.Any) -> t.NoReturn:
        raise GroupFull("waited in vain", "57014", "SELECT")

    monkeypatch.setattr(Server, "signal", full)
    with pytest.raises(GroupFull):
        run(Server(), SignalPlan("terminated"))


class Late:
    """A server in front of which the time of the task ends at one of the calls."""

    def __init__(self, at: str, was_sent: bool) -> None:
        self.at = at
        self.was_sent = was_sent
        self.over = False

    def _call(self, name: str) -> None:
        if self.over:
            raise Interrupted("late", was_sent=False)
        if name == self.at:
            self.over = True
            raise Interrupted("late", was_sent=self.was_sent)

    def signal(self, victims: t.Sequence[Backend], _state: str) -> dict[int, t.Any]:
        self._call("signal")
        return {victim.pid: True for victim in victims}

    def look(self, pids: t.Iterable[int]) -> dict[int, Backend]:
        self._call("look")
        return {pid: Backend(pid=pid, sess_id=1, state="active") for pid in pids}

    def renew(self) -> None:
        self._call("renew")


@pytest.mark.parametrize("cancel_first", [False, True])
@pytest.mark.parametrize(
    ("at", "was_sent", "signalled", "said"),
    [
        ("signal", False, False, "not signalled"),
        ("signal", True, None, "whether it was signalled is unknown"),
        ("look", True, True, "signalled"),
    ],
)
def test_the_time_of_the_task_leaves_what_is_known(
    at: str, was_sent: bool, signalled: bool | None, said: str, cancel_first: bool
) -> None:
    clock = Clock(now=lambda: 0.0, sleep=lambda _seconds: None)
    plan = SignalPlan("terminated", cancel_first=cancel_first)
    found = signal_all(Late(at, was_sent), [Backend(pid=7, sess_id=1, state="active")], plan, clock)
    assert found == {7: Outcome("unknown", f"{said}: late", signalled)}
