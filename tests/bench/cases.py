# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is measured: for each case the playbooks of each way, what comes before a run, and whether the work was done."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from integration.cluster import Cluster, eventually

Tasks = list[dict[str, t.Any]]

NAME = "gpops bench"
GROUPS = [f"gpops_bench_{number:02d}" for number in range(50)]
HOSTS = 50
POLICIES = 5
MORE_TASKS = 10

DIRECT = "direct"
MODULE = "module"
PEER = "postgresql_query"
PEER_BEST = "postgresql_query, one unchecked statement"
DEBUG = "debug"
PING = "ping"


@dataclasses.dataclass
class Stage:
    """The cluster, and the sessions on it that a case is about."""

    cluster: Cluster
    clients: list[t.Any] = dataclasses.field(default_factory=list)

    def sql(self, statement: str) -> list[tuple[t.Any, ...]]:
        """Run a statement as the superuser."""
        connection = self.cluster.connect(self.cluster.admin, application_name="bench admin")
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def sessions(self) -> int:
        """How many sessions of the benchmark the server has."""
        rows = self.sql(f"SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE application_name LIKE '{NAME}%'")
        return int(rows[0][0])

    def open(self, number: int) -> None:
        """Have exactly so many sessions, all of them usable."""
        self.open_named([NAME] * number)

    def open_named(self, names: t.Sequence[str]) -> None:
        """Have exactly these sessions."""
        for client in self.clients:
            client.close()
        eventually(lambda: self.sessions() == 0, "the sessions of the run before are gone")
        self.clients = [self.cluster.connect(self.cluster.user, application_name=name) for name in names]
        assert self.sessions() == len(names), f"{self.sessions()} sessions, not {len(names)}"


@dataclasses.dataclass
class Case:
    """One line of the table.

    Attributes:
        ways: By name, the tasks of each way.
        prepare: Before each run.
        verify: After each run, with the name of the way; raises where the work was not done.
        hosts: On how many hosts.
        base: The tasks whose time is subtracted, if any; what is left is of so many tasks more.
        targets: Way, the way it is compared with, and the ratio it must not exceed.
    """

    name: str
    ways: dict[str, Tasks]
    prepare: t.Callable[[Stage], None]
    verify: t.Callable[[Stage, str], None]
    hosts: int = 1
    base: dict[str, Tasks] = dataclasses.field(default_factory=dict)
    more_tasks: int = 1
    targets: list[tuple[str, str, float]] = dataclasses.field(default_factory=list)


def ours(module: str, **options: t.Any) -> dict[str, t.Any]:
    """One task of ours."""
    return {f"gpops.toolkit.{module}": {**options}, "register": "found"}


def query(statement: str, **keywords: t.Any) -> dict[str, t.Any]:
    """One task of the peer."""
    return {"community.postgresql.postgresql_query": {"query": statement, "autocommit": True}, **keywords}


def nothing(stage: Stage, way: str) -> None:
    """Checked by the playbook itself."""


def listing() -> Case:
    """All sessions, as an operator wants to see them."""
    task = {**ours("gp_process_info", application_names=[NAME]), "failed_when": "found.count != 200"}
    peer = query(
        "SELECT * FROM mdb_toolkit.pg_stat_activity() WHERE application_name = '" + NAME + "'",
        register="found",
        failed_when="found.query_result | length != 200",
    )
    ways = {DIRECT: [task], MODULE: [task], PEER: [peer], DEBUG: [debug()], PING: [ping()]}
    return Case("list 200 sessions", ways, lambda stage: stage.open(200), nothing)


def debug() -> dict[str, t.Any]:
    """What a task costs that does nothing in the controller."""
    return {"ansible.builtin.debug": {"msg": "hello"}}


def ping() -> dict[str, t.Any]:
    """What a module costs that does nothing."""
    return {"ansible.builtin.ping": {}}


def further_task() -> Case:
    """One more task in a playbook that has one already: a look at one session."""
    targets = [(DIRECT, PEER, 1 / 12), (DIRECT, DEBUG, 2.5), (MODULE, PEER, 1.0)]
    return Case(
        "one further task",
        _looks(1 + MORE_TASKS),
        lambda stage: stage.open(1),
        nothing,
        base=_looks(1),
        more_tasks=MORE_TASKS,
        targets=targets,
    )


def _looks(number: int) -> dict[str, Tasks]:
    """So many tasks of each way, and one that sees to it that each of them found the session."""
    names = [f"found_{each}" for each in range(number)]
    look = {"gpops.toolkit.gp_process_info": {"application_names": [NAME]}}
    statement = f"SELECT * FROM mdb_toolkit.pg_stat_activity() WHERE application_name = '{NAME}'"
    direct: Tasks = [{**look, "register": name} for name in names]
    return {
        DIRECT: [*direct, _all(names, "count")],
        MODULE: [*direct, _all(names, "count")],
        PEER: [*(query(statement, register=name) for name in names), _all(names, "rowcount")],
        DEBUG: [debug() for dummy in names],
        PING: [ping() for dummy in names],
    }


def _all(names: t.Sequence[str], number: str) -> dict[str, t.Any]:
    """One test of all, for each would be a part of what is measured."""
    test = f"[{', '.join(names)}] | map(attribute='{number}') | list == [1] * {len(names)}"
    return {"ansible.builtin.assert": {"that": [test], "quiet": True}}


def killing(number: int) -> Case:
    """End sessions; ours also looks until each is gone."""
    chosen = f"application_name = '{NAME}'"
    task = {
        **ours("gp_backend", state="terminated", application_names=[NAME], max_victims=number),
        "failed_when": f"found.counts.terminated != {number}",
    }
    find = query(f"SELECT pid FROM mdb_toolkit.pg_stat_activity() WHERE {chosen}", register="seen")
    end = query("SELECT mdb_toolkit.gp_terminate_backend({{ item.pid }})", loop="{{ seen.query_result }}")
    best = query(
        f"SELECT mdb_toolkit.gp_terminate_backend(pid) FROM mdb_toolkit.pg_stat_activity() WHERE {chosen}",
        register="seen",
        failed_when=f"seen.query_result | length != {number}",
    )
    ways = {DIRECT: [task], MODULE: [task], PEER: [find, end], PEER_BEST: [best]}
    targets = [(DIRECT, PEER, 1 / 60), (DIRECT, PEER_BEST, 0.8)] if number == 200 else []
    return Case(f"kill {number} sessions", ways, lambda stage: stage.open(number), _all_gone, targets=targets)


def _all_gone(stage: Stage, way: str) -> None:
    # The peer does not look; the server may need a moment.
    if way in (PEER, PEER_BEST):
        eventually(lambda: stage.sessions() == 0, "the peer's victims are gone")
    assert stage.sessions() == 0


def groups() -> Case:
    """The concurrency of fifty groups."""
    desired_state = [{"name": name, "concurrency": 3} for name in GROUPS]
    task = {**ours("gp_resource_group", groups=desired_state), "failed_when": "found.statements | length != 50"}
    loop = query("ALTER RESOURCE GROUP {{ item }} SET concurrency 3", loop=GROUPS)
    return Case(
        "set 50 group values",
        {DIRECT: [task], MODULE: [task], PEER: [loop]},
        _groups_of_two,
        _groups_of_three,
        targets=[(DIRECT, PEER, 1 / 20)],
    )


def _values(stage: Stage) -> list[str]:
    rows = stage.sql("SELECT concurrency FROM gp_toolkit.gp_resgroup_config WHERE groupname LIKE 'gpops_bench%'")
    return [str(row[0]) for row in rows]


def _groups_of_two(stage: Stage) -> None:
    there = {row[0] for row in stage.sql("SELECT groupname FROM gp_toolkit.gp_resgroup_config")}
    for name in GROUPS:
        if name in there:
            stage.sql(f"ALTER RESOURCE GROUP {name} SET concurrency 2")
        else:
            stage.sql(f"CREATE RESOURCE GROUP {name} WITH (concurrency=2, cpu_rate_limit=1, memory_limit=1)")
    assert _values(stage) == ["2"] * len(GROUPS)


def _groups_of_three(stage: Stage, way: str) -> None:
    assert _values(stage) == ["3"] * len(GROUPS), way


def drop_groups(stage: Stage) -> None:
    """What the benchmark made."""
    for (name,) in stage.sql("SELECT groupname FROM gp_toolkit.gp_resgroup_config WHERE groupname LIKE 'gpops_bench%'"):
        stage.sql(f"DROP RESOURCE GROUP {name}")


def policies(hosts: int, each: int) -> Case:
    """Five policies, each with sessions to end on each host; all of a host in one task."""
    names = [f"{NAME} {{{{ inventory_hostname }}}} {number}" for number in range(POLICIES)]
    rules = [{"name": name, "state": "terminated", "application_names": [name]} for name in names]
    task = ours("gp_policy", policies=rules, mode="enforce")
    peer: Tasks = []
    for name in names:
        find = f"SELECT pid FROM mdb_toolkit.pg_stat_activity() WHERE application_name = '{name}'"
        end = "SELECT mdb_toolkit.gp_terminate_backend({{ item.pid }})"
        peer += [query(find, register="seen"), query(end, loop="{{ seen.query_result }}")]

    def prepare(stage: Stage) -> None:
        stage.open_named(
            [
                f"{NAME} {host_name(host)} {number}"
                for host in range(hosts)
                for number in range(POLICIES)
                for dummy in range(each)
            ]
        )

    title = f"{POLICIES} policies" if hosts == 1 else f"{hosts} hosts x {POLICIES} policies"
    targets = [(DIRECT, PEER, 1 / 25)] if hosts > 1 else []
    return Case(title, {DIRECT: [task], MODULE: [task], PEER: peer}, prepare, _all_gone, hosts=hosts, targets=targets)


def host_name(number: int) -> str:
    """As the inventory has it."""
    return f"gp{number:02d}"


CASES = [listing(), further_task(), killing(20), killing(100), killing(200), groups()]
CASES += [policies(1, 4), policies(HOSTS, 1)]
