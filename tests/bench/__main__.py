# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""make bench: our tasks, those of community.postgresql that do the same, and tasks that do nothing, in one run.

python tests/bench [WORD OF A CASE]...

Whole processes of ansible-playbook on one embedded engine, one after the other, the ways of a case taking turns.
BENCH_RUNS says how often (5). With BENCH_CLOCK=cpu it counts the CPU time of the controller and its modules instead,
which tells something on a busy machine too, but leaves out the server. The table goes to docs/benchmarks.md, unless
only some cases ran, or by the CPU.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.cases import CASES, DIRECT, MODULE, Case, Stage, drop_groups, host_name
from bench.report import Measured, table
from integration.cluster import Cluster, embedded
from sandbox import Sandbox

ROOT = Path(__file__).resolve().parent.parent.parent
BIN = ROOT / ".cache" / "bench" / "bin"
PAGE = ROOT / "docs" / "benchmarks.md"
PROFILE = Path(__file__).resolve().parent / "profile.md"
RUNS = int(os.environ.get("BENCH_RUNS", "5"))
CPU = os.environ.get("BENCH_CLOCK") == "cpu"


def now() -> float:
    """Seconds; by choice those that ended children have spent on the CPU, which hardly depend on what else runs."""
    if not CPU:
        return time.perf_counter()
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


class Runner:
    """Writes playbooks and inventories, and runs them."""

    def __init__(self, folder: Path, cluster: Cluster) -> None:
        self._folder = folder
        self._cluster = cluster

    def inventory(self, hosts: int) -> Path:
        """All hosts are the one engine."""
        path = self._folder / f"hosts-{hosts}.json"
        names: dict[str, t.Any] = {host_name(number): {} for number in range(hosts)}
        variables = {"ansible_connection": "local", "ansible_python_interpreter": str(BIN / "python")}
        path.write_text(json.dumps({"all": {"hosts": names, "vars": variables}}), encoding="utf-8")
        return path.rename(path.with_suffix(".yml"))

    def playbook(self, tasks: t.Sequence[dict[str, t.Any]]) -> Path:
        """A playbook of these tasks, with the login as their default."""
        login = self._cluster.login(self._cluster.ops)
        altering = any("gp_resource_group" in str(task) or "ALTER RESOURCE" in str(task) for task in tasks)
        if altering:
            login = self._cluster.login(self._cluster.admin)
        defaults = {"group/gpops.toolkit.gp": login, "community.postgresql.postgresql_query": login}
        play = {"hosts": "all", "gather_facts": False, "module_defaults": defaults, "tasks": list(tasks)}
        path = self._folder / "playbook.yml"
        path.write_text(json.dumps([play]), encoding="utf-8")
        return path

    def seconds(self, tasks: t.Sequence[dict[str, t.Any]], hosts: int, direct: bool) -> float:
        """How long ansible-playbook takes; it must succeed."""
        command = [str(BIN / "ansible-playbook"), "-i", str(self.inventory(hosts)), str(self.playbook(tasks))]
        environ = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "live"),
            "ANSIBLE_HOME": str(self._folder / "home"),
            "ANSIBLE_REMOTE_TMP": str(self._folder / "remote"),
            "ANSIBLE_NOCOWS": "1",
            "GPOPS_DIRECT": str(direct),
        }
        start = now()
        done = subprocess.run(command, capture_output=True, text=True, cwd=self._folder, env=environ, check=False)
        elapsed = now() - start
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return elapsed


def measure(case: Case, stage: Stage, runner: Runner) -> Measured:
    """The ways of a case in turns."""
    found: dict[str, list[float]] = {way: [] for way in case.ways}
    for number in range(RUNS):
        # The other way round each time: what one leaves to the next favours nobody.
        for way, tasks in list(case.ways.items())[:: 1 if number % 2 == 0 else -1]:
            found[way].append(_run(case, way, tasks, stage, runner))
        print(f"{case.name}: {number + 1} of {RUNS}", file=sys.stderr, flush=True)
    return Measured(case, {way: statistics.median(values) for way, values in found.items()})


def _run(case: Case, way: str, tasks: list[dict[str, t.Any]], stage: Stage, runner: Runner) -> float:
    case.prepare(stage)
    seconds = runner.seconds(tasks, case.hosts, way != MODULE)
    case.verify(stage, way)
    if way in case.base:
        seconds -= runner.seconds(case.base[way], case.hosts, way != MODULE)
    return seconds / case.more_tasks


def _profile() -> str:
    """What takes the time, without the licence that the page has already."""
    return PROFILE.read_text(encoding="utf-8").partition("-->\n\n")[2]


def main(words: t.Sequence[str]) -> int:
    """Measure, print, and write the page."""
    chosen = [case for case in CASES if not words or any(word in case.name for word in words)]
    with (
        tempfile.TemporaryDirectory(prefix="gpops-bench") as folder,
        Sandbox(profile="gp6", max_connections=400) as box,
    ):
        cluster = embedded(box)
        stage, runner = Stage(cluster), Runner(Path(folder), cluster)
        # What is done once, such as compiling and caching, is in no measurement.
        for case in chosen:
            for way in (way for way in case.ways if way in (DIRECT, MODULE)):
                case.prepare(stage)
                runner.seconds(case.ways[way][:1], case.hosts, way != MODULE)
        measured = [measure(case, stage, runner) for case in chosen]
        stage.open(0)
        drop_groups(stage)
    text = table(measured, RUNS, BIN)
    print(text)
    if not words and not CPU:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(f"{text}\n{_profile()}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
