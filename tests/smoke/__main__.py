# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""make smoke: real playbooks with each ansible-core that is supported, and with the next, both ways.

python tests/smoke [CORE]...      all, or those whose version begins so

.ci/cores.py has the versions and says how to raise them. Each core runs on one Python, together on as many as this
machine has. The next one may fail: that is said, and does not fail the run.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import json
import os
import secrets
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / ".ci")]

import cores
from integration.cluster import EMBEDDED, Scene, embedded
from psycopg2 import sql
from sandbox import Sandbox

HERE = Path(__file__).resolve().parent
ROLE = "smoke_ops"
PASSWORD = f"s3cret-Of-Nobody-{secrets.token_hex(8)}"
FAMILIES = EMBEDDED
WAYS = ("direct", "module")
# As many at once as there are cores to run them.
WORKERS = 2
# It goes on after a cancel.
STUBBORN = """DO $$ BEGIN LOOP
  BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END;
END LOOP; END $$"""
# None of this may be anywhere in what Ansible says.
UNWANTED = ("Malformed", "Traceback (most recent call last)", "DEPRECATION WARNING", "REDACTED", PASSWORD)
# What a result has beside the module's own: some cores, and some ways, have it.
OF_ANSIBLE = {"ansible_parsed", "exception", "failed_when_result", "failed_when_suppressed_exception", "invocation"}


class SmokeError(Exception):
    """What is not as it should be."""


@dataclasses.dataclass(frozen=True)
class Run:
    """One core on one Python.

    Attributes:
        core: Its version.
        program: The interpreter, None if this machine has none for it.
        family: The engine that it runs against.
    """

    core: str
    program: Path | None
    family: str


@dataclasses.dataclass(frozen=True)
class Place:
    """Where one way of one run works."""

    python: Path
    folder: Path
    scene: Scene
    way: str

    def play(self, *arguments: str, status: int = 0) -> str:
        """Run ansible-playbook with all that it has to say; what it said."""
        cluster = self.scene.cluster
        connection = {**cluster.login(ROLE), "login_password": PASSWORD}
        host = {
            "ansible_connection": "local",
            "ansible_python_interpreter": str(self.python),
            "gp_connection": connection,
            "gpops_direct": self.way == "direct",
            "smoke_way": self.way,
            "smoke_reports": str(self.folder),
        }
        inventory = self.folder / "inventory.json"
        inventory.write_text(json.dumps({"all": {"hosts": {"gp": host}}}), encoding="utf-8")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "ANSIBLE_"))}
        own = {
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "live"),
            "ANSIBLE_HOME": str(self.folder / "home"),
            "ANSIBLE_INJECT_INVOCATION": "true",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_REMOTE_TMP": str(self.folder / "remote"),
            "NO_COLOR": "1",
            "PATH": os.pathsep.join([str(self.python.parent), inherited.get("PATH", os.defpath)]),
            "XDG_STATE_HOME": str(self.folder / "state"),
        }
        command = [str(self.python.parent / "ansible-playbook"), "-vvv", "-i", str(inventory), *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env={**inherited, **own}, capture_output=True, text=True, timeout=300, check=False
        )
        said = done.stdout + done.stderr
        if done.returncode != status:
            raise SmokeError(f"{' '.join(arguments)} ended with {done.returncode}, not {status}\n{said[-6000:]}")
        for text in UNWANTED:
            if text in said:
                at = said.index(text)
                raise SmokeError(f"{' '.join(arguments)} says {text!r}\n{said[max(0, at - 1500) : at + 1500]}")
        return said

    def client(self, name: str, *statements: str) -> None:
        """A session called smoke NAME."""
        self.scene.client(self.scene.cluster.user, name=f"smoke {name}").run(*statements)

    def is_there(self, name: str) -> bool:
        """Whether there is such a session."""
        statement = "SELECT 1 FROM pg_catalog.pg_stat_activity WHERE application_name = %s"
        return bool(self.scene.sql(statement, (f"smoke {name}",)))


def demand(condition: object, what: str) -> None:
    """Raise SmokeError unless it is so."""
    if not condition:
        raise SmokeError(what)


def modules(place: Place) -> None:
    """Each module, and what Ansible makes of their results."""
    place.client("list", "SELECT '{{ 3 + 4 }}'")
    for _number in range(2):
        place.client("kill", "SELECT 1")
    place.client("policy", "SELECT 1")
    stubborn = place.scene.client(place.scene.cluster.user, name="smoke stubborn").start(STUBBORN)
    place.scene.state(stubborn, "active")
    try:
        said = place.play(str(HERE / "tasks.yml"))
    finally:
        place.scene.sql("SELECT pg_catalog.pg_terminate_backend(%s)", (stubborn.pid,))
    in_place = "runs in the process of the controller"
    as_module = "runs as a module: gpops_direct is off"
    ways = [way for way, words in zip(WAYS, (in_place, as_module), strict=True) if words in said]
    demand(ways == [place.way], f"it ran these ways: {ways}")
    for shown in (str(place.scene.cluster.port), place.scene.cluster.database, str(place.folder / "smoke.html")):
        demand(shown in said, f"{shown} is not shown")
    demand(place.is_there("list") and not place.is_there("kill") and not place.is_there("policy"), "who was to end")


def runbooks(place: Place) -> None:
    """Two that succeed and one that fails after it has acted; what they say and write."""
    place.client("reap", "BEGIN", "SELECT 1")
    enforce = ("-e", json.dumps({"gp_remediation_mode": "enforce"}))
    reports = ("-e", json.dumps({"gp_remediation_report_dir": str(place.folder / "reports")}))
    reap = ("-e", json.dumps({"gp_remediation_min_state_age": 0}))
    place.play("gpops.toolkit.triage", "gpops.toolkit.reap_idle_in_transaction", *enforce, *reports, *reap)
    demand(not place.is_there("reap"), "the idle transaction is still there")
    place.client("fail", "SELECT 1")
    policies = [
        {"name": "done", "state": "terminated", "application_names": ["smoke fail"]},
        {"name": "refused", "state": "terminated", "application_names": ["smoke list"], "max_victims": 0},
    ]
    place.play(
        "gpops.toolkit.remediate",
        *enforce,
        *reports,
        "-e",
        json.dumps({"gp_remediation_policies": policies}),
        status=2,
    )
    demand(not place.is_there("fail") and place.is_there("list"), "the policy that may act did not")
    written = {path.name: path for path in (place.folder / "reports").rglob("*.json")}
    failed = [path for name, path in written.items() if name.startswith("remediate-")]
    demand(len(failed) == 1, f"not one report of the one that failed: {sorted(written)}")
    told = json.loads(failed[0].read_text(encoding="utf-8"))["remediation"]
    outcomes = [policy["outcome"] for policy in told["policies"]]
    demand(told["changed"] is True and told["failed"] is True, f"its report says changed: {told['changed']}")
    demand([victim["outcome"] for victim in told["victims"]][:1] == ["terminated"], f"victims: {told['victims']}")
    demand(outcomes == ["done", "refused"], f"outcomes: {outcomes}")


def drift(place: Place) -> None:
    """It fails, and the file says why."""
    desired = {"gp_resource_groups_desired": [{"name": "default_group", "concurrency": 33}]}
    wanted = ("-e", json.dumps(desired), "-e", json.dumps({"gp_resource_groups_junit": "drift.xml"}))
    place.play("gpops.toolkit.resource_groups_drift", *wanted, status=2)
    suites = ET.parse(place.folder / "drift.xml").getroot()
    demand(suites.attrib["failures"] == "1", f"failures in drift.xml: {suites.attrib['failures']}")
    said = place.play("gpops.toolkit.resource_groups", *wanted, "--check", "--diff")
    demand("concurrency: 33" in said or '"concurrency": 33' in said, "the difference is not shown")


def shape(value: t.Any) -> t.Any:
    """Of which parts and types a value is."""
    if isinstance(value, dict):
        own = {name: part for name, part in value.items() if name not in OF_ANSIBLE and not name.startswith("_ansible")}
        return {name: shape(part) for name, part in own.items()}
    return [shape(part) for part in value] if isinstance(value, list) else type(value).__name__


def one_way(python: Path, scene: Scene, way: str) -> t.Any:
    """Everything, this way; the results as they were registered."""
    with tempfile.TemporaryDirectory(prefix="gpops-smoke-") as folder, contextlib.ExitStack() as stack:
        scene.keep_default_group()
        # Sessions of this way end with it.
        mine = stack.enter_context(Scene(scene.cluster))
        place = Place(python, Path(folder).resolve(), mine, way)
        modules(place)
        runbooks(place)
        drift(place)
        scene.sql("ALTER RESOURCE GROUP default_group SET concurrency 20")
        return json.loads((place.folder / "results.json").read_text(encoding="utf-8"))


def run(what: Run) -> dict[str, str]:
    """What came of each way, ok or what is wrong."""
    if what.program is None:
        return dict.fromkeys(WAYS, "left out: no Python for it")
    found: dict[str, t.Any] = {}
    outcome = dict.fromkeys(WAYS, "not run")
    try:
        python = cores.environment(what.core, what.program)
        with Sandbox(profile=what.family) as box:
            cluster = embedded(box)
            with Scene(cluster) as scene:
                create = sql.SQL("CREATE ROLE {} LOGIN SUPERUSER PASSWORD {}")
                scene.sql(create.format(sql.Identifier(ROLE), sql.Literal(PASSWORD)))
                for way in WAYS:
                    found[way] = one_way(python, scene, way)
                    outcome[way] = "ok"
    except (SmokeError, AssertionError, OSError, subprocess.SubprocessError) as error:
        outcome[next(way for way in WAYS if outcome[way] == "not run")] = f"{type(error).__name__}: {error}"
        return outcome
    for name in found[WAYS[0]]:
        one, other = (shape(found[way][name]) for way in WAYS)
        if one != other:
            outcome[WAYS[1]] = f"{name} differs from the other way:\n{one}\n{other}"
    return outcome


def main(wanted: list[str]) -> int:
    """Run all of them and say what came of it."""
    both = {**cores.CORES, **cores.NEXT}
    programs = cores.programs(both)
    chosen = [core for core in both if not wanted or core.startswith(tuple(wanted))]
    runs = [Run(core, programs[core], FAMILIES[number % len(FAMILIES)]) for number, core in enumerate(chosen)]
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        outcomes = dict(zip(runs, pool.map(run, runs), strict=True))
    for each, outcome in outcomes.items():
        for way, said in outcome.items():
            if said != "ok":
                print(f"\nsmoke: ansible-core {each.core}, {way}: {said}")
    return table(outcomes)


def table(outcomes: t.Mapping[Run, t.Mapping[str, str]]) -> int:
    """Print what ran on what; 1 if one failed that must not."""
    print(f"\n{'smoke: ansible-core':<22}{'Python':<10}{'engine':<8}" + "".join(f"{way:<10}" for way in WAYS))
    status = 0
    for each, outcome in outcomes.items():
        python = "none" if each.program is None else each.program.name.removeprefix("python")
        words = ["ok" if said == "ok" else said.split(":")[0] for said in outcome.values()]
        words = ["FAILED" if word not in {"ok", "left out", "not run"} else word for word in words]
        may_fail = each.core in cores.NEXT
        line = f"{each.core:<22}{python:<10}{each.family:<8}" + "".join(f"{word:<10}" for word in words)
        print(line + "the next one, which may fail" * may_fail)
        if not may_fail and "FAILED" in words:
            status = 1
    used = {each.program.name.removeprefix("python") for each in outcomes if each.program}
    fitting = sorted({version for versions in [*cores.CORES.values(), *cores.NEXT.values()] for version in versions})
    unused = [version for version in fitting if version not in used]
    print("smoke: nothing ran on Python", ", ".join(unused) or "(all were used)")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
