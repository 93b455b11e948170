# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""gp_policy against real sessions of each engine: what it reports is what happened."""

from __future__ import annotations

import contextlib
import pathlib
import re
import threading
import time
import typing as t

import psycopg2
import pytest
import yaml
from ansible_collections.gpops.toolkit.plugins.modules import gp_policy
from integration.cluster import MARGIN, Client, Cluster, Scene, eventually
from integration.run_module import Outcome, run_module
from integration.tap import Tap, login_through

NAME = "gpops victim"
OTHER_NAME = "gpops bystander"
SIGNALS = ("cancel_backend(a.pid", "terminate_backend(a.pid")
# Both interfaces: the managed one as a user of mdb_toolkit, the native one as a superuser.
INTERFACES = [("ops", "mdb"), ("admin", "native")]


def policy(name: str = "it", **options: t.Any) -> dict[str, t.Any]:
    return {"name": name, "state": "terminated", **options}


def apply(cluster: Cluster, *policies: dict[str, t.Any], role: str | None = None, **options: t.Any) -> Outcome:
    login = cluster.login(role or cluster.admin)
    return run_module("gp_policy", {**login, "policies": policies, "mode": "enforce", **options})


def hits(found: Outcome) -> dict[int, str]:
    """Whom a signal went to, or may have, and what became of it."""
    return {
        victim["pid"]: victim["outcome"]
        for victim in found["victims"]
        if victim["signalled"] is not False or victim["outcome"].startswith("would_be_")
    }


def outcomes(found: Outcome) -> list[str]:
    return [one["outcome"] for one in found["policies"]]


def alive(scene: Scene, client: Client) -> bool:
    return bool(scene.sql("SELECT 1 FROM pg_catalog.pg_stat_activity WHERE pid = %s", (client.pid,)))


def idle(scene: Scene, role: str | None = None, name: str = NAME) -> Client:
    return scene.client(role or scene.cluster.user, name=name).run("SELECT 1")


def holding(scene: Scene, role: str | None = None, name: str = NAME) -> Client:
    return scene.client(role or scene.cluster.user, name=name).run("BEGIN", "SELECT 1")


def running(scene: Scene, role: str | None = None, name: str = NAME) -> Client:
    client = scene.client(role or scene.cluster.user, name=name).start("SELECT pg_sleep(600)")
    scene.state(client, "active")
    return client


def signals(tap: Tap) -> list[str]:
    return [text for text in tap.statements if any(name in text for name in SIGNALS)]


def jam(scene: Scene, waiters: int = 3, name: str = NAME) -> tuple[Client, list[Client]]:
    """A session that holds a table, and sessions that wait for it."""
    table = scene.table()
    root = scene.client(scene.cluster.user, name=name).run("BEGIN", f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
    waiting = [scene.client(scene.cluster.other, name=NAME).start(f"SELECT * FROM {table}") for dummy in range(waiters)]
    for client in waiting:
        scene.waiting(client)
    return root, waiting


@pytest.mark.parametrize(("role", "toolkit"), INTERFACES)
def test_report_sends_nothing_and_enforce_does_what_it_said(
    cluster: Cluster, scene: Scene, role: str, toolkit: str
) -> None:
    sitting, open_transaction, busy = idle(scene), holding(scene), running(scene)
    policies = [
        policy("statements", state="cancelled", application_names=[NAME]),
        policy("open", application_names=[NAME], states=["idle in transaction"], why="they hold locks"),
        policy("rest", application_names=[NAME]),
        policy("nobody", application_names=[NAME]),
    ]
    login = cluster.login(getattr(cluster, role))
    with Tap(cluster.host, cluster.port) as tap:
        options = {**login_through(tap, login), "toolkit": toolkit, "policies": policies}
        report = run_module("gp_policy", options)
        checked = run_module("gp_policy", {**options, "mode": "enforce", "_ansible_check_mode": True})
        assert not signals(tap)
        assert not [text for text in tap.statements if "pg_sleep" in text]
    assert all(alive(scene, client) for client in (sitting, open_transaction, busy))
    for found in (report, checked):
        assert found["mode"] == "report"
        assert (found["sessions"]["signalled"], found["sessions"]["would_be_signalled"]) == (0, 3)
        assert not any(victim["signalled"] for victim in found["victims"])
    assert (report["changed"], checked["changed"]) == (False, True)
    assert without_times(report) == without_times(checked)
    real = apply(cluster, *policies, role=getattr(cluster, role), toolkit=toolkit)
    assert not real.failed, real
    assert real["engine"]["interface"] == toolkit
    assert outcomes(report) == ["would_act", "would_act", "would_act", "nothing"]
    assert outcomes(real) == ["done", "done", "done", "nothing"]
    assert [one["counts"] for one in real["policies"]] == [said(one["counts"]) for one in report["policies"]]
    assert hits(real) == {pid: outcome.replace("would_be_", "") for pid, outcome in hits(report).items()}
    assert [(victim["policy"], victim["pid"]) for victim in real["victims"] if victim["signalled"]] == [
        ("statements", busy.pid),
        ("open", open_transaction.pid),
        *[("rest", client.pid) for client in (sitting, busy)],
    ]
    assert not any(alive(scene, client) for client in (sitting, open_transaction, busy))


def said(counts: dict[str, int]) -> dict[str, int]:
    """What is supposed as if it were so."""
    return {outcome.replace("would_be_", ""): number for outcome, number in counts.items()}


def without_times(found: Outcome) -> dict[str, t.Any]:
    """The result without what a later look finds older."""
    victims = [
        {name: value for name, value in victim.items() if not name.endswith("_age")} for victim in found["victims"]
    ]
    diff = {name: re.sub(r" for \d+ s\b", "", text) for name, text in found["diff"].items()}
    return {**{name: found[name] for name in ("policies", "counts", "guards")}, "diff": diff, "victims": victims}


@pytest.mark.parametrize(("role", "toolkit"), INTERFACES)
def test_a_lock_jam_is_broken_at_its_root(cluster: Cluster, scene: Scene, role: str, toolkit: str) -> None:
    root, waiting = jam(scene)
    rule = policy("jam", application_names=[NAME], max_held_up=1)
    report = apply(cluster, rule, role=getattr(cluster, role), toolkit=toolkit, mode="report")
    assert (hits(report), report["policies"][0]["relieved"]) == ({root.pid: "would_be_terminated"}, True)
    assert alive(scene, root)
    found = apply(cluster, rule, role=getattr(cluster, role), toolkit=toolkit)
    assert not found.failed, found
    assert hits(found) == {root.pid: "terminated"}
    assert found["policies"][0]["relieved"] is True
    assert found["policies"][0]["rounds"] == 1
    assert not alive(scene, root)
    for client in waiting:
        scene.state(client, "idle")
        assert client.error is None


def test_a_protected_root_is_spared_and_nobody_is_hit_in_its_place(cluster: Cluster, scene: Scene) -> None:
    root, waiting = jam(scene, name="gpbackup_of_night")
    rule = policy("jam", match_all=True, users=[cluster.user, cluster.other], max_held_up=1)
    rule["protected_application_users"] = [cluster.user]
    found = apply(cluster, rule, policy("after", pids=[2**30]))
    assert found.failed
    assert outcomes(found) == ["failed", "nothing"]
    assert hits(found) == {}
    assert found["policies"][0]["relieved"] is False
    assert "protected_applications" in found["msg"]
    assert all(alive(scene, client) for client in (root, *waiting))
    calm = apply(cluster, {**rule, "ignore_survivors": True})
    assert not calm.failed
    assert calm["policies"][0]["relieved"] is False


def test_a_root_that_calls_itself_a_backup_ends(cluster: Cluster, scene: Scene) -> None:
    root, waiting = jam(scene, name="gpbackup_of_evil")
    found = apply(cluster, policy("jam", match_all=True, users=[cluster.user, cluster.other], max_held_up=1))
    assert hits(found) == {root.pid: "terminated"}, found
    assert f"process {root.pid}, have such a name, which does not protect them" in str(found["warnings"])
    assert all(alive(scene, client) for client in waiting)


def test_a_quota_ends_idle_ones_first(cluster: Cluster, scene: Scene) -> None:
    first, busy, second, third = idle(scene), running(scene), idle(scene), idle(scene)
    theirs = idle(scene, cluster.other)
    # As -e on the command line has it.
    rule = policy(application_names=[NAME], users=[cluster.user], role_quotas={cluster.user: "2"})
    found = apply(cluster, rule)
    assert not found.failed, found
    assert hits(found) == {first.pid: "terminated", second.pid: "terminated"}
    assert all(alive(scene, client) for client in (busy, third, theirs))
    again = apply(cluster, rule)
    assert (again["changed"], outcomes(again)) == (False, ["nothing"])


def test_connections_are_brought_down_to_the_maximum(cluster: Cluster, scene: Scene) -> None:
    """Of the largest offender, idle longest first, and no more than it takes."""
    many = [idle(scene) for dummy in range(6)]
    few = idle(scene, cluster.other)
    used = run_module("gp_process_info", cluster.login(cluster.admin))["connections"]["used"]
    rule = policy(application_names=[NAME], max_connections=str(used - 3))
    found = apply(cluster, {**rule, "batch": 2})
    assert not found.failed, found
    assert hits(found) == dict.fromkeys([client.pid for client in many[:3]], "terminated")
    assert found["policies"][0]["rounds"] == 2
    assert alive(scene, few)


def test_a_group_queue_is_relieved_by_those_that_hold_a_slot(cluster: Cluster, scene: Scene) -> None:
    group = scene.group(cluster.user)
    sitting = scene.client(cluster.user, name=NAME)
    holder = holding(scene)
    queued = [scene.client(cluster.user, name=NAME).start(f"SELECT {number}") for number in range(2)]
    for client in queued:
        scene.waiting(client)
    states = ["idle", "idle in transaction"]
    rule = policy(application_names=[NAME], resource_groups=[group], states=states, max_group_queue=0)
    report = apply(cluster, rule, mode="report")
    assert hits(report) == {holder.pid: "would_be_terminated"}
    found = apply(cluster, rule, role=cluster.ops)
    assert not found.failed, found
    assert hits(found) == {holder.pid: "terminated"}
    assert found["policies"][0]["relieved"] is True
    assert alive(scene, sitting)
    for client in queued:
        scene.state(client, "idle")
        assert client.error is None


def test_the_first_limit_that_fits_decides(cluster: Cluster, scene: Scene) -> None:
    exempt, victim, young = running(scene, name="gpops etl"), running(scene), running(scene, cluster.other)
    limits = [
        {"application_names": ["gpops e*"]},
        {"users": [cluster.other], "min_query_age": "1h"},
        {"application_names": [NAME], "min_query_age": "0s"},
    ]
    found = apply(cluster, policy(state="cancelled", limits=limits), role=cluster.ops)
    assert not found.failed, found
    assert hits(found) == {victim.pid: "cancelled"}
    scene.state(victim, "idle")
    for client in (exempt, young):
        scene.state(client, "active")


class Returning:
    """A client that comes back when its session ends, so many times."""

    def __init__(self, cluster: Cluster, times: int) -> None:
        self._cluster = cluster
        self._times = times
        self.pids: list[int] = []
        self._thread = threading.Thread(target=self._work, daemon=True)

    def _work(self) -> None:
        for _dummy in range(1 + self._times):
            connection = self._cluster.connect(self._cluster.user, application_name=NAME)
            self.pids.append(connection.info.backend_pid)
            with contextlib.suppress(psycopg2.Error), connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(600)")
            connection.close()

    def __enter__(self) -> t.Self:
        self._thread.start()
        eventually(lambda: self.pids, "the client is there")
        return self

    def __exit__(self, *error: object) -> None:
        self._thread.join(10)
        assert not self._thread.is_alive()


@pytest.mark.parametrize("role", ["ops", "admin"])
def test_who_comes_back_is_ended_until_it_is_quiet(cluster: Cluster, role: str) -> None:
    with Returning(cluster, 2) as client:
        rule = policy(application_names=[NAME], quiet_for="2s")
        found = apply(cluster, rule, role=getattr(cluster, role), timeout=10)
        assert not found.failed, found
    assert hits(found) == dict.fromkeys(client.pids, "terminated")
    assert len(client.pids) == 3
    assert found["policies"][0]["relieved"] is True
    assert {victim["round"] for victim in found["victims"]} == {1, 2, 3}


def test_rounds_that_do_not_do_are_a_failure(cluster: Cluster, scene: Scene) -> None:
    with Returning(cluster, 1) as client:
        found = apply(cluster, policy(application_names=[NAME], quiet_for="5s", rounds=1))
        assert found.failed
        assert found["policies"][0]["relieved"] is False
        assert len(hits(found)) == 1
        scene.sql("SELECT pg_catalog.pg_terminate_backend(%s)", (client.pids[1],))


def test_a_long_wait_for_quiet_does_not_use_up_the_timeout(cluster: Cluster, scene: Scene) -> None:
    victim = idle(scene)
    found = apply(cluster, policy(application_names=[NAME], quiet_for="6s"), timeout=3, role=cluster.ops)
    assert not found.failed, found
    assert hits(found) == {victim.pid: "terminated"}


def test_each_policy_sees_what_the_one_before_left(cluster: Cluster, scene: Scene) -> None:
    root, waiting = jam(scene, waiters=2)
    policies = [
        policy("holder", pids=[root.pid], states=["idle in transaction"]),
        policy("jam", application_names=[NAME], max_held_up=0),
        policy("again", pids=[root.pid]),
    ]
    report, found = apply(cluster, *policies, mode="report"), apply(cluster, *policies)
    assert not found.failed, found
    assert outcomes(report) == ["would_act", "nothing", "nothing"]
    assert outcomes(found) == ["done", "nothing", "nothing"]
    for one, outcome in ((report, "would_be_terminated"), (found, "terminated")):
        assert hits(one) == {root.pid: outcome}
        assert one["policies"][1]["relieved"] is True
        assert one["policies"][2]["counts"] == {"gone": 1}
    for client in waiting:
        scene.state(client, "idle")


def test_nobody_gets_the_same_signal_twice(cluster: Cluster, scene: Scene) -> None:
    """A statement in a loop that catches its own cancel is chosen by two policies, one of several rounds."""
    scene.sql(
        "CREATE OR REPLACE FUNCTION public.gpops_it_stubborn() RETURNS void LANGUAGE plpgsql AS $$ BEGIN "
        "FOR i IN 1..60 LOOP BEGIN PERFORM pg_sleep(0.2); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; "
        "END $$"
    )
    victim = scene.client(cluster.user, name=NAME).start("SELECT public.gpops_it_stubborn()")
    scene.state(victim, "active")
    rule = policy("one", state="cancelled", application_names=[NAME], wait_timeout="0", ignore_survivors=True, rounds=3)
    with Tap(cluster.host, cluster.port) as tap:
        login = login_through(tap, cluster.login(cluster.admin))
        policies = [rule, {**rule, "name": "two", "quiet_for": "1s"}]
        found = run_module("gp_policy", {**login, "policies": policies, "mode": "enforce"})
        assert len(signals(tap)) == 1
    assert not found.failed, found
    assert [(one["policy"], one["outcome"]) for one in found["victims"]] == [("one", "alive"), ("two", "spared")]
    assert found["policies"][1]["relieved"] is False
    assert found["sessions"]["signalled"] == 1
    ended = apply(cluster, policy(pids=[victim.pid]))
    assert hits(ended) == {victim.pid: "terminated"}
    scene.sql("DROP FUNCTION public.gpops_it_stubborn()")


def test_guards_stop_it_before_the_first_signal(cluster: Cluster, scene: Scene, tmp_path: pathlib.Path) -> None:
    victim = idle(scene)
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    far = (time.gmtime().tm_hour + 12) % 24
    cases: list[dict[str, t.Any]] = [
        {"kill_switch": True},
        {"kill_switch_file": str(tmp_path / "folder")},
        {"kill_switch_file": str(tmp_path / "dangling")},
        {"kill_switch_file": str(tmp_path / "mistyped" / "stop")},
        {"windows": [f"{far:02}:00-{far:02}:01"]},
        {"windows": []},
    ]
    for guard in cases:
        name = next(iter(guard))
        for policies in ([policy(application_names=[NAME])], []):
            found = apply(cluster, *policies, **guard)
            assert found.failed, guard
            assert f"{name}: " in found["msg"]
            assert [(one["outcome"], one["counts"]) for one in found["policies"]] == [("not_run", {})] * len(policies)
            assert [one["passed"] for one in found["guards"] if one["guard"] == name] == [False]
            assert (found["victims"], found["changed"]) == ([], False)
        report = apply(cluster, policy(application_names=[NAME]), mode="report", **guard)
        assert not report.failed
        assert hits(report) == {victim.pid: "would_be_terminated"}
        assert [one["passed"] for one in report["guards"]] == [False, True]
    assert alive(scene, victim)
    calm = apply(cluster, windows=["00:00-24:00"], kill_switch_file=str(tmp_path / "none"))
    assert not calm.failed
    assert [one["passed"] for one in calm["guards"]] == [True, True, True]


def test_a_kill_switch_stops_a_run_that_has_begun(cluster: Cluster, scene: Scene, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "stop"
    first = idle(scene)
    late: list[Client] = []

    def interfere() -> None:
        eventually(lambda: not alive(scene, first), "the first victim is gone")
        file.touch()
        late.append(idle(scene))

    thread = threading.Thread(target=interfere)
    thread.start()
    rules = [policy("one", application_names=[NAME], quiet_for="10s"), policy("two", application_names=[NAME])]
    found = apply(cluster, *rules, kill_switch_file=str(file))
    thread.join()
    assert found.failed
    assert "after 1 signals" in found["msg"]
    assert outcomes(found) == ["failed", "not_run"]
    assert hits(found) == {first.pid: "terminated"}
    assert alive(scene, late[0])


def test_a_policy_over_its_cap_is_refused_and_the_others_run(cluster: Cluster, scene: Scene) -> None:
    victims, other = [idle(scene) for dummy in range(3)], idle(scene, name=OTHER_NAME)
    found = apply(
        cluster, policy("big", application_names=[NAME], max_victims=2), policy("small", application_names=[OTHER_NAME])
    )
    assert found.failed
    assert outcomes(found) == ["refused", "done"]
    assert found["counts"] == {"spared": 3, "terminated": 1}
    assert hits(found) == {other.pid: "terminated"}
    assert all(alive(scene, client) for client in victims)


def test_a_goal_ends_no_more_than_the_cap_over_all_rounds(cluster: Cluster, scene: Scene) -> None:
    for _dummy in range(4):
        idle(scene)
    rule = policy(application_names=[NAME], users=[cluster.user], max_role_sessions=0, batch=1, max_victims=2)
    found = apply(cluster, rule)
    assert found.failed
    assert len(hits(found)) == 2
    assert found["policies"][0]["rounds"] == 2
    assert "max_victims is reached" in found["policies"][0]["reason"]


def test_the_share_counts_all_policies(cluster: Cluster, scene: Scene) -> None:
    first = [idle(scene) for dummy in range(2)]
    second = [idle(scene, name=OTHER_NAME) for dummy in range(2)]
    total = run_module("gp_process_info", cluster.login(cluster.admin))["count"]
    policies = [policy("one", application_names=[NAME]), policy("two", application_names=[OTHER_NAME])]
    found = apply(cluster, *policies, max_share=100 * 3 / total)
    assert found.failed
    assert outcomes(found) == ["done", "refused"]
    assert found["sessions"] == {"total": total, "signalled": 2, "would_be_signalled": 0}
    assert hits(found) == dict.fromkeys([client.pid for client in first], "terminated")
    assert all(alive(scene, client) for client in second)


def test_what_this_role_may_not_end_is_a_failure_of_that_policy_only(cluster: Cluster, scene: Scene) -> None:
    theirs, own = idle(scene, cluster.other), idle(scene)
    policies = [policy("theirs", pids=[theirs.pid]), policy("own", pids=[own.pid])]
    options: dict[str, t.Any] = {"role": cluster.user, "login_db": cluster.plain_database, "toolkit": "native"}
    report = apply(cluster, *policies, mode="report", **options)
    assert not report.failed
    found = apply(cluster, *policies, **options)
    assert found.failed
    assert outcomes(found) == ["failed", "done"]
    assert hits(found) == {own.pid: "terminated"}
    assert found["counts"] == {"refused": 1, "terminated": 1}
    assert alive(scene, theirs)
    assert "theirs failed" in found["msg"]
    calm = apply(cluster, {**policies[0], "ignore_survivors": True}, **options)
    assert not calm.failed


@pytest.mark.managed
@pytest.mark.parametrize(("role", "toolkit"), [("ops", "auto"), ("ops", "native"), ("admin", "native")])
def test_it_works_while_its_own_group_is_full(cluster: Cluster, scene: Scene, role: str, toolkit: str) -> None:
    login = getattr(cluster, role)
    scene.group(login)
    holder = scene.client(login, name=NAME).run("BEGIN", "SELECT 1")
    queued = scene.client(login, name=NAME).start("SELECT 'queued'")
    scene.waiting(queued)
    care: dict[str, t.Any] = {"application_names": [NAME], "protected_users": [], "allow_superusers": True}
    policies = [
        policy("jam", max_held_up=0, **care),
        policy("queue", state="cancelled", waiting_for=["resource_group"], **care),
        policy("rest", quiet_for="1s", **care),
    ]
    start = time.monotonic()
    found = apply(cluster, *policies, role=login, toolkit=toolkit, timeout=10)
    assert not found.failed, found
    assert time.monotonic() - start < 10
    assert [(one["policy"], one["pid"], one["outcome"]) for one in found["victims"] if one["signalled"]] == [
        ("queue", queued.pid, "cancelled"),
        ("rest", holder.pid, "terminated"),
        ("rest", queued.pid, "terminated"),
    ]


def test_a_connection_that_goes_silent_at_each_statement(cluster: Cluster, scene: Scene) -> None:
    """The claims agree with what the server says afterwards, and what was not reached is not run."""
    done = False
    for silent_after in range(12):
        victims = [idle(scene), idle(scene, name=OTHER_NAME)]
        policies = [
            policy("one", pids=[victims[0].pid], wait_timeout="1s"),
            policy("two", pids=[victims[1].pid], wait_timeout="1s"),
        ]
        with Tap(cluster.host, cluster.port, silent_after) as tap:
            login = login_through(tap, cluster.login(cluster.admin))
            start = time.monotonic()
            found = run_module("gp_policy", {**login, "policies": policies, "mode": "enforce", "timeout": 2})
            # Each of two policies waits for its victim.
            assert time.monotonic() - start < 2 + 2 * 1 + MARGIN
        claims = {victim["pid"]: victim for victim in found["victims"]}
        for client in victims:
            claim = claims.get(client.pid)
            if claim is None or claim["signalled"] is False:
                assert alive(scene, client)
            elif claim["outcome"] == "terminated":
                assert not alive(scene, client)
            else:
                assert claim["outcome"] == "unknown"
        done = not found.failed
        if done:
            break
        assert {"policies", "victims", "guards", "counts", "mode", "changed"} <= set(found)
        assert outcomes(found) in (["not_run"] * 2, ["failed", "not_run"], ["done", "failed"]), silent_after
        assert all(one["reason"] for one in found["policies"])
    assert done


def test_the_timeout_holds_for_all_rounds_together(cluster: Cluster, scene: Scene) -> None:
    # While somebody waits, it gives the engine half a second between two rounds.
    table = scene.table()
    scene.client(cluster.admin, name="bystander").run("BEGIN", f"LOCK {table}")
    scene.waiting(scene.client(cluster.admin, name="bystander").start(f"SELECT * FROM {table}"))
    for _dummy in range(12):
        idle(scene)
    rule = policy(application_names=[NAME], users=[cluster.user], max_role_sessions=0, batch=1)
    start = time.monotonic()
    found = apply(cluster, rule, policy("next", pids=[1]), timeout=2)
    assert time.monotonic() - start < 2 + 1 + MARGIN
    assert found.failed
    assert outcomes(found) == ["failed", "not_run"]
    assert 1 <= len(hits(found)) < 12
    assert len(hits(found)) == len(found["victims"]) - found["counts"].get("spared", 0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"policies": [policy(), policy("x", pids=[1])]}, "policies: 'it': match_all: "),
        ({"policies": [policy(pids=[1]), policy(pids=[1])]}, "policies: number 2: name 'it'"),
        ({"policies": [policy(state="cancelled", max_connections="80%")]}, "policies: 'it': max_connections: "),
        ({"policies": [policy(max_held_up=1, max_group_queue=1)]}, "policies: 'it': max_group_queue: only one"),
        ({"policies": [], "windows": ["25:00-26:00"]}, "windows: '25:00-26:00'"),
        ({"policies": [], "windows_timezone": "Mars/Base"}, "windows_timezone: 'Mars/Base'"),
        ({"policies": [], "max_share": 101}, "max_share: 101"),
        ({"policies": [], "kill_switch_file": "stop"}, "kill_switch_file: 'stop'"),
    ],
)
def test_bad_input_is_one_error_before_anything_is_sent(options: dict[str, t.Any], words: str) -> None:
    found = run_module("gp_policy", {"login_host": "192.0.2.1", **options})
    assert found.failed
    assert found["msg"].startswith(words), found["msg"]


@pytest.mark.parametrize("task", yaml.safe_load(gp_policy.EXAMPLES), ids=lambda task: task["name"])
def test_the_examples_run(cluster: Cluster, task: dict[str, t.Any]) -> None:
    options = {**task["gpops.toolkit.gp_policy"], **cluster.login(cluster.admin), "_ansible_check_mode": True}
    found = run_module("gp_policy", options)
    assert not found.failed, found
    assert len(found["policies"]) == len(options["policies"])
