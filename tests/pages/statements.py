# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules really send, as a section of the documentation for each engine."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.families import FAMILIES
from integration.cluster import Client, Cluster, Scene
from integration.run_module import run_module
from integration.tap import Tap, login_through

from pages.rst import block, head, heading

_SETUP = "SET client_encoding"
_PROBE = "SELECT pg_catalog.version() AS version_text"
# What differs from run to run.
_NUMBERS = {r"(statement_timeout|queuing_timeout)=\d+": r"\1=29000", r"(lock_timeout)=\d+": r"\1=26100"}
_INSTANT = r"'\d{4}-\d\d-\d\dT[\d:.]+Z'"
_WIDTH = 100


@dataclasses.dataclass(frozen=True)
class Operation:
    """Something that a module does.

    Attributes:
        roles: The names in cluster.Cluster of those who do it, with what they use.
        idle: Whether the victim is idle, not running.
    """

    title: str
    module: str
    options: t.Mapping[str, t.Any]
    roles: t.Mapping[str, str] = dataclasses.field(default_factory=lambda: {"admin": "native"})
    victim: bool = False


_BOTH = {"ops": "mdb", "admin": "native"}
OPERATIONS = (
    Operation("List processes", "gp_process_info", {}, _BOTH),
    Operation("Cancel a process", "gp_backend", {"state": "cancelled"}, _BOTH, victim=True),
    Operation("Close a connection", "gp_backend", {"state": "terminated"}, _BOTH, victim=True),
    Operation("Read resource groups", "gp_resource_group_info", {"status": True}),
    Operation("Set the concurrency of a group", "gp_resource_group", {"name": "default_group", "concurrency": 25}),
    Operation("Close a database", "gp_admission", {"databases": [{"name": "postgres", "connection_limit": 0}]}),
    Operation(
        "Apply a policy", "gp_policy", {"policies": [{"name": "all", "state": "terminated", "match_all": True}]}, _BOTH
    ),
)


def login_statements(cluster: Cluster) -> tuple[list[str], list[str]]:
    """The settings that come with the login, and what each module sends first."""
    with Tap(cluster.host, cluster.port) as tap:
        run_module("gp_process_info", {**login_through(tap, cluster.login(cluster.ops)), "fields": ["pid"]})
    settings = tap.settings
    for number, usual in _NUMBERS.items():
        settings = re.sub(number, usual, settings)
    shown = [f"- ``{setting}``" for setting in re.split(r"(?:^| )-c ", settings.replace("\\ ", " "))[1:]]
    return shown, [text for text in _once(tap.statements, {}) if text.startswith((_SETUP, _PROBE))]


def sent(operation: Operation, role: str, cluster: Cluster, scene: Scene) -> list[str]:
    """Each statement of an operation once, in order, without those of the login."""
    options, known = dict(operation.options), {}
    if operation.victim:
        client = scene.client(cluster.user)
        _occupy(scene, client, operation.options["state"])
        options["pids"] = [client.pid]
        rows = scene.sql("SELECT sess_id FROM pg_catalog.pg_stat_activity WHERE pid = %s", (client.pid,))
        known = {str(client.pid): "26049", str(rows[0][0]): "42"}
    login = cluster.login(getattr(cluster, role), cluster.database)
    with Tap(cluster.host, cluster.port) as tap:
        done = run_module(operation.module, {**login_through(tap, login), "toolkit": operation.roles[role], **options})
    assert not done.failed, done["msg"]
    _put_back(operation, done, login)
    return [text for text in _once(tap.statements, known) if not text.startswith((_SETUP, _PROBE))]


def _occupy(scene: Scene, client: Client, state: str) -> None:
    if state == "cancelled":
        client.start("SELECT pg_sleep(600)")
        scene.state(client, "active")
    else:
        client.run("BEGIN")


def _put_back(operation: Operation, done: t.Mapping[str, t.Any], login: t.Mapping[str, t.Any]) -> None:
    if operation.module == "gp_admission":
        run_module("gp_admission", {**login, "databases": done["restore"]["databases"]})
    if operation.module == "gp_resource_group":
        before = done["groups"][0]["before"]["concurrency"]
        run_module("gp_resource_group", {**login, "name": "default_group", "concurrency": before})


def _once(statements: t.Iterable[str], known: t.Mapping[str, str]) -> list[str]:
    """Each once, and as in every run."""
    found = {}
    for text in statements:
        words = re.sub(_INSTANT, "'2026-11-22T19:42:54.185135Z'", text.strip())
        for number, name in known.items():
            words = re.sub(rf"(?<=[(, ]){number}(?=[,)])", name, words)
        # Of the end of a process of ours: which one, and what it was sent last.
        words = re.sub(r"own\.pid = \d+", "own.pid = 4711", words)
        words = re.sub(
            r"(own\.query, \d+\)\) IN )\('.*'\)", r"\1('what it was sent last, backwards')", words, flags=re.DOTALL
        )
        found[words] = True
    return list(found)


def section(cluster: Cluster, scene: Scene) -> str:
    """The part of the page for one engine."""
    shown: dict[str, str] = {}
    parts = [heading(FAMILIES[cluster.family].title, "-")]
    settings, first = login_statements(cluster)
    parts += ["These settings come with the login, as ``options`` of libpq:\n", *settings, ""]
    parts += ["After it, each module sends this:\n", *_blocks("the login", first, shown)]
    for operation in OPERATIONS:
        for role, interface in operation.roles.items():
            through = f", through {'mdb_toolkit' if interface == 'mdb' else 'pg_catalog'}"
            title = operation.title + (through if len(operation.roles) > 1 else "")
            parts.append(heading(title, "~"))
            mode = ", with ``mode: report``" if operation.module == "gp_policy" else ""
            parts.append(f"``gpops.toolkit.{operation.module}``{mode}:\n")
            parts += _blocks(title, sent(operation, role, cluster, scene), shown)
    return "\n".join(parts)


def _blocks(title: str, statements: t.Iterable[str], shown: dict[str, str]) -> t.Iterator[str]:
    for text in statements:
        if text in shown:
            yield f"The statement of *{shown[text]}*.\n"
        else:
            shown[text] = title
            yield block("sql", f"{layout(text)};")


_BREAK = re.compile(r"(?<!LEFT) (?=(?:FROM|WHERE|LEFT JOIN|JOIN|AND|OR) )|(?<=;) ")


def layout(text: str) -> str:
    """The same statement in lines; nothing but spaces is changed."""
    if "\n" in text:
        return text
    lines: list[str] = []
    depth = 0
    for part in _BREAK.split(text):
        indent = "  " * depth
        line = indent
        for item in re.split(r"(?<=, )", part):
            if len(line) + len(item.rstrip()) > _WIDTH and line.strip():
                lines.append(line.rstrip())
                line = indent + "  "
            line += item
        lines.append(line.rstrip())
        depth += part.count("(") - part.count(")")
    return "\n".join(lines)


_INTRODUCTION = """For the six operations that the documentation of the managed service has, this:

.. list-table::
   :header-rows: 1
   :widths: 20 45 35

   * - operation
     - statement in that documentation
     - here
   * - list processes
     - ``SELECT usename, pid, waiting, state, query, datname FROM mdb_toolkit.pg_stat_activity()``
     - ``gp_process_info``
   * - cancel a process
     - ``SELECT * FROM mdb_toolkit.gp_cancel_backend(pid)``
     - ``gp_backend`` with ``state: cancelled``
   * - close a connection
     - ``SELECT * FROM mdb_toolkit.gp_terminate_backend(pid)``
     - ``gp_backend`` with ``state: terminated``
   * - cancel a user session
     - first one, then the other
     - ``gp_backend`` with ``state: terminated`` and ``cancel_first: true``
   * - read the concurrency of groups
     - ``SELECT groupname, concurrency FROM gp_toolkit.gp_resgroup_config``
     - ``gp_resource_group_info``
   * - set the concurrency of a group
     - ``ALTER RESOURCE GROUP g SET concurrency n``
     - ``gp_resource_group``

Below is what really goes over the wire, recorded from the modules on the embedded engines. Each statement is shown
once, also where it is sent again, as the look whether a session is gone. Process 26049 and session 42 stand for the
victim. Milliseconds are those of a task with the default ``timeout``.

What comes with the login wins over what the owner of the database, or others for the role, have set
(``ALTER DATABASE … SET``, ``ALTER ROLE … SET``): results do not depend on it. If ``gp_resource_group_bypass`` or
``idle_session_timeout`` was set so, or too little ``statement_mem``, which not each engine lets every login set, the
task logs in once more with its own.

Settings come with the login because each ``SET`` of them would connect to every segment, and wait for one that hangs.
Where that cannot be avoided (``gp_resource_group_bypass``, ``SET ROLE``) and has no answer within a quarter of
``timeout`` (at most 5 seconds), a new login brings these along too. Through a pooler that takes no ``options``, or
drops them, ``SET`` statements do the same, and ``RESET`` statements at the end undo them: in transaction mode the
pooler gives the session to somebody else next.

Where the functions of ``mdb_toolkit`` are used on Greenplum 7 and Cloudberry, each further statement has a
connection of its own, for the engine would let it wait in a full group.

"""


def page(sections: t.Iterable[str]) -> str:
    """The page."""
    return "\n".join([head("statements") + heading("Which statement does this send?", "="), _INTRODUCTION, *sections])
