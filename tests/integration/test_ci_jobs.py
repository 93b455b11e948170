# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The jobs of examples/ci and of the guide, as they stand: in a fresh folder with a clean home.

What is here in place of what a runner has:

- a virtual environment in place of the image or of setup-python; both jobs of a pipeline have the same one,
- the tarball of this checkout in place of gpops.toolkit from Galaxy, put there by an ansible-galaxy on the PATH,
- an inventory whose connection goes to an embedded engine, with the groups of examples/inventories/managed,
- a folder of the test in place of /dev/shm,
- a look whether the file is there in place of the steps that publish it.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import typing as t
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml
from integration.cluster import Client, Cluster, Scene, embedded
from integration.conftest import EXTERNAL
from integration.test_examples import INVENTORIES, ROOT, prepared
from pages.rst import PAGES, blocks

GITLAB = yaml.safe_load((ROOT / "examples" / "ci" / "gitlab-ci.yml").read_text(encoding="utf-8"))
GITHUB = yaml.safe_load((ROOT / "examples" / "ci" / "github-actions.yml").read_text(encoding="utf-8"))
GALAXY = """#!/bin/sh
for word; do
    shift
    [ "$word" = gpops.toolkit ] && word='{tarball}'
    set -- "$@" "$word"
done
exec '{program}' "$@"
"""
VICTIM = "gpops ci"
POLICIES = [{"name": "forgotten", "state": "terminated", "application_names": [VICTIM]}]
# From an exit code of ansible-playbook: a host failed.
A_HOST_FAILED = 2

pytestmark = pytest.mark.skipif(
    EXTERNAL is not None, reason="it declares all groups; it runs on an embedded engine only"
)


@pytest.fixture(scope="module")
def scene() -> t.Iterator[Scene]:
    """An engine of the family of the inventory, with the roles that it names."""
    from sandbox import Sandbox

    with Sandbox(profile="gp6") as box:
        cluster = embedded(box)
        with Scene(cluster) as built, prepared(built):
            yield built


@pytest.fixture
def victim(scene: Scene) -> t.Iterator[Client]:
    """A session that the policies end."""
    client = Client(scene.cluster, scene.cluster.user, name=VICTIM).run("SELECT 1")
    yield client
    client.close()


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """What a runner gives to a job."""
    folder = tmp_path_factory.mktemp("runner")
    exported = subprocess.run(
        [sys.executable, str(ROOT / ".ci" / "export.py"), str(folder / "export")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    build = ["ansible-galaxy", "collection", "build", "--output-path", str(folder)]
    subprocess.run(build, cwd=exported, capture_output=True, check=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    program = folder / "bin" / "ansible-galaxy"
    program.parent.mkdir()
    tarball = next(folder.glob("gpops-toolkit-*.tar.gz"))
    real = folder / "venv" / "bin" / "ansible-galaxy"
    program.write_text(GALAXY.format(tarball=tarball, program=real), encoding="utf-8")
    program.chmod(0o755)
    return Machine(folder)


class Machine:
    """A runner: its programs, and a fresh folder and home for each job."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._jobs = 0

    def job(self, scene: Scene, variables: t.Mapping[str, t.Any]) -> Job:
        """A fresh one."""
        self._jobs += 1
        folder = self._folder / f"job{self._jobs}"
        programs = [str(self._folder / "bin"), str(self._folder / "venv" / "bin"), "/usr/bin", "/bin"]
        return Job(folder, scene, programs, {name: str(value) for name, value in variables.items()})


class Job:
    """A container that is thrown away: what is to last must be in its project folder, where the job says."""

    def __init__(self, folder: Path, scene: Scene, programs: t.Sequence[str], variables: t.Mapping[str, str]) -> None:
        self.project = folder / "project"
        self.shm = folder / "shm"
        for each in (self.project / "inventory", self.shm, folder / "home"):
            each.mkdir(parents=True)
        here = {"HOME": str(folder / "home"), "PATH": os.pathsep.join(programs), "LANG": "C.UTF-8"}
        self._environ = {**pip_settings(), **here, **variables}
        cluster = scene.cluster
        self.password_file = f"{cluster.host}:{cluster.port}:*:{cluster.admin}:{cluster.password(cluster.admin)}"
        self._checkout(cluster)

    def _checkout(self, cluster: Cluster) -> None:
        content = yaml.safe_load((INVENTORIES / "managed" / "hosts.yml").read_text(encoding="utf-8"))
        (host,) = content["all"]["hosts"].values()
        host["gp_connection"] = cluster.login(cluster.admin)
        # It is in the password file.
        del host["gp_connection"]["login_password"]
        text = yaml.safe_dump(content)
        (self.project / "inventory" / "hosts.yml").write_text(text, encoding="utf-8")
        policies = yaml.safe_load((ROOT / "examples" / "ci" / "policies.yml").read_text(encoding="utf-8"))
        policies["gp_remediation_policies"] += POLICIES
        (self.project / "policies.yml").write_text(yaml.safe_dump(policies), encoding="utf-8")

    def sh(self, script: str, environ: t.Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run a script as a runner does."""
        return subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script],
            cwd=self.project,
            env={**self._environ, **(environ or {})},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def handed_on(self) -> dict[str, str]:
        """What a step leaves for the next ones."""
        path = self.project / "github_env"
        return dict(line.split("=", 1) for line in path.read_text("utf-8").splitlines()) if path.exists() else {}

    def failures(self, name: str) -> int:
        """How many a file of JUnit tells."""
        return int(ET.parse(self.project / name).getroot().attrib["failures"])

    def reports(self, folder: str = "reports") -> set[str]:
        """The runbooks of which there are reports."""
        return {path.name.split("-")[0] for path in (self.project / folder).rglob("*.json")}


def pip_settings() -> dict[str, str]:
    """Those of this machine, which the clean home does not have."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    pairs = (line.split("=", 1) for line in lines)
    found = {name.rpartition(".")[2]: str(ast.literal_eval(value)) for name, value in pairs}
    return {f"PIP_{name.upper().replace('-', '_')}": value for name, value in found.items()}


def gitlab(machine: Machine, scene: Scene, name: str) -> tuple[Job, subprocess.CompletedProcess[str]]:
    """A job of the example for GitLab; it is checked that each of its artifacts is there."""
    job = machine.job(scene, GITLAB["variables"])
    # As a runner writes it, readable by all.
    secret = job.shm / "PGPASSFILE"
    secret.write_text(job.password_file + "\n", encoding="utf-8")
    secret.chmod(0o666)
    script = [*GITLAB["default"]["before_script"], *GITLAB[name]["script"]]
    done = job.sh("\n".join(script), {"PGPASSFILE": str(secret)})
    artifacts = GITLAB[name].get("artifacts", {})
    kept = [*artifacts.get("paths", []), *filter(None, [artifacts.get("reports", {}).get("junit")])]
    missing = [path for path in kept if not (job.project / path).exists()]
    assert missing == [], done.stdout + done.stderr
    return job, done


def test_the_pipeline_of_gitlab(machine: Machine, scene: Scene, victim: Client) -> None:
    job, done = gitlab(machine, scene, "drift")
    assert done.returncode == A_HOST_FAILED, done.stdout + done.stderr
    assert job.failures("drift/drift.xml") > 0
    job, done = gitlab(machine, scene, "report")
    assert done.returncode == 0, done.stdout + done.stderr
    assert job.reports() == {"triage", "remediate"}
    assert is_there(scene, victim)
    job, done = gitlab(machine, scene, "enforce")
    assert done.returncode == 0, done.stdout + done.stderr
    assert job.reports() == {"remediate"}
    assert not is_there(scene, victim)
    job, done = gitlab(machine, scene, "apply")
    assert done.returncode == 0, done.stdout + done.stderr
    job, done = gitlab(machine, scene, "drift")
    assert done.returncode == 0, done.stdout + done.stderr
    assert job.failures("drift/drift.xml") == 0


def is_there(scene: Scene, client: Client) -> bool:
    return bool(scene.sql("SELECT 1 FROM pg_catalog.pg_stat_activity WHERE pid = %s", (client.pid,)))


def github(machine: Machine, scene: Scene, name: str, action: str = "look") -> tuple[Job, str, str]:
    """A job of the example for GitHub: the job, the step that failed, if any, and all that was said."""
    job = machine.job(scene, GITHUB["env"])
    moved: dict[str, str] = {"GITHUB_ENV": str(job.project / "github_env")}
    failed, said = "", ""
    for step in GITHUB["jobs"][name]["steps"]:
        if not runs(step.get("if", ""), action, bool(failed)):
            continue
        if "uses" in step:
            published(job, step, said)
            continue
        given = step.get("env", {})
        secret = {key: value.replace("${{ secrets.PGPASS }}", job.password_file) for key, value in given.items()}
        done = job.sh(step["run"].replace("/dev/shm", str(job.shm)), {**secret, **moved})
        moved |= job.handed_on()
        said += done.stdout + done.stderr
        if done.returncode:
            failed = failed or step["name"]
    return job, failed, said


def runs(condition: str, action: str, failed: bool) -> bool:
    """Whether a step with this condition runs."""
    parts = {part for part in condition.split(" && ") if part}
    return (not failed or "always()" in parts) and parts <= {"always()", f"inputs.action == '{action}'"}


def published(job: Job, step: t.Mapping[str, t.Any], said: str) -> None:
    """A step of somebody else; what it publishes must be there."""
    action, options = step["uses"].partition("@")[0], step.get("with", {})
    kept = {"mikepenz/action-junit-report": "report_paths", "actions/upload-artifact": "path"}
    if action in kept:
        assert (job.project / options[kept[action]]).exists(), said
    else:
        assert action in {"actions/checkout", "actions/setup-python"}


def test_the_workflow_of_github(machine: Machine, scene: Scene, victim: Client) -> None:
    scene.keep_default_group()
    scene.sql("ALTER RESOURCE GROUP default_group SET concurrency 7")
    job, failed, said = github(machine, scene, "look")
    assert failed in {"", "Drift"}, said
    assert job.failures("drift/drift.xml") == bool(failed)
    assert job.reports() == {"triage", "remediate"}
    assert is_there(scene, victim)
    job, failed, said = github(machine, scene, "act", "enforce")
    assert failed == "", said
    assert job.reports() == {"remediate"}
    assert not is_there(scene, victim)
    job, failed, said = github(machine, scene, "act", "apply")
    assert failed == "", said
    job, failed, said = github(machine, scene, "look")
    assert failed == "", said
    assert job.failures("drift/drift.xml") == 0


def test_the_commands_of_the_guide(machine: Machine, scene: Scene, victim: Client) -> None:
    scene.sql("ALTER RESOURCE GROUP default_group SET cpu_rate_limit 19")
    job = machine.job(scene, {})
    secret = job.shm / "pgpass"
    secret.write_text(job.password_file, encoding="utf-8")
    secret.chmod(0o600)
    commands = [
        line.removeprefix("$ ")
        for block in blocks(PAGES / "ci.rst")
        if block.language == "console"
        for line in block.text.splitlines()
    ]
    assert len(commands) > 5
    ended = False
    for command in commands:
        done = job.sh(command, {"PGPASSFILE": str(secret)})
        fails = "resource_groups_drift" in command
        assert done.returncode == (A_HOST_FAILED if fails else 0), command + done.stdout + done.stderr
        ended = ended or "enforce" in command
        assert is_there(scene, victim) is not ended
    assert job.failures("drift/drift.xml") > 0
    assert job.reports() == {"triage", "remediate"}
