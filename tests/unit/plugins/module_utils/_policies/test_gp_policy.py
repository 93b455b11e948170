# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs of policies against a model of a server, which breaks and refuses: the result tells what the server did."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import os
import pathlib
import typing as t

import pytest
from ansible_collections.gpops.toolkit.plugins.module_utils._core import engine as engines
from ansible_collections.gpops.toolkit.plugins.module_utils._core.answers import Rows
from ansible_collections.gpops.toolkit.plugins.module_utils._core.conninfo import ARGUMENT_SPEC
from ansible_collections.gpops.toolkit.plugins.module_utils._core.deadline import Deadline
from ansible_collections.gpops.toolkit.plugins.module_utils._core.engine import Engine, Hosts
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import (
    ConnectError,
    ConnectionLost,
    DeadlineExceeded,
    GpopsError,
    GroupFull,
    OptionError,
    StatementError,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._policies import (
    gp_policy,
    guard_checks,
    observer,
    port,
    rounds,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._policies import policy as policy_module
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.backend import Backend, Snapshot
from ansible_collections.gpops.toolkit.plugins.module_utils._signals import escalation
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.result import is_hit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.engines import engine
from unit.sessions import active

ENGINE = engine(
    "gp6",
    "6.24.3",
    is_superuser=True,
    signal_functions={"cancelled": "pg_catalog.pg_cancel_backend", "terminated": "pg_catalog.pg_terminate_backend"},
)


def session(pid: int, **more: t.Any) -> Backend:
    return active(pid, **{"state_age": float(pid), **more})


GOES_ON: dict[str, t.Any] = {"blocked_by": (), "waiting": False, "waiting_reason": None}


class Server:
    """A server, the line to it and what this did.

    Args:
        sessions: That are there.
        forbidden: Processes that may not be signalled.
        immortal: Processes that survive a signal.
        break_at: The call, of all, whose answer is lost; what it asked for is done.
        stays_down: No new connection comes about after that.
        full: The own group is full for that call.
        returning: How often somebody comes in the place of one that was terminated.
    """

    settle_seconds = 0.0

    def __init__(
        self,
        *sessions: Backend,
        forbidden: t.Collection[int] = (),
        immortal: t.Collection[int] = (),
        break_at: int | None = None,
        stays_down: bool = False,
        full: int | None = None,
        returning: int = 0,
        engine: Engine = ENGINE,
    ) -> None:
        self.live = {backend.pid: backend for backend in sessions}
        self.all = dict(self.live)
        self.forbidden = forbidden
        self.immortal = immortal
        self.break_at = break_at
        self.stays_down = stays_down
        self.full = full
        self.returning = returning
        self.engine = engine
        self.calls = 0
        self.broken = False
        self.hit: list[tuple[str, int]] = []
        self.repeated: set[tuple[str, int]] = set()
        self.down: int | None = 0
        self.deadline = Deadline(60)
        self.locks_problem: str | None = None
        self.asked: list[bool] = []

    def _called(self) -> None:
        if self.broken:
            raise ConnectionLost("closed")
        self.calls += 1
        if self.calls == self.full:
            raise GroupFull("canceling statement due to resource group waiting timeout", "57014", "SELECT")

    def _answered(self) -> None:
        if self.calls == self.break_at:
            self.broken = True
            raise ConnectionLost("the connection broke")

    def ask(self, _statement: t.Any) -> Rows:
        self._called()
        self._answered()
        return Rows(("kind", "name"), [("role", name) for name in sorted({b.usename or "" for b in self.all.values()})])

    def look(self, _deadline: Deadline, with_locks: bool, _query_length: int) -> Snapshot:
        self._called()
        self.asked.append(with_locks)
        found = tuple(self.live.values())
        self._answered()
        return Snapshot(found, len(found), self.locks_problem if with_locks else None)

    def hosts(self, _deadline: Deadline) -> Hosts:
        return Hosts(self.down, "no such table", ("cdw:5432",))

    def sender(self, _deadline: Deadline, _message: str | None) -> escalation.Sender:
        return ModelSender(self)

    def look_at(self, pids: t.Iterable[int]) -> dict[int, Backend]:
        self._called()
        found = {pid: self.live[pid] for pid in pids if pid in self.live}
        self._answered()
        return found

    def signal(self, victims: t.Sequence[Backend], state: str) -> dict[int, t.Any]:
        self._called()
        returned: dict[int, t.Any] = {}
        for victim in victims:
            if victim.pid in self.forbidden:
                # Nobody can know who came before it, so these may be signalled once more, one by one.
                self.repeated.update((state, pid) for pid in returned)
                raise StatementError("must be superuser", "42501", "SELECT")
            if victim.pid in self.live:
                self.hit.append((state, victim.pid))
                returned[victim.pid] = True
                self._end(victim.pid, state)
        self._answered()
        return returned

    def _end(self, pid: int, state: str) -> None:
        if pid in self.immortal:
            return
        if state == "cancelled":
            self.live[pid] = dataclasses.replace(self.live[pid], state="idle", state_age=0.0, **GOES_ON)
            self._release(pid)
            return
        ended = self.live.pop(pid)
        self._release(pid)
        if self.returning:
            self.returning -= 1
            new = max(self.all) + 1
            self.live[new] = self.all[new] = session(new, usename=ended.usename)

    def _release(self, pid: int) -> None:
        """Who waited for this one only goes on, does its work and releases others in turn."""
        for waiter in map(self.live.get, list(self.live)):
            if waiter is not None and pid in (waiter.blocked_by or ()):
                left = tuple(other for other in waiter.blocked_by or () if other != pid)
                self.live[waiter.pid] = dataclasses.replace(waiter, **{"blocked_by": left} if left else GOES_ON)
                if not left:
                    self._release(waiter.pid)

    def renew(self) -> None:
        if self.stays_down and self.broken:
            raise ConnectError("refused")
        self.broken = False

    @property
    def full_group(self) -> str:
        return engines.full_group_message(self.engine, "ops")


class ModelSender:
    """What signals on the model."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def look(self, pids: t.Iterable[int]) -> dict[int, Backend]:
        return self._server.look_at(pids)

    def signal(self, victims: t.Sequence[Backend], state: str) -> dict[int, t.Any]:
        return self._server.signal(victims, state)

    def renew(self) -> None:
        self._server.renew()


Run = t.Callable[..., tuple[dict[str, t.Any], "GpopsError | None"]]


@pytest.fixture
def run() -> Run:
    """Runs the module against a model; the result, and the error that it is a part of."""

    def started(server: Server, *policies: dict[str, t.Any], check_mode: bool = False, **more: t.Any) -> t.Any:
        @contextlib.contextmanager
        def reach(options: t.Mapping[str, t.Any], *_needs: str) -> t.Iterator[Server]:
            server.deadline = Deadline(options["timeout"])
            yield server

        try:
            return gp_policy.run(options(*policies, **more), check_mode, reach)[0], None
        except OptionError:
            raise
        except GpopsError as error:
            return error.result, error

    return started


def options(*policies: dict[str, t.Any], **more: t.Any) -> dict[str, t.Any]:
    defaults = {name: spec.get("default") for name, spec in {**ARGUMENT_SPEC, **gp_policy.ARGUMENT_SPEC}.items()}
    one = {name: spec.get("default") for name, spec in policy_module.OPTIONS.items()}
    rules = [
        {**one, "name": f"p{number}", "state": "terminated", "wait_timeout": "0", "grace_period": "0", **policy}
        for number, policy in enumerate(policies)
    ]
    return {**defaults, "mode": "enforce", "policies": rules, **more}


def column(result: dict[str, t.Any], name: str) -> list[t.Any]:
    return [one[name] for one in result["policies"]]


def hits(result: dict[str, t.Any]) -> list[tuple[str, int]]:
    return [(victim["policy"], victim["pid"]) for victim in result["victims"] if is_hit(victim)]


@st.composite
def policies(draw: st.DrawFn) -> dict[str, t.Any]:
    choices: list[dict[str, t.Any]] = [{"match_all": True}, {"max_held_up": 0}, {"max_held_up": 1}]
    state = draw(st.sampled_from(["terminated", "cancelled"]))
    if state == "terminated":
        choices += [{"max_role_sessions": 1, "batch": 1}, {"max_connections": "3"}]
    more: dict[str, t.Any] = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "users": st.sampled_from([["sammy"], ["billy"], ["*"]]),
                "exclude_users": st.just(["billy"]),
                "max_victims": st.integers(0, 4),
                "ignore_survivors": st.booleans(),
                "rounds": st.integers(1, 3),
                "cancel_first": st.booleans(),
            },
        )
    )
    return {"state": state, **draw(st.sampled_from(choices)), **more}


@st.composite
def servers(draw: st.DrawFn, /, **more: t.Any) -> Server:
    number = draw(st.integers(0, 5))
    sessions = []
    for pid in range(1, number + 1):
        waits = tuple(sorted(draw(st.sets(st.integers(1, number))) - {pid}))
        waiting: dict[str, t.Any] = {"blocked_by": waits, "waiting": True, "waiting_reason": "lock"} if waits else {}
        state = "active" if waits else draw(st.sampled_from(["active", "idle"]))
        user = draw(st.sampled_from(["sammy", "billy", "gpadmin"]))
        sessions.append(session(pid, usename=user, state=state, **waiting))
    some = st.sets(st.integers(1, 5), max_size=1)
    return Server(*sessions, forbidden=draw(some), immortal=draw(some), **more)


def check(server: Server, result: dict[str, t.Any], rules: t.Sequence[dict[str, t.Any]]) -> None:
    """What holds for every run, whatever happened."""
    twice = {one for one in server.hit if server.hit.count(one) > 1}
    # A policy that terminates may be told to cancel first, whom an earlier one cancelled in vain.
    anew = {one for one in twice if one[0] == "cancelled"} if any(rule.get("cancel_first") for rule in rules) else set()
    assert twice <= server.repeated | anew, "nobody gets the same signal twice"
    assert not [pid for dummy, pid in server.hit if server.all[pid].usename == "gpadmin" or pid in server.forbidden]
    claimed = {pid for dummy, pid in hits(result)}
    assert {pid for dummy, pid in server.hit} <= claimed, "who was signalled is told"
    sure = {victim["pid"] for victim in result["victims"] if victim["signalled"]}
    assert sure <= {pid for dummy, pid in server.hit}, "who was not is not"
    assert result["changed"] == bool(claimed)
    sessions = result.get("sessions", {"signalled": 0, "would_be_signalled": 0})
    assert (sessions["signalled"], sessions["would_be_signalled"]) == (len(claimed), 0)
    for number, rule in enumerate(rules):
        own = [victim for victim in result["victims"] if victim["policy"] == f"p{number}"]
        tried = [victim["pid"] for victim in own if victim["signalled"] is not False]
        assert len(tried) <= rule.get("max_victims", 20)
        assert len({victim["pid"] for victim in own}) == len(own), "each session once"
        assert not [pid for pid in tried if "exclude_users" in rule and server.all[pid].usename == "billy"]
        for victim in own:
            if victim["outcome"] == "terminated":
                assert victim["pid"] not in server.live
    assert all(column(result, "reason"))


many = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@many
@given(data=st.data())
def test_the_result_tells_what_the_server_did(run: Run, data: st.DataObject) -> None:
    server = data.draw(servers())
    rules = data.draw(st.lists(policies(), max_size=3))
    result, error = run(server, *rules)
    check(server, result, rules)
    failed = {"failed", "refused"} & set(column(result, "outcome"))
    assert bool(failed) == (error is not None)
    for number, outcome in enumerate(column(result, "outcome")):
        assert outcome != "not_run"
        if outcome == "done":
            assert any(policy == f"p{number}" for policy, dummy in hits(result))


@many
@given(data=st.data(), break_at=st.integers(1, 8), stays_down=st.booleans())
def test_a_connection_that_breaks_in_any_round(run: Run, data: st.DataObject, break_at: int, stays_down: bool) -> None:
    server = data.draw(servers(break_at=break_at, stays_down=stays_down))
    rules = data.draw(st.lists(policies(), min_size=1, max_size=3))
    result, error = run(server, *rules)
    check(server, result, rules)
    outcomes = column(result, "outcome")
    if "not_run" in outcomes:
        assert error is not None
        assert set(outcomes[outcomes.index("not_run") :]) == {"not_run"}
        if set(outcomes) == {"not_run"}:  # it broke before the first policy
            assert server.hit == []
        else:
            assert outcomes[outcomes.index("not_run") - 1] == "failed"
    if any(victim["outcome"] == "unknown" for victim in result["victims"]):
        assert error is not None
    if server.broken:
        calls = server.calls
        assert calls == break_at, "nothing is sent on a connection that broke"


@many
@given(data=st.data())
def test_a_report_is_what_a_calm_server_does(run: Run, data: st.DataObject) -> None:
    server = data.draw(servers())
    server.forbidden = server.immortal = ()
    rules = [
        {name: value for name, value in rule.items() if name not in ("rounds", "cancel_first")}
        for rule in data.draw(st.lists(policies(), max_size=3))
    ]
    report = run(server, *rules, mode="report")[0]
    assert not server.hit
    checked = run(server, *rules, check_mode=True)[0]
    assert not server.hit
    assert (report.pop("changed"), checked.pop("changed")) in ((False, False), (False, True))
    assert report == checked
    assert not any(victim["signalled"] for victim in report["victims"])
    assert not {"terminated", "cancelled"} & set(report["counts"])
    real = run(server, *rules)[0]
    assert hits(report) == hits(real)
    assert column(report, "relieved") == column(real, "relieved")


def test_a_refused_policy_lets_the_others_run(run: Run) -> None:
    server = Server(session(1), session(2), session(3, usename="billy"))
    result, error = run(server, {"users": ["sammy"], "max_victims": 1}, {"users": ["billy"]})
    assert error is not None
    assert column(result, "outcome") == ["refused", "done"]
    assert server.hit == [("terminated", 3)]
    assert result["counts"] == {"spared": 2, "terminated": 1}


def test_a_lost_connection_ends_the_run(run: Run) -> None:
    server = Server(session(1), session(2), break_at=2, stays_down=True)
    result, error = run(server, {"pids": [1]}, {"pids": [2]})
    assert error is not None
    assert error.message.startswith("policy p0 broke off")
    assert column(result, "outcome") == ["failed", "not_run"]
    assert [(victim["outcome"], victim["signalled"]) for victim in result["victims"]] == [("unknown", None)]
    assert server.calls == 2


@pytest.mark.parametrize("full", [1, 2])
def test_a_full_group_is_told_with_the_victims(run: Run, full: int) -> None:
    server = Server(session(1), full=full)
    result, error = run(server, {"match_all": True}, {"match_all": True})
    assert error is not None
    assert "resource group default_group of role ops is full" in error.message
    assert column(result, "outcome") == ["failed", "not_run"]
    assert [victim["outcome"] for victim in result["victims"]] == ["spared"] * (full - 1)
    assert (result["changed"], column(result, "rounds")) == (False, [0, 0])


def test_the_share_counts_sessions_over_all_policies(run: Run) -> None:
    sessions = [session(pid) for pid in range(1, 11)]
    rules: list[dict[str, t.Any]] = [
        {"pids": [1, 2, 3], "state": "cancelled"},
        {"pids": [1, 2, 3]},  # the same sessions once more
        {"pids": [4, 5]},
        {"pids": [6]},
    ]
    for mode in ("report", "enforce"):
        result, _error = run(Server(*sessions), *rules, max_share=50.0, mode=mode)
        assert column(result, "outcome")[-1] == "refused"
        assert "refused" not in column(result, "outcome")[:-1]
        sent, supposed = (5, 0) if mode == "enforce" else (0, 5)
        assert result["sessions"] == {"total": 10, "signalled": sent, "would_be_signalled": supposed}


def test_survivors_stop_a_policy_unless_they_are_ignored(run: Run) -> None:
    sessions = [session(1, state_age=9.0), session(2), session(3)]
    rule: dict[str, t.Any] = {"max_role_sessions": 1, "batch": 1}
    server = Server(*sessions, forbidden=[1])
    result, error = run(server, rule)
    assert (error is None, server.hit) == (False, [])
    assert column(result, "outcome") == ["failed"]
    server = Server(*sessions, forbidden=[1])
    result, error = run(server, {**rule, "ignore_survivors": True})
    assert error is None
    assert [pid for dummy, pid in server.hit] == [3, 2]
    assert column(result, "relieved") == [True]


def test_who_cannot_be_told_from_another_is_a_failure(run: Run) -> None:
    server = Server(session(1), session(2, backend_start=None, hidden=True))
    result, error = run(server, {"match_all": True})
    assert error is not None
    assert result["counts"] == {"terminated": 1, "refused": 1}
    assert column(result, "outcome") == ["failed"]
    result, error = run(server, {"match_all": True}, mode="report")
    assert error is None


@pytest.mark.parametrize("mode", ["report", "enforce"])
def test_the_diff_has_each_session_once(run: Run, mode: str) -> None:
    rules: list[dict[str, t.Any]] = [
        {"pids": [1, 2], "state": "cancelled"},
        {"pids": [2], "states": ["idle"]},
        {"pids": [2, 9]},
    ]
    result, error = run(Server(session(1), session(2), session(3)), *rules, mode=mode)
    assert error is None
    assert result["diff"] == {
        "before": "1 sammy@sales active; etl\n2 sammy@sales active; etl\n",
        "after": "1 sammy@sales idle; etl\n",
        "before_header": "sessions",
        "after_header": "sessions as they would be; nothing was sent" if mode == "report" else "sessions",
    }


def test_a_policy_without_a_function_to_signal_lets_the_others_run(run: Run) -> None:
    engine = dataclasses.replace(ENGINE, signal_functions={"terminated": "mdb_toolkit.gp_terminate_backend"})
    server = Server(session(1), engine=engine)
    rules: list[dict[str, t.Any]] = [{"match_all": True, "state": "cancelled"}, {"pids": [1], "cancel_first": True}]
    result, error = run(server, *rules, {"pids": [1]})
    assert error is not None
    assert column(result, "outcome") == ["failed", "failed", "done"]
    assert "state=cancelled" in column(result, "reason")[1]


def test_locks_that_cannot_be_read_fail_only_who_needs_them(run: Run) -> None:
    server = Server(session(1))
    server.locks_problem = "too slow"
    result, error = run(server, {"max_held_up": 0}, {"pids": [1]}, {"max_held_up": 0}, {"pids": [1]})
    assert error is not None
    assert column(result, "outcome") == ["failed", "done", "failed", "nothing"]
    assert server.asked == [True, False]


def test_the_lock_table_is_read_for_who_needs_it(run: Run) -> None:
    """After a signal the next policy looks anew, and may do without."""
    server = Server(session(1), session(2), session(3, blocked_by=(2,), waiting=True, waiting_reason="lock"))
    policies = [{"pids": [1]}, {"pids": [9]}, {"max_held_up": 0}, {"pids": [3]}]
    result, error = run(server, *policies)
    assert error is None
    assert column(result, "outcome") == ["done", "nothing", "done", "done"]
    # Before the first; after its signal; with locks for the third; whether it is relieved; for the fourth.
    assert server.asked == [False, False, True, True]
    server = Server(session(1))
    run(server, *policies, check_mode=True)
    assert server.asked == [True]


def test_who_comes_back_is_ended_until_the_rounds_are_over(run: Run) -> None:
    server = Server(session(1), returning=2)
    result, error = run(server, {"match_all": True, "quiet_for": "0.05"})
    assert error is None
    assert column(result, "rounds") == [3]
    assert column(result, "relieved") == [True]
    server = Server(session(1), returning=2)
    result, error = run(server, {"match_all": True, "quiet_for": "1h", "rounds": 2})
    assert error is not None
    assert "2 rounds were not enough" in column(result, "reason")[0]
    assert column(result, "relieved") == [False]


def test_guards_are_asked_again_before_each_signal(run: Run, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "stop"
    server = Server(session(1), session(2))
    signal = server.signal

    def signal_and_stop(victims: t.Sequence[Backend], state: str) -> dict[int, t.Any]:
        file.mkdir()
        return signal(victims, state)

    server.signal = signal_and_stop  # type: ignore[method-assign]  # the model of this test only
    result, error = run(server, {"pids": [1]}, {"pids": [2]}, {"pids": [3]}, kill_switch_file=str(file))
    assert error is not None
    assert "after 1 signals" in error.message
    assert column(result, "outcome") == ["done", "not_run", "not_run"]
    assert server.hit == [("terminated", 1)]
    assert [one["passed"] for one in result["guards"]] == [False, True]


@pytest.mark.parametrize("down", [1, None])
def test_segments_stop_it_unless_they_are_allowed(run: Run, down: int | None) -> None:
    server = Server(session(1))
    server.down = down
    for rules in ([{"pids": [1]}], []):
        result, error = run(server, *rules)
        assert error is not None
        assert column(result, "outcome") == ["not_run"] * len(rules)
    assert not server.hit
    assert run(server, {"pids": [1]}, mode="report")[1] is None
    assert run(server, {"pids": [1]}, allow_segments_down=True)[1] is None


def test_what_is_there_by_this_name(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    cases = {"file": True, "link": True, ".": True, "nothing": False, "file/below": None, "mistyped/stop": None}
    assert {name: guard_checks._is_there(str(tmp_path / name))[0] for name in cases} == cases
    # A slip in the name must not be a switch that nobody can throw.
    assert guard_checks._is_there("/etc/gpop/stop")[1] == "there is no folder /etc/gpop"

    def refused(_path: str) -> t.NoReturn:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "lstat", refused)
    assert guard_checks._is_there(str(tmp_path / "file")) == (None, "Permission denied")


def test_time_zones() -> None:
    assert guard_checks._timezone("UTC") is dt.UTC
    assert str(guard_checks._timezone("Europe/Berlin")) == "Europe/Berlin"
    for name in ("", "Mars/Base", "../passwd", "Europe"):
        with pytest.raises(OptionError, match=r"^windows_timezone: "):
            guard_checks._timezone(name)


class Ticking:
    """A clock that goes on by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_waits_come_on_top_of_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Ticking()
    monkeypatch.setattr(observer, "Deadline", lambda seconds: Deadline(seconds, clock))
    left = observer.TimeBudget(Deadline(10, clock))
    with left.spend(waits=30) as deadline:
        assert deadline.remaining() == 40
        clock.now += 25  # less than the wait: nothing is used up
    with left.spend(waits=5) as deadline:
        assert deadline.remaining() == 15
        clock.now += 8  # three more than the wait
    with left.spend(free=4) as deadline:
        assert deadline.remaining() == 7
        clock.now += 5  # one more than is free
    with left.spend() as deadline:
        assert deadline.remaining() == 6
        clock.now += 6
    with pytest.raises(DeadlineExceeded), left.spend(waits=30):
        pass


def test_the_model_is_a_line() -> None:
    server: port.Server = Server()
    sender: escalation.Sender = server.sender(Deadline(1), None)
    assert sender.look([1]) == {}


@pytest.mark.parametrize(
    ("maximum", "managed", "warned"),
    [("80%", False, False), ("97%", False, True), ("94", False, False), ("94", True, True)],
)
def test_a_maximum_of_connections_that_comes_too_late_is_a_warning(maximum: str, managed: bool, warned: bool) -> None:
    """The managed Greenplum 6 keeps twice as many connections from ordinary roles."""
    rules = policy_module.parse(options({"name": "room", "max_connections": maximum}, {"max_held_up": 1})["policies"])
    said = rounds.too_late(rules, dataclasses.replace(ENGINE, managed_slots=managed))
    assert len(said) == warned
    assert all(words.startswith("policy room: max_connections allows ") for words in said)
