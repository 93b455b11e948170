# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each runbook, run as its playbook, where its situation really exists: it is relieved, or a guard stops it."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import json
import re
import stat
import typing as t
from pathlib import Path

import psycopg2
import pytest
import yaml
from integration import runbooks
from integration.cluster import Cluster, Scene, eventually
from integration.playbook import play, readme_inventory, run_playbook, succeeded
from integration.runbooks import Situation, check_victims, fingerprint, is_there, on, run
from integration.test_playbooks import ROOT

ALWAYS = ["00:00-24:00"]
Build = t.Callable[[Scene], Situation]


def never() -> list[str]:
    """A time window that is not now."""
    later = dt.datetime.now(dt.UTC) + dt.timedelta(hours=12)
    return [f"{later:%H}:00-{later:%H}:30"]


def check_report(scene: Scene, runbook: str, situation: Situation, tmp_path: Path) -> None:
    """In report mode nothing is changed, and the victims are named."""
    before = fingerprint(scene)
    told = run(runbook, scene.cluster, tmp_path, "report", **situation.settings)
    assert told.code == 0, told.out
    assert told.victims == {client.pid for client in situation.victims}
    assert fingerprint(scene) == before
    assert not (tmp_path / "state").exists()
    for policy in told.report["remediation"]["policies"]:
        assert policy["outcome"] == "would_act"
        assert not any(victim["signalled"] for victim in told.report["remediation"]["victims"])
        assert "would be" in policy["reason"]
        assert f"would_act: {policy['reason']}" in told.out


def check_enforce(scene: Scene, runbook: str, situation: Situation, tmp_path: Path) -> None:
    """It really acts, hits nobody else, and says of each whom, why, and what became of it."""
    done = run(runbook, scene.cluster, tmp_path, "enforce", **situation.settings)
    assert done.code == 0, done.out
    assert done.victims == {client.pid for client in situation.victims}
    outcome = "terminated" if situation.ends else "cancelled"
    for victim in done.report["remediation"]["victims"]:
        if victim["signalled"]:
            assert (victim["policy"], victim["outcome"]) == (runbook, outcome)
            assert victim["why"]
            assert victim["reason"]
    assert f"{runbook}: done: " in done.out
    check_victims(scene, situation)


def relieve(scene: Scene, runbook: str, build: Build, tmp_path: Path) -> None:
    situation = build(scene)
    check_report(scene, runbook, situation, tmp_path)
    check_enforce(scene, runbook, situation, tmp_path)


def stopped(scene: Scene, runbook: str, situation: Situation, tmp_path: Path, why: str, **guard: t.Any) -> None:
    """With this guard the runbook fails, says why, and nothing is changed."""
    before = fingerprint(scene)
    kept = run(runbook, scene.cluster, tmp_path, "enforce", **{**situation.settings, **guard})
    assert kept.code != 0
    assert why in kept.out
    assert kept.report["remediation"]["failed"] is True
    assert why in json.dumps(kept.report["remediation"])
    assert kept.victims == set()
    assert fingerprint(scene) == before


# Those in which engines differ, on all of them


@pytest.mark.parametrize(
    ("runbook", "build"),
    [
        ("break_lock_jam", runbooks.lock_jam),
        ("cancel_waiting_ddl", runbooks.waiting_ddl),
        ("cancel_session", runbooks.named_sessions),
        ("drain_group", runbooks.group_to_drain),
    ],
)
def test_it_relieves(runbook: str, build: Build, scene: Scene, tmp_path: Path) -> None:
    relieve(scene, runbook, build, tmp_path)


@on("gp7")
@pytest.mark.parametrize("ddl", runbooks.DDL[1:])
def test_ddl_is_told_by_its_lock_however_it_is_written(ddl: str, scene: Scene, tmp_path: Path) -> None:
    relieve(scene, "cancel_waiting_ddl", functools.partial(runbooks.waiting_ddl, ddl=ddl), tmp_path)


@on("gp7")
def test_an_expression_of_ones_own_goes_by_the_text_alone(scene: Scene, tmp_path: Path) -> None:
    """As it did before the runbook went by the lock."""
    situation = runbooks.waiting_ddl(scene)
    for regex, victims in (("^/[*] release 8", set()), ("^/[*] release 7", {c.pid for c in situation.victims})):
        done = run("cancel_waiting_ddl", scene.cluster, tmp_path, "report", **situation.settings, query_regex=regex)
        assert done.code == 0, done.out
        assert done.victims == victims


def test_relieve_group_queue_ends_and_raises(scene: Scene, tmp_path: Path) -> None:
    situation = runbooks.full_group(scene)
    check_report(scene, "relieve_group_queue", situation, tmp_path)
    done = run("relieve_group_queue", scene.cluster, tmp_path, "enforce", **situation.settings)
    assert done.code == 0, done.out
    assert done.victims == {client.pid for client in situation.victims}
    assert "SET concurrency 4" in done.out
    check_victims(scene, situation)


# The others


@on("gp6")
@pytest.mark.parametrize(
    ("runbook", "build"),
    [
        ("reap_idle_in_transaction", runbooks.idle_in_transaction),
        ("cancel_long_queries", runbooks.long_queries),
    ],
)
def test_it_relieves_on_gp6(runbook: str, build: Build, scene: Scene, tmp_path: Path) -> None:
    relieve(scene, runbook, build, tmp_path)


@on("gp7")
@pytest.mark.parametrize(
    ("runbook", "build"),
    [
        ("reap_idle_sessions", runbooks.idle_sessions),
        ("offboard_role", runbooks.role_to_offboard),
    ],
)
def test_it_relieves_on_gp7(runbook: str, build: Build, scene: Scene, tmp_path: Path) -> None:
    relieve(scene, runbook, build, tmp_path)


@on("cb")
@pytest.mark.parametrize(
    ("runbook", "build"),
    [
        ("enforce_role_quota", runbooks.too_many_sessions),
        ("terminate_all_sessions", runbooks.any_sessions),
    ],
)
def test_it_relieves_on_cb(runbook: str, build: Build, scene: Scene, tmp_path: Path) -> None:
    relieve(scene, runbook, build, tmp_path)


@on("gp7")
def test_an_offboarded_role_is_out(scene: Scene, tmp_path: Path) -> None:
    situation = runbooks.role_to_offboard(scene)
    assert run("offboard_role", scene.cluster, tmp_path, "enforce", **situation.settings).code == 0
    with pytest.raises(psycopg2.OperationalError, match="not permitted to log in"):
        scene.client(scene.cluster.other)


@pytest.mark.parametrize("special", ["gp7"], indirect=True)
def test_relieve_connection_saturation(special: t.Callable[..., Cluster], tmp_path: Path) -> None:
    cluster = special(max_connections=30)
    with Scene(cluster) as scene:
        situation = runbooks.saturated(scene)
        with pytest.raises(psycopg2.OperationalError, match=r"remaining connection slots|too many clients"):
            cluster.connect(cluster.user)
        told = run("relieve_connection_saturation", cluster, tmp_path, "report", **situation.settings)
        assert told.code == 0, told.out
        assert all(is_there(scene, client) for client in situation.victims)
        stopped(
            scene,
            "relieve_connection_saturation",
            situation,
            tmp_path,
            "more than gp_remediation_max_share, 1%",
            max_share=1,
        )
        done = run("relieve_connection_saturation", cluster, tmp_path, "enforce", **situation.settings)
        assert done.code == 0, done.out
        assert done.victims
        assert done.victims == told.victims
        # Only of the largest offender, and no more than it takes.
        left = [client for client in situation.victims if is_there(scene, client)]
        assert done.victims == {client.pid for client in situation.victims} - {client.pid for client in left}
        assert left
        assert all(is_there(scene, client) for client in situation.bystanders)
        scene.client(cluster.user)


@on("gp7")
def test_quiesce_and_reopen(scene: Scene, tmp_path: Path) -> None:
    cluster = scene.cluster
    situation = runbooks.open_database(scene)
    check_report(scene, "quiesce", situation, tmp_path)
    done = run("quiesce", cluster, tmp_path, "enforce", **situation.settings)
    assert done.code == 0, done.out
    assert done.victims == {client.pid for client in situation.victims}
    # The superuser's session of this test, which is no failure.
    assert "quiesce: done: " in done.out
    assert "protected and stay: process " in done.out
    check_victims(scene, situation)
    with pytest.raises(psycopg2.OperationalError, match="too many connections for database"):
        scene.client(cluster.user)
    note = tmp_path / "state" / "gp" / "quiesce.json"
    assert stat.S_IMODE(note.stat().st_mode) == 0o600
    assert stat.S_IMODE(note.parent.stat().st_mode) == 0o700
    # A second time changes nothing, and keeps what was noted.
    noted = note.read_text(encoding="utf-8")
    assert run("quiesce", cluster, tmp_path, "enforce", **situation.settings).code == 0
    assert note.read_text(encoding="utf-8") == noted

    stopped(scene, "reopen", situation, tmp_path, "kill_switch is set", kill_switch=True)
    told = run("reopen", cluster, tmp_path, "report")
    assert "would send: ALTER DATABASE" in told.out
    assert situation.relieved()
    done = run("reopen", cluster, tmp_path, "enforce")
    assert done.code == 0, done.out
    assert not note.exists()
    now = "SELECT datconnlimit FROM pg_catalog.pg_database WHERE datname = %s"
    assert scene.sql(now, (cluster.database,)) == [(77,)]
    scene.client(cluster.user)
    lost = run("reopen", cluster, tmp_path, "enforce")
    assert lost.code != 0
    assert f"there is no {note}" in lost.out


@on("gp7")
@pytest.mark.parametrize("runbook", ["quiesce", "offboard_role"])
def test_who_was_excluded_is_named_and_may_be_a_failure(runbook: str, scene: Scene, tmp_path: Path) -> None:
    cluster = scene.cluster
    situation = runbooks.open_database(scene) if runbook == "quiesce" else runbooks.role_to_offboard(scene)
    stays = scene.client(cluster.other, name="gpops it stays")
    spared = {**situation.settings, "exclude_application_names": ["gpops it stays"]}
    left = f"{stays.pid} ({cluster.other})"
    for more, code in (({}, 0), ({"fail_on_remaining": True}, 2)):
        done = run(runbook, cluster, tmp_path, "enforce", **spared, **more)
        assert done.code == code, done.out
        assert "excluded, or come since, and stay: process " in done.out
        assert left in done.out
        assert ("gp_remediation_fail_on_remaining: " in done.out) is bool(code)
        assert is_there(scene, stays)


@on("gp6")
def test_a_database_that_was_dropped_does_not_keep_the_others_closed(scene: Scene, tmp_path: Path) -> None:
    """What is there is opened, what is gone is named, and then the note is done with."""
    cluster = scene.cluster
    names = ("gpops_it_one", "gpops_it_we[ird]", "gpops_it_gone")
    for name in names:
        scene.sql(f'CREATE DATABASE "{name}" CONNECTION LIMIT 4')
    limits = "SELECT datconnlimit FROM pg_catalog.pg_database WHERE datname LIKE 'gpops\\_it\\_%' ORDER BY datname"
    try:
        closed = run("quiesce", cluster, tmp_path, "enforce", databases=["gpops_it_*"])
        assert closed.code == 0, closed.out
        assert scene.sql(limits) == [(0,)] * 3
        scene.sql('DROP DATABASE "gpops_it_gone"')
        done = run("reopen", cluster, tmp_path, "enforce")
        assert done.code == 0, done.out
        assert "connection_limit of gpops_it_gone is left: it was 4, 0 was set, and it is gone" in done.out
        assert scene.sql(limits) == [(4,)] * 2
        assert not list((tmp_path / "state" / "gp").iterdir())
    finally:
        for name in names:
            scene.sql(f'DROP DATABASE IF EXISTS "{name}"')


@on("gp6")
def test_a_database_that_no_statement_can_name_is_named_as_open(scene: Scene, tmp_path: Path) -> None:
    """Made from a database in another encoding, its name is no UTF-8; what can be closed is, and the rest is told."""
    cluster = scene.cluster
    if not cluster.embedded:
        pytest.skip("it makes databases that are hard to drop; on an embedded engine only")
    latin, name = "gpops_it_latin", "gpops_it_\xfc"
    scene.sql(f"CREATE DATABASE {latin} ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    with contextlib.closing(cluster.connect(cluster.admin, latin)) as connection:
        connection.set_client_encoding("LATIN1")
        sent = connection.cursor()
        sent.execute(f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'")
        try:
            told = run("quiesce", cluster, tmp_path, "report", databases=["gpops_it_*"], max_share=100)
            done = run("quiesce", cluster, tmp_path, "enforce", databases=["gpops_it_*"], max_share=100)
            limits = scene.sql("SELECT datconnlimit FROM pg_catalog.pg_database WHERE datname ~ 'gpops_it_' ORDER BY 1")
        finally:
            sent.execute(f'DROP DATABASE "{name}"')
    scene.sql(f"DROP DATABASE {latin}")
    for came in (told, done):
        assert came.code == 0, came.out
        assert "still open, because no statement can name them: gpops_it_\ufffd" in came.report["remediation"]["done"]
    assert limits == [(-1,), (0,)]


@on("gp7")
def test_the_note_of_another_cluster_is_not_used(scene: Scene, tmp_path: Path) -> None:
    """Two clusters in one folder: what one has noted is neither put back on the other nor deleted."""
    situation = runbooks.open_database(scene)
    done = run("quiesce", scene.cluster, tmp_path, "enforce", **situation.settings)
    assert done.code == 0, done.out
    (note,) = (tmp_path / "state" / "gp").iterdir()
    written = note.read_text(encoding="utf-8")
    here = json.loads(written)["coordinators"]
    assert here
    note.write_text(written.replace(here[0], "elsewhere:5432"), encoding="utf-8")
    before = fingerprint(scene)
    for runbook, mode in (("reopen", "enforce"), ("reopen", "report"), ("quiesce", "enforce")):
        refused = run(runbook, scene.cluster, tmp_path, mode, **situation.settings)
        assert refused.code != 0
        assert f"{note} is of the cluster at elsewhere:5432, and this is {here[0]}" in refused.out
        assert fingerprint(scene) == before
        assert "elsewhere" in note.read_text(encoding="utf-8")
    note.write_text(written, encoding="utf-8")
    assert run("reopen", scene.cluster, tmp_path, "enforce").code == 0


@on("gp6")
def test_a_group_is_not_changed_by_the_note_of_another_cluster(scene: Scene, tmp_path: Path) -> None:
    group = runbooks.group_to_drain(scene).settings["group"]
    folder = tmp_path / "state" / "gp"
    folder.mkdir(parents=True, mode=0o700)
    changes = [{"name": group, "before": {"concurrency": 9}, "set": {"concurrency": 2}}]
    before = fingerprint(scene)
    for runbook, more in (
        ("drain_group", {"restore": True}),
        ("relieve_group_queue", {"restore": True, "max_group_queue": 0}),
        ("boost_group_window", {"restore": True, "boost": {"concurrency": 2}}),
    ):
        note = folder / f"{runbook}.{group}.json"
        note.write_text(json.dumps({"coordinators": ["elsewhere:5432"], "changes": changes}), encoding="utf-8")
        refused = run(runbook, scene.cluster, tmp_path, "enforce", group=group, **more)
        assert refused.code != 0
        assert "is of the cluster at elsewhere:5432" in refused.out
        assert note.exists()
        assert fingerprint(scene) == before


def concurrency(scene: Scene, group: str) -> int:
    return int(scene.sql("SELECT concurrency FROM gp_toolkit.gp_resgroup_config WHERE groupname = %s", (group,))[0][0])


@on("gp6")
def test_a_raised_group_is_restored(scene: Scene, tmp_path: Path) -> None:
    situation = runbooks.full_group(scene)
    group = situation.settings["group"]
    # Nobody may be ended: so only a raise helps, and it is not enough.
    settings = {**situation.settings, "exclude_users": [scene.cluster.user], "raise_to_at_most": 3}
    failed = run("relieve_group_queue", scene.cluster, tmp_path, "enforce", **settings)
    assert failed.code != 0
    assert failed.victims == set()
    assert concurrency(scene, group) == 3
    assert "3 run, 2 wait, concurrency is 3" in failed.out
    # Again does not add up: it is measured from what it was at first.
    again = run("relieve_group_queue", scene.cluster, tmp_path, "enforce", **{**settings, "raise_to_at_most": 100})
    assert concurrency(scene, group) == 4, again.out
    for client in situation.bystanders:
        client.close()
    back = run("relieve_group_queue", scene.cluster, tmp_path, "enforce", **settings, restore=True)
    assert back.code == 0, back.out
    assert concurrency(scene, group) == 2
    assert not list((tmp_path / "state" / "gp").iterdir())


@on("gp6")
def test_a_drained_group_opens_again(scene: Scene, tmp_path: Path) -> None:
    situation = runbooks.group_to_drain(scene)
    done = run("drain_group", scene.cluster, tmp_path, "enforce", **situation.settings)
    assert done.code == 0, done.out
    back = run("drain_group", scene.cluster, tmp_path, "enforce", **situation.settings, restore=True)
    assert back.code == 0, back.out
    assert concurrency(scene, situation.settings["group"]) == 2
    # What is not known is not put back, and not passed over in silence either.
    unknown = run("drain_group", scene.cluster, tmp_path, "enforce", **situation.settings, restore=True)
    assert unknown.code != 0
    assert "so what was changed is not known here, or is put back already" in unknown.out
    refused = run("drain_group", scene.cluster, tmp_path, "enforce", group="admin_group")
    assert refused.code != 0
    assert "gp_remediation_group: admin_group is for administration" in refused.out


@on("cb")
def test_boost_group_window(scene: Scene, tmp_path: Path) -> None:
    cluster = scene.cluster
    group = scene.group(cluster.user)
    settings: dict[str, t.Any] = {"group": group, "boost": {"concurrency": 7, "min_cost": 100}}
    if cluster.family == "gp6":
        settings["boost"] = {"concurrency": 7, "memory_shared_quota": 50}
    option = list(settings["boost"])[1]
    before = fingerprint(scene)["groups"]

    def boost(mode: str, windows: list[str]) -> str:
        done = run("boost_group_window", cluster, tmp_path, mode, **settings, windows=windows)
        assert done.code == 0, done.out
        return done.out

    assert "would send: ALTER RESOURCE GROUP" in boost("report", ALWAYS)
    assert fingerprint(scene)["groups"] == before
    assert "within 00:00-24:00" in boost("enforce", ALWAYS)
    assert concurrency(scene, group) == 7
    boost("enforce", ALWAYS)
    assert "outside of" in boost("enforce", never())
    assert fingerprint(scene)["groups"] == before
    # Outside of the window there is nothing to do, and no note of it.
    assert "sent: " not in boost("enforce", never())
    # What somebody changed since is left, and told once.
    boost("enforce", ALWAYS)
    scene.sql(f"ALTER RESOURCE GROUP {group} SET concurrency 9")
    words = f"concurrency of {group} is left: it was 1, 7 was set, and it is 9 now"
    assert words in boost("enforce", ALWAYS)
    assert concurrency(scene, group) == 9
    out = boost("enforce", never())
    assert words in out
    assert option in out
    assert concurrency(scene, group) == 9


@on("gp6")
def test_remediate_applies_policies_in_order(scene: Scene, tmp_path: Path) -> None:
    cluster = scene.cluster
    working = scene.client(cluster.user, name="gpops_it_report").start(runbooks.SLEEP)
    scene.state(working, "active")
    forgotten = scene.client(cluster.user).run(*runbooks.IDLE_IN_TRANSACTION)
    spared = scene.client(cluster.other).run("BEGIN")
    policies = [
        {"name": "reports", "why": "too long", "state": "cancelled", "application_names": ["gpops_it_report"]},
        {"name": "forgotten", "why": "lunch", "state": "terminated", "states": ["idle in transaction"],
         "application_names": ["gpops_it*"]},
    ]  # fmt: skip
    settings = {"policies": policies, "protected_users": ["gpadmin", cluster.other]}
    before = fingerprint(scene)
    told = run("remediate", cluster, tmp_path, "report", **settings)
    assert told.code == 0, told.out
    assert told.victims == {working.pid, forgotten.pid}
    assert fingerprint(scene) == before
    file = tmp_path / "stop"
    file.touch()
    situation = Situation(settings, [], [])
    stopped(scene, "remediate", situation, tmp_path, f"there is a file {file}", kill_switch_file=str(file))
    file.unlink()
    done = run("remediate", cluster, tmp_path, "enforce", **settings, kill_switch_file=str(file))
    assert done.code == 0, done.out
    found = {one["pid"]: one for one in done.report["remediation"]["victims"]}
    assert (found[working.pid]["policy"], found[working.pid]["why"]) == ("reports", "too long")
    assert found[working.pid]["outcome"] == "cancelled"
    assert (found[forgotten.pid]["policy"], found[forgotten.pid]["outcome"]) == ("forgotten", "terminated")
    assert found[spared.pid]["outcome"] == "protected"
    assert is_there(scene, spared)
    assert is_there(scene, working)
    assert not is_there(scene, forgotten)


@on("gp7")
def test_triage(scene: Scene, tmp_path: Path) -> None:
    cluster = scene.cluster
    table = scene.table()
    root = scene.client(cluster.user).run("BEGIN", f"SELECT '<b>bold</b>', a FROM {table}")
    waiter = scene.client(cluster.admin).start(f"ALTER TABLE {table} ADD COLUMN b int")
    scene.waiting(waiter)
    before = fingerprint(scene)
    told = run("triage", cluster, tmp_path, "report")
    assert told.code == 0, told.out
    assert fingerprint(scene) == before
    assert str(told.page) in told.out
    page = told.page.read_text(encoding="utf-8")
    assert str(root.pid) in page
    assert "<b>bold</b>" not in page
    blocked = [one for one in told.report["processes"]["processes"] if one["pid"] == waiter.pid]
    assert blocked[0]["blocked_by"] == [root.pid]
    assert "default_group" in [group["name"] for group in told.report["groups"]["groups"]]

    policies = [{"name": "root", "state": "terminated", "pids": [root.pid]}]
    situation = Situation({"policies": policies}, [root], [])
    stopped(scene, "triage", situation, tmp_path, "kill_switch is set", kill_switch=True)
    done = run("triage", cluster, tmp_path, "enforce", policies=policies)
    assert done.code == 0, done.out
    assert done.victims == {root.pid}
    eventually(waiter.is_done, "the waiter goes on")
    assert root.pid in pids_of(done.report["processes"])
    assert root.pid not in pids_of(done.report["processes_after"])
    assert "The root is process" not in done.out
    page = done.page.read_text(encoding="utf-8")
    assert page.count("<h3>Before</h3>") == page.count("<h3>After</h3>") == 2


def pids_of(result: dict[str, t.Any]) -> set[int]:
    return {session["pid"] for session in result["processes"]}


@on("gp6")
def test_triage_looks_again_after_a_policy_that_failed(scene: Scene, tmp_path: Path) -> None:
    """What one policy has ended before another one failed is no longer there, and the failure is told once."""
    cluster = scene.cluster
    forgotten = [scene.client(cluster.user).run(*runbooks.IDLE_IN_TRANSACTION) for _number in range(2)]
    policies = [
        {"name": "one", "pids": [forgotten[0].pid], "state": "terminated"},
        {"name": "none", "pids": [forgotten[1].pid], "state": "terminated", "max_victims": 0},
    ]
    done = run("triage", cluster, tmp_path, "enforce", policies=policies)
    assert done.code != 0
    assert forgotten[0].pid in pids_of(done.report["processes"])
    assert pids_of(done.report["processes_after"]).isdisjoint([forgotten[0].pid])
    assert forgotten[1].pid in pids_of(done.report["processes_after"])
    assert done.report["groups_after"]["groups"]
    critical = [finding["text"] for finding in done.report["findings"] if finding["level"] == "critical"]
    assert len(critical) == 1, critical
    assert critical[0].startswith("Policy none: refused.")


@on("gp6")
def test_triage_tells_what_it_finds(scene: Scene, tmp_path: Path) -> None:
    """On the terminal, what matters most first, and on request in the exit code; the report is there all the same."""
    table = scene.table()
    root = scene.client(scene.cluster.user).run("BEGIN", f"LOCK TABLE {table}")
    for _number in range(2):
        scene.waiting(scene.client(scene.cluster.other).start(f"SELECT * FROM {table}"))
    told = run("triage", scene.cluster, tmp_path, "report")
    assert told.code == 0
    said = [line.strip() for line in told.out.splitlines() if line.strip().startswith('"warning: ')]
    assert any(f"The root is process {root.pid}" in line for line in said), told.out
    for fail_on, failed in (("critical", False), ("warning", True)):
        done = run("triage", scene.cluster, tmp_path, "report", fail_on=fail_on)
        assert (done.code != 0) is failed, done.out
        assert ("gp_remediation_fail_on: 2 sessions wait for a lock" in done.out) is failed
        assert done.report["findings"][0]["level"] == "warning"


@on("gp7")
def test_triage_from_a_full_group(scene: Scene, tmp_path: Path) -> None:
    cluster = scene.cluster
    if not scene.waits_in_group:
        pytest.skip("on this engine every role sees what runs in the groups, also from a full one")
    group = scene.group(cluster.ops)
    holder = scene.client(cluster.ops).run(*runbooks.IDLE_IN_TRANSACTION)
    told = run("triage", cluster, tmp_path, "report", connection={**cluster.login(cluster.ops), "timeout": 3})
    assert told.code == 0, told.out
    found = {each["name"]: each for each in told.report["groups"]["groups"]}[group]
    assert (found["concurrency"], found["status"]) == (1, None)
    assert "there is no status" in str(told.report["groups"]["warnings"])
    assert "what runs is not known" in told.page.read_text(encoding="utf-8")
    assert holder.pid in [one["pid"] for one in told.report["processes"]["processes"]]


@on("gp7")
def test_triage_goes_on_where_groups_cannot_be_read(scene: Scene, tmp_path: Path) -> None:
    cluster = scene.cluster
    if not cluster.embedded:
        pytest.skip("it drops gp_toolkit from a database of its own; on an embedded engine only")
    scene.sql("CREATE DATABASE gpops_it_bare")
    try:
        with contextlib.closing(cluster.connect(cluster.admin, "gpops_it_bare")) as connection:
            connection.cursor().execute("DROP SCHEMA gp_toolkit CASCADE")
        login = cluster.login(cluster.admin, "gpops_it_bare")
        told = run("triage", cluster, tmp_path, "report", connection=login)
    finally:
        scene.sql("DROP DATABASE gpops_it_bare")
    assert told.code == 0, told.out
    assert told.report["groups"]["failed"] is True
    assert "has no gp_toolkit.gp_resgroup_config" in told.report["groups"]["msg"]
    assert "The resource groups could not be read" in told.page.read_text(encoding="utf-8")
    assert told.report["processes"]["processes"]


# One guard for each; those of remediate, triage, reopen and relieve_connection_saturation are tested above.


@on("gp6")
@pytest.mark.parametrize(
    ("runbook", "build", "guard", "why"),
    [
        ("reap_idle_in_transaction", runbooks.idle_in_transaction, {"kill_switch": True}, "kill_switch is set"),
        ("reap_idle_sessions", runbooks.idle_sessions, {"max_victims": 2}, "max_victims"),
        ("cancel_long_queries", runbooks.long_queries, {"windows": never()}, "outside of"),
        (
            "break_lock_jam",
            runbooks.lock_jam,
            {"protected_applications": ["gpops_it"], "protected_application_users": ["*"]},
            "holds up 20 others",
        ),
        ("cancel_waiting_ddl", runbooks.waiting_ddl, {"max_share": 0}, "more than gp_remediation_max_share"),
        ("relieve_group_queue", runbooks.full_group, {"kill_switch": True}, "kill_switch is set"),
        ("enforce_role_quota", runbooks.too_many_sessions, {"max_share": 1}, "more than gp_remediation_max_share"),
        ("offboard_role", runbooks.role_to_offboard, {"max_victims": 2}, "max_victims"),
        ("offboard_role", runbooks.role_to_offboard, {"protected_users": ["bill?"]}, "protected_users"),
        ("quiesce", runbooks.open_database, {"windows": never()}, "outside of"),
        ("cancel_session", runbooks.named_sessions, {"max_victims": 1}, "max_victims"),
        ("terminate_all_sessions", runbooks.any_sessions, {"confirm": "gp2"}, "gp_remediation_confirm"),
    ],
)
def test_a_guard_stops_it(
    runbook: str, build: Build, guard: dict[str, t.Any], why: str, scene: Scene, tmp_path: Path
) -> None:
    stopped(scene, runbook, build(scene), tmp_path, why, **guard)


@on("cb")
def test_a_segment_that_is_down_stops_it(scene: Scene, tmp_path: Path) -> None:
    if not scene.cluster.embedded:
        pytest.skip("a segment of an embedded engine only is made to look down")
    situation = runbooks.group_to_drain(scene)
    view = "pg_catalog.gp_segment_configuration"
    text = scene.sql("SELECT pg_catalog.pg_get_viewdef(%s::regclass)", (view,))[0][0]
    replace = f"CREATE OR REPLACE VIEW {view} AS "
    scene.at_the_end(replace + text)
    scene.sql(replace + text.replace("'u'::\"char\"", "'d'::\"char\""))
    stopped(scene, "drain_group", situation, tmp_path, "3 segments are down")
    boost = {"group": situation.settings["group"], "boost": {"concurrency": 9}}
    stopped(scene, "boost_group_window", Situation(boost, [], []), tmp_path, "3 segments are down")
    done = run("boost_group_window", scene.cluster, tmp_path, "enforce", **boost, allow_segments_down=True)
    assert done.code == 0, done.out
    assert concurrency(scene, boost["group"]) == 9


@on("gp7")
def test_a_slip_in_a_setting_is_refused(scene: Scene, tmp_path: Path) -> None:
    situation = runbooks.idle_sessions(scene)
    words = "gp_remediation_exlude_users: no entry point knows this setting"
    stopped(scene, "reap_idle_sessions", situation, tmp_path, words, exlude_users=[scene.cluster.user])


@on("gp6")
@pytest.mark.parametrize("name", ["gp_options", "gp_put_back", "gp_remember", "gp_session_table"])
def test_examples_of_the_filters(name: str, cluster: Cluster, tmp_path: Path) -> None:
    source = (ROOT / "plugins" / "filter" / f"{name}.py").read_text(encoding="utf-8")
    block = re.search(r'^EXAMPLES = r"""(.*?)"""', source, re.DOTALL | re.MULTILINE)
    returned = re.search(r'^RETURN = r"""(.*?)"""', source, re.DOTALL | re.MULTILINE)
    assert block
    assert returned
    (task,) = yaml.safe_load(block.group(1))
    (fact,) = task["ansible.builtin.set_fact"]
    sample = yaml.safe_load(returned.group(1))["_value"]["sample"]
    check = {"ansible.builtin.assert": {"that": f"{fact} == sample"}, "vars": {"sample": sample}}
    succeeded(play([{"hosts": "gp", "gather_facts": False, "tasks": [task, check]}], cluster, tmp_path))


@on("gp6")
def test_a_process_that_is_not_there_is_named(scene: Scene, tmp_path: Path) -> None:
    """Nothing to end is no failure, but whoever named it learns that it was in vain."""
    gone = scene.client(scene.cluster.user)
    gone.connection.close()
    eventually(lambda: not is_there(scene, gone), "the session ends")
    done = run("cancel_session", scene.cluster, tmp_path, "enforce", pids=[gone.pid])
    assert done.code == 0, done.out
    assert f"cancel_session: nothing: no session is to end; process {gone.pid} is not there." in done.out
    spared = scene.client(scene.cluster.user)
    done = run(
        "cancel_session", scene.cluster, tmp_path, "enforce", pids=[spared.pid], exclude_users=[scene.cluster.user]
    )
    assert f"process {spared.pid} is left out by exclude_users" in done.out
    assert is_there(scene, spared)


@on("gp6")
def test_the_example_of_the_role(cluster: Cluster, tmp_path: Path) -> None:
    text = (ROOT / "roles" / "gp_remediation" / "README.md").read_text(encoding="utf-8")
    block = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert block
    out = succeeded(run_playbook(yaml.safe_load(block.group(1)), readme_inventory(cluster), tmp_path))
    assert "remediate: forgotten transactions: nothing: no session is to end. long statements: nothing" in out


@on("gp6")
def test_a_report_that_cannot_be_written_hides_nothing(scene: Scene, tmp_path: Path) -> None:
    """What was done is said all the same; then the run fails."""
    cluster = scene.cluster
    victim = scene.client(cluster.user).run(*runbooks.IDLE_IN_TRANSACTION)
    settings = {
        "gp_remediation_min_state_age": "0",
        "gp_remediation_application_names": [runbooks.NAME],
        "gp_remediation_mode": "enforce",
        # At the beginning it can be written.
        "gp_remediation_report_dir": "{{ '/dev/null/reports' if gp_remediation_result | default({}) else 'reports' }}",
    }
    done = play("gpops.toolkit.reap_idle_in_transaction", cluster, tmp_path, "-e", json.dumps(settings))
    assert done.returncode != 0
    assert not runbooks.is_there(scene, victim)
    said = " ".join(done.stdout.split())
    assert "1 session signalled to be terminated" in said
    assert f"{victim.pid} {cluster.user} terminated" in said
    assert "There is no report: dest: " in said
    # What another runbook of the play did is not told by this one.
    refused = play(
        "gpops.toolkit.reap_idle_in_transaction",
        cluster,
        tmp_path,
        "-e",
        json.dumps({**settings, "gp_remediation_max_victims": -1}),
    )
    assert refused.returncode != 0
    assert "max_victims" in refused.stdout


@on("gp6")
def test_an_earlier_runbook_of_the_play_leaves_nothing(scene: Scene, tmp_path: Path) -> None:
    """What it did is told by it alone, also where the next one fails before it has done anything."""
    group = scene.group(scene.role("gpops_it_role"))
    before = concurrency(scene, group)
    victim = scene.client(scene.cluster.user).run(*runbooks.IDLE_IN_TRANSACTION)
    common = {
        "gp_remediation_group": group,
        "gp_remediation_mode": "enforce",
        "gp_remediation_max_victims": 0,
        "gp_remediation_application_names": [runbooks.NAME],
        "gp_remediation_min_state_age": "0",
        "gp_remediation_state_dir": str(tmp_path / "state"),
        "gp_remediation_report_dir": str(tmp_path / "reports"),
    }
    books: list[tuple[str, dict[str, t.Any]]] = [
        ("relieve_group_queue", {}),
        ("drain_group", {"drain_timeout": "1"}),
        ("drain_group", {"restore": True}),
        ("drain_group", {"kill_switch": True}),
        ("reap_idle_in_transaction", {"exlude_users": ["sammy"]}),
    ]
    tasks: list[dict[str, t.Any]] = []
    for number, (name, more) in enumerate(books):
        role = {"ansible.builtin.include_role": {"name": "gpops.toolkit.gp_remediation", "tasks_from": name}}
        own = {f"gp_remediation_{key}": value for key, value in more.items()}
        settings = {
            key: value for key, value in common.items() if name != "reap_idle_in_transaction" or "group" not in key
        }
        kept = {"ansible.builtin.set_fact": {f"result_{number}": "{{ gp_remediation_result }}"}}
        tasks.append({"block": [{**role, "vars": {**settings, **own}}], "rescue": [{"ansible.builtin.meta": "noop"}]})
        tasks.append(kept)
    results = ", ".join(f"result_{number}" for number in range(len(books)))
    content = {"content": "{{ [" + results + "] | to_json }}", "dest": str(tmp_path / "results.json")}
    tasks.append({"ansible.builtin.copy": content})
    plays = [{"hosts": "gp", "gather_facts": False, "tasks": tasks}]
    succeeded(play(plays, scene.cluster, tmp_path))
    told = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert [bool(one.get("failed")) for one in told] == [False, False, False, True, True]
    closed, opened, stopped_by, refused = told[1:]
    assert closed["details"]["change"]["changed"]
    assert closed["details"]["restored"] == {}
    assert opened["done"] == [f'sent: ALTER RESOURCE GROUP "{group}" SET concurrency {before}']
    assert "kill_switch is set" in stopped_by["msg"]
    assert stopped_by["details"]["change"] == stopped_by["details"]["plan"] == {}
    assert not stopped_by["changed"]
    assert "exlude_users" in refused["msg"]
    assert {"details", "policies", "done"} & set(refused) == set()
    assert runbooks.is_there(scene, victim)


@on("gp6")
def test_the_example_of_the_lookup(cluster: Cluster, tmp_path: Path) -> None:
    source = (ROOT / "plugins" / "lookup" / "gp_runbook.py").read_text(encoding="utf-8")
    block = re.search(r'^EXAMPLES = r"""(.*?)"""', source, re.DOTALL | re.MULTILINE)
    assert block
    out = succeeded(
        play([{"hosts": "gp", "gather_facts": False, "tasks": yaml.safe_load(block.group(1))}], cluster, tmp_path)
    )
    assert "min_state_age: 12h" in out.replace('"', "")


@on("gp6")
def test_a_connection_may_be_a_text(scene: Scene, tmp_path: Path) -> None:
    """As surveys and name=value give it; or there is none."""
    cluster = scene.cluster
    text = json.dumps({"gp_connection": json.dumps(cluster.login(cluster.ops))})
    for playbook in ("processes", "triage"):
        done = play(f"gpops.toolkit.{playbook}", cluster, tmp_path, "-e", text)
        assert done.returncode == 0, done.stdout + done.stderr
        done = play(
            f"gpops.toolkit.{playbook}", cluster, tmp_path, "-e", '{"gp_connection": null}', PGHOST=cluster.host
        )
        assert done.returncode == 0, done.stdout + done.stderr
