# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start and stop: nothing is left behind, whoever runs it and however it ends."""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import sandbox
from sandbox import Sandbox
from sandbox.api import SandboxError
from sandbox.postgres import find_programs
from sandbox.tests.clients import Client, Hanging, until

PROGRAM = Path(sandbox.__file__).resolve().parent


def command(*words: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PROGRAM), *map(str, words)], capture_output=True, text=True, check=check, timeout=60
    )


def postgres_of(folder: Path) -> list[int]:
    """The servers that work in this folder."""
    found: list[int] = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes().split(b"\0")
        except OSError:
            continue
        if str(folder / "data").encode() in words:
            found.append(int(place.parent.name))
    return found


@pytest.fixture
def folder() -> Iterator[Path]:
    """A place that the server's user can reach, which pytest's own are not."""
    place = Path(tempfile.mkdtemp(prefix="gpops-test-"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place, ignore_errors=True)


def test_commands(folder: Path) -> None:
    place = folder / "box"
    info: dict[str, Any] = json.loads(command("start", "--profile", "gp7", "--dir", place).stdout)
    assert {"dir", "host", "port", "profile", "pid", "admin_user", "databases"} <= info.keys()
    env = dict(
        line.removeprefix("export ").split("=") for line in command("env", "--dir", place).stdout.split("\n") if line
    )
    with psycopg2.connect(
        host=env["PGHOST"], port=env["PGPORT"], user=env["PGUSER"], password=env["PGPASSWORD"], dbname=env["PGDATABASE"]
    ) as connection:
        assert connection.server_version == 120012
    connection.close()
    assert json.loads(command("status", "--dir", place).stdout)["running"] is True
    again = command("start", "--profile", "gp7", "--dir", place, check=False)
    assert again.returncode == 1
    assert "already runs" in again.stderr
    command("stop", "--dir", place)
    assert not place.exists()
    assert not postgres_of(place)
    assert command("stop", "--dir", place, check=False).returncode == 1


def test_groups_and_roles_outlive_a_restart(folder: Path) -> None:
    box = Sandbox("gp6", directory=folder, keep=True)
    with box:
        admin = Client(box)
        admin.run("CREATE RESOURCE GROUP kept WITH (concurrency=7, cpu_rate_limit=1)")
        admin.run("CREATE ROLE kept LOGIN RESOURCE GROUP kept")
        admin.close()
    with Sandbox("gp6", directory=folder) as box:
        admin = Client(box)
        assert admin.run(
            "SELECT c.groupname, c.concurrency FROM gp_toolkit.gp_resgroup_config c"
            " JOIN pg_roles r ON r.rolresgroup = c.groupid WHERE r.rolname = 'kept'"
        ) == [("kept", "7")]
        admin.close()
        other = command("start", "--profile", "gp7", "--dir", folder, check=False)
        assert other.returncode == 1
        assert "profile gp6" in other.stderr
    assert list(folder.iterdir()) == []


def test_foreign_folder_is_refused(folder: Path) -> None:
    (folder / "mine").write_text("keep")
    with pytest.raises(SandboxError, match="not empty"):
        Sandbox("gp6", directory=folder).start()
    assert (folder / "mine").read_text() == "keep"


def test_taken_port_is_an_error_and_leaves_nothing(folder: Path) -> None:
    with Sandbox("gp6") as box:
        place = folder / "second"
        failed = command("start", "--dir", place, "--port", str(box.port), check=False)
        assert failed.returncode == 1
        assert "address already in use" in failed.stderr
        assert not place.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_server_ends_with_the_daemon(folder: Path, number: signal.Signals) -> None:
    info = json.loads(command("start", "--dir", folder / "box").stdout)
    assert postgres_of(folder / "box")
    os.kill(info["pid"], number)
    until(lambda: not postgres_of(folder / "box"))
    assert command("status", "--dir", folder / "box", check=False).returncode == 3
    command("stop", "--dir", folder / "box")
    assert not (folder / "box").exists()


def test_daemon_ends_with_its_user() -> None:
    code = (
        "import sys; from sandbox import Sandbox; box = Sandbox('gp6').start();"
        "print(box.dir, flush=True); sys.stdin.read()"
    )
    program = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(PROGRAM.parent), *sys.path])},
    )
    assert program.stdout is not None
    place = Path(program.stdout.readline().strip())
    assert postgres_of(place)
    program.kill()
    program.communicate()
    until(lambda: not place.exists())
    assert not postgres_of(place)


def test_two_at_once() -> None:
    with Sandbox("gp6") as one, Sandbox("gp6") as two:
        assert (one.port, one.dir) != (two.port, two.dir)
        client = Client(one)
        client.run("CREATE RESOURCE GROUP only_here WITH (cpu_rate_limit=1)")
        client.close()
        other = Client(two)
        assert other.one("SELECT count(*) FROM gp_toolkit.gp_resgroup_config") == 2
        other.close()


def test_long_folder_name(folder: Path) -> None:
    place = folder / ("x" * 90)
    with Sandbox("gp6", directory=place) as box:
        client = Client(box)
        assert client.one("SELECT 1") == 1
        client.close()
        outside = Path((place / "sockets").read_text())
    assert not place.exists()
    assert not outside.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hide the programs from the server's user")
def test_programs_out_of_reach_are_copied(folder: Path) -> None:
    programs = find_programs()
    if not (programs.parent / "share").exists():
        pytest.skip("the installed server cannot be moved")
    hidden = folder / "hidden"
    shutil.copytree(programs.parent, hidden, symlinks=True)
    words = ["ldd", str(programs / "initdb"), str(programs / "postgres")]
    listing = subprocess.run(words, capture_output=True, text=True, check=True)
    for library in re.findall(r"=> (/\S+)", listing.stdout):
        shutil.copy(library, hidden / "lib")
    hidden.chmod(0o700)
    with Sandbox("gp6", pgbin=hidden / "bin") as box:
        assert (box.dir / "programs" / "bin" / "postgres").exists()
        assert Path(f"/proc/{postgres_of(box.dir)[0]}").stat().st_uid not in {each.pw_uid for each in pwd.getpwall()}


@pytest.mark.parametrize("place", sorted(Path("/usr/lib/postgresql").glob("*/bin")), ids=str)
def test_installed_servers(place: Path) -> None:
    for profile in ("gp6", "cb"):
        with Sandbox(profile, pgbin=place) as box:
            client = Client(box)
            assert client.one("SELECT count(*) FROM pg_authid WHERE rolresgroup = 6438") == 1
            client.run("SELECT * FROM pg_stat_activity, pg_locks, gp_toolkit.gp_resgroup_status, pg_settings LIMIT 1")
            client.close()


def test_three_hundred_sessions() -> None:
    with Sandbox("gp6") as box:
        clients = [Client(box, "sammy") for _each in range(300)]
        admin = Client(box)
        assert admin.one("SELECT count(*) FROM pg_stat_activity") == 301
        assert admin.one("SELECT count(DISTINCT sess_id) FROM pg_stat_activity") == 301
        for client in clients[:20]:
            client.run("BEGIN")
        waiting = [Hanging(client, "SELECT 1") for client in clients[20:]]
        queued = "SELECT count(*) FROM pg_stat_activity WHERE waiting_reason = 'resgroup'"
        until(lambda: admin.one(queued) == 280)
        admin.run("ALTER RESOURCE GROUP default_group SET concurrency 400")
        assert all(each.rows() == [(1,)] for each in waiting)
        assert admin.one(queued) == 0
        for client in [*clients, admin]:
            client.close()
