# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other users of the same machine: no way in, and nothing to read."""

from __future__ import annotations

import json
import os
import pwd
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from sandbox import Sandbox
from sandbox.folder import Folder
from sandbox.passwords import new_secret, password_of
from sandbox.postgres import Account
from sandbox.tests.clients import Client

ROLES = ("gpadmin", "ops", "sammy", "billy", "gpops_sandbox")
# Tries all that somebody knows who can see the folder's name, and prints what it got hold of.
ATTACK = """
import os, sys
import psycopg2
folder, port, uid, gid = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
roles = sys.argv[5:]
connect = psycopg2.connect  # all that is needed is imported: it may be where a stranger cannot read
if uid:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
got = []
for place in (folder, folder + "/s", folder + "/data", folder + "/state", folder + "/messages"):
    try:
        got.append((place, os.listdir(place)))
    except OSError:
        pass
for name in ("passwords.json", "sandbox.json", "s/.s.PGSQL.5432", "data/pg_hba.conf", "state/state.json"):
    try:
        got.append((name, open(folder + "/" + name, "rb").read()))
    except OSError:
        pass
for host in ("127.0.0.1", folder + "/s"):
    for role in roles:
        for word in (None, "", role, "gpadmin", "postgres"):
            try:
                connect(host=host, port=port if host[0] != "/" else 5432, user=role, password=word,
                                 dbname="testdb", passfile="/dev/null").close()
                got.append((host, role, word))
            except psycopg2.OperationalError:
                pass
print(got)
"""


def attack(box: Sandbox) -> str:
    """What the user nobody gets."""
    stranger = pwd.getpwnam("nobody")
    words = [str(box.dir), str(box.port), str(stranger.pw_uid), str(stranger.pw_gid), *ROLES]
    done = subprocess.run([sys.executable, "-c", ATTACK, *words], capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_another_user_gets_nothing() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can be another user; what a wrong password gets is tested below")
    with Sandbox("gp6") as box:
        assert attack(box) == "[]"
        # Not a test that cannot fail: with a password, the very same way leads in.
        client = Client(box)
        assert client.one("SELECT current_user") == "gpadmin"
        client.close()


@pytest.mark.parametrize("word", [None, "", "gpadmin", "postgres", "gpops_sandbox"])
def test_nobody_logs_in_without_the_password(word: str | None, own_box: Sandbox) -> None:
    socket = str(own_box.dir / "s")
    for role in ROLES:
        with pytest.raises(psycopg2.OperationalError):
            psycopg2.connect(**{**own_box.dsn(role), "password": word, "passfile": os.devnull})
        # On the socket too, which only its owner reaches at all.
        with pytest.raises(psycopg2.OperationalError, match="password"):
            psycopg2.connect(host=socket, port=5432, user=role, password=word, dbname="testdb", passfile=os.devnull)


@pytest.fixture(scope="module")
def own_box() -> Iterator[Sandbox]:
    with Sandbox("gp6") as box:
        yield box


def test_the_folders_are_closed(own_box: Sandbox) -> None:
    modes = {name: stat.S_IMODE((own_box.dir / name).stat().st_mode) for name in ("data", "s", "state", "messages")}
    assert set(modes.values()) == {0o700}, modes
    assert stat.S_IMODE(own_box.dir.stat().st_mode) & 0o007 == 0
    assert stat.S_IMODE(own_box.passwords.stat().st_mode) == 0o600
    assert own_box.passwords.stat().st_uid == os.geteuid()
    if os.geteuid() == 0:
        server = (own_box.dir / "data").stat().st_uid
        # A number of its own: nobody is others', too.
        assert server not in {entry.pw_uid for entry in pwd.getpwall()}
        assert own_box.dir.stat().st_gid == (own_box.dir / "data").stat().st_gid


def test_it_listens_on_loopback_only(own_box: Sandbox) -> None:
    lines = [
        line.split()[1]
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        if line.split()[3] == "0A" and line.split()[1].endswith(f":{own_box.port:04X}")
    ]
    assert lines == [f"0100007F:{own_box.port:04X}"]
    assert "listen_addresses = ''\n" in (own_box.dir / "data" / "postgresql.conf").read_text()
    assert "trust" not in (own_box.dir / "data" / "pg_hba.conf").read_text()


def test_each_run_and_each_role_has_a_password_of_its_own(own_box: Sandbox) -> None:
    with Sandbox("gp6") as other:
        words = [box.password(role) for box in (own_box, other) for role in ROLES]
        assert len(set(words)) == len(words)
        with pytest.raises(psycopg2.OperationalError, match="password"):
            psycopg2.connect(**{**other.dsn(), "password": own_box.password("gpadmin")})


def test_no_password_is_on_a_command_line_or_said(own_box: Sandbox) -> None:
    said = json.dumps(own_box.info)
    seen = b"".join(place.read_bytes() for place in Path("/proc").glob("[0-9]*/cmdline") if place.exists())
    for word in (own_box.secret, *(own_box.password(role) for role in ROLES)):
        assert word not in said
        assert word.encode() not in seen


def test_a_kept_folder_keeps_its_passwords(tmp_path: Path) -> None:
    folder = Folder.open(str(tmp_path / "box"))
    secret = folder.keep_secret(["gpadmin"])
    assert Folder.open(str(tmp_path / "box")).keep_secret(["gpadmin"]) == secret
    kept = json.loads(folder.passwords.read_text())
    assert kept == {"secret": secret, "roles": {"gpadmin": password_of(secret, "gpadmin")}}


def test_a_password_is_made_of_the_secret_and_the_role() -> None:
    secret = new_secret()
    assert password_of(secret, "a") == password_of(secret, "a") != password_of(secret, "b")
    assert password_of(secret, "a") != password_of(new_secret(), "a")


def test_root_gives_the_server_to_a_user_that_nobody_else_is() -> None:
    account = Account.choose()
    if os.geteuid() != 0:
        assert (account.uid, account.switched) == (os.geteuid(), False)
        return
    assert account.switched
    assert account.uid not in {entry.pw_uid for entry in pwd.getpwall()}
    assert account.maker is not None
    assert pwd.getpwuid(account.maker.uid)
