# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reports, notes and JUnit files where other users of the machine can reach: refused before anything is sent."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import typing as t
from pathlib import Path

import pytest
from integration.cluster import Cluster, Scene
from integration.conftest import EXTERNAL
from integration.playbook import ansible_environment, output, play, run_playbook

OTHER = 4242
# Nobody listens there: whatever asks a server says so.
NOWHERE = {"login_host": "127.0.0.1", "login_port": 1}
ASKED = "port 1"


@pytest.fixture(params=["everybody", "another user", "a link"])
def bad(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    """A folder that somebody else could steer, and what is said of it."""
    folder = tmp_path / "bad"
    folder.mkdir()
    if request.param == "everybody":
        folder.chmod(0o777)
        return folder, "everybody may write there"
    if request.param == "a link":
        (tmp_path / "link").symlink_to(folder)
        return tmp_path / "link", "it is a link"
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder to another user")
    os.chown(folder, OTHER, OTHER)
    return folder, "it belongs to another user (4242)"


def run(playbook: str, tmp_path: Path, settings: t.Mapping[str, t.Any], host: str = "gp") -> str:
    """What it says, of a cluster where nobody answers; it fails."""
    inventory = {"all": {"hosts": {host: {"ansible_connection": "local", "gp_connection": NOWHERE}}}}
    done = run_playbook(playbook, inventory, tmp_path, "-e", json.dumps(settings))
    assert done.returncode != 0
    return " ".join(output(done).split())


@pytest.mark.parametrize("playbook", ["triage", "remediate", "quiesce", "boost_group_window"])
def test_a_report_folder_of_others_is_refused(tmp_path: Path, bad: tuple[Path, str], playbook: str) -> None:
    folder, words = bad
    settings = {
        "gp_remediation_report_dir": str(folder),
        "gp_remediation_state_dir": str(tmp_path / "state"),
        "gp_remediation_policies": [],
        "gp_remediation_group": "g",
        "gp_remediation_boost": {},
        "gp_remediation_databases": ["d"],
    }
    said = run(f"gpops.toolkit.{playbook}", tmp_path, settings)
    assert f"gp_remediation_report_dir: the folder {folder} is not taken: {words}" in said
    assert ASKED not in said
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("mode", ["report", "enforce"])
@pytest.mark.parametrize("playbook", ["reopen", "quiesce", "boost_group_window"])
def test_a_folder_of_notes_of_others_is_refused(
    tmp_path: Path, bad: tuple[Path, str], playbook: str, mode: str
) -> None:
    folder, words = bad
    (folder / "gp").mkdir()
    (folder / "gp" / "quiesce.json").write_text('{"changes": []}')
    settings = {
        "gp_remediation_mode": mode,
        "gp_remediation_report_dir": "",
        "gp_remediation_state_dir": str(folder),
        "gp_remediation_group": "g",
        "gp_remediation_boost": {},
        "gp_remediation_databases": ["d"],
    }
    said = run(f"gpops.toolkit.{playbook}", tmp_path, settings)
    assert f"gp_remediation_state_dir: the folder {folder} is not taken: {words}" in said
    assert ASKED not in said


@pytest.mark.parametrize("how", ["writable", "another user's", "a link"])
def test_a_note_of_others_is_not_trusted(tmp_path: Path, how: str) -> None:
    state = tmp_path / "state" / "gp"
    state.mkdir(parents=True)
    note = state / "quiesce.json"
    note.write_text('{"changes": [{"name": "d", "before": {"connection_limit": 7}, "set": {"connection_limit": 0}}]}')
    if how == "writable":
        note.chmod(0o666)
    elif how == "a link":
        note.rename(tmp_path / "note")
        note.symlink_to(tmp_path / "note")
    elif os.geteuid() == 0:
        os.chown(note, OTHER, OTHER)
    else:
        pytest.skip("only root can give a file to another user")
    settings = {"gp_remediation_report_dir": "", "gp_remediation_state_dir": str(tmp_path / "state")}
    said = run("gpops.toolkit.reopen", tmp_path, settings)
    assert f"gp_remediation_state_dir: {note} is not trusted: " in said
    assert ASKED not in said


def test_a_junit_file_is_not_written_to_others(tmp_path: Path, bad: tuple[Path, str]) -> None:
    folder, words = bad
    settings = {"gp_resource_groups_junit": f"{folder}/drift.xml", "gp_resource_groups_desired": []}
    said = run("gpops.toolkit.resource_groups_drift", tmp_path, settings)
    assert f"gp_resource_groups_junit: the folder {folder} is not taken: {words}" in said
    assert ASKED not in said


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o1777])
def test_a_junit_file_changes_no_folder_and_follows_no_link(tmp_path: Path, mode: int) -> None:
    secret = tmp_path / "secret"
    secret.write_text("mine")
    secret.chmod(0o600)
    folder = tmp_path / "there"
    folder.mkdir()
    folder.chmod(mode)
    (folder / "drift.xml").symlink_to(secret)
    settings: dict[str, t.Any] = {
        "gp_resource_groups_junit": f"{folder}/drift.xml",
        "gp_resource_groups_desired": [{"name": "g"}],
    }
    said = run("gpops.toolkit.resource_groups_drift", tmp_path, settings)
    assert "could not be examined: " in said
    assert stat.S_IMODE(folder.stat().st_mode) == mode
    assert secret.read_text() == "mine"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    written = folder / "drift.xml"
    assert not written.is_symlink()
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    run("gpops.toolkit.resource_groups_drift", tmp_path, {**settings, "gp_resource_groups_junit_mode": "0644"})
    assert stat.S_IMODE(written.stat().st_mode) == 0o644


@pytest.mark.skipif(EXTERNAL is not None, reason="it is about names of hosts, not about an engine")
@pytest.mark.parametrize("cluster", ["gp6"], indirect=True)
@pytest.mark.parametrize("host", ["../../escaped", "a/../../../escaped", "-rf", "x" * 300])
def test_a_name_of_a_host_stays_inside(cluster: Cluster, scene: Scene, tmp_path: Path, host: str) -> None:
    work = tmp_path / "a" / "b" / "work"
    work.mkdir(parents=True)
    variables = {"ansible_connection": "local", "gp_connection": cluster.login(cluster.admin)}
    settings = {
        "gp_remediation_mode": "enforce",
        "gp_remediation_group": scene.group(cluster.user),
        "gp_remediation_boost": {"concurrency": 5},
        "gp_remediation_report_dir": "reports",
        "gp_remediation_state_dir": "state",
    }
    inventory = {"all": {"hosts": {host: variables}}}
    before = outside(tmp_path, work)
    done = run_playbook("gpops.toolkit.boost_group_window", inventory, work, "-e", json.dumps(settings))
    assert done.returncode == 0, output(done)
    for folder, name in (("reports", "boost_group_window-*.json"), ("state", "boost_group_window.*.json")):
        (found,) = (work / folder).glob(f"*/{name}")
        assert stat.S_IMODE(found.stat().st_mode) == 0o600
    assert outside(tmp_path, work) == before
    # And it is found again.
    restored = json.dumps({**settings, "gp_remediation_restore": True})
    done = run_playbook("gpops.toolkit.boost_group_window", inventory, work, "-e", restored)
    assert done.returncode == 0, output(done)
    assert list((work / "state").glob("*/*.json")) == []


def outside(tmp_path: Path, work: Path) -> set[Path]:
    return {path for path in tmp_path.rglob("*") if work not in path.parents}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can look as another user")
def test_nobody_else_reads_a_report(tmp_path: Path) -> None:
    done = subprocess.run(
        ["ansible", "localhost", "-m", "gpops.toolkit.gp_report", "-a", f"dest={tmp_path}/r folder=h name=x"],
        env=ansible_environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [tmp_path / "r", *(tmp_path / "r").rglob("*")]}
    assert modes == {"r": 0o700, "h": 0o700, "x.json": 0o600, "x.html": 0o600}


def test_the_runbooks_go_on_as_before(cluster: Cluster, scene: Scene, tmp_path: Path) -> None:
    """A state folder as it usually is: made by the first run, and the note in it is taken by the next."""
    settings = {
        "gp_remediation_mode": "enforce",
        "gp_remediation_group": scene.group(cluster.user),
        "gp_remediation_boost": {"concurrency": 5},
        "gp_remediation_state_dir": str(tmp_path / "state"),
        "gp_remediation_report_dir": "",
    }
    for restore in (False, True):
        more = json.dumps({**settings, "gp_remediation_restore": restore})
        done = play("gpops.toolkit.boost_group_window", cluster, tmp_path, "-e", more)
        assert done.returncode == 0, output(done)
        assert bool(list((tmp_path / "state").rglob("*.json"))) is not restore
