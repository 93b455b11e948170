# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""make bench-locks: the listing beside a big lock table, and a count of that table, in turns.

make bench-locks FAMILIES="gp6 gp7"

On embedded engines of these families, or on the cluster that GPOPS_TEST_HOST and so on name, see
tests/integration/cluster.py. BENCH_RUNS says how often (5). The figures of an engine replace those of its last run in
locks.json; the page docs/benchmarks_locks.md is all of them. With BENCH_ROWS="1000 50000" it measures these sizes only
and writes nothing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import json
import os
import platform
import statistics
import sys
import time
import typing as t
from pathlib import Path

import psycopg2.errors
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import gp_process_info
from bench import locks_report
from integration.cluster import Cluster, Scene, embedded, from_environment
from integration.run_module import run_measured
from sandbox import Sandbox

FOLDER = Path(__file__).resolve().parent
FIGURES = FOLDER / "locks.json"
NOTES = FOLDER / "locks.md"
PAGE = FOLDER.parent.parent / "docs" / "benchmarks_locks.md"
RUNS = int(os.environ.get("BENCH_RUNS", "5"))
SIZES = [1_000, 50_000, 120_000, 1_000_000]
FAMILIES = ["gp6", "gp7"]
COUNT = "SELECT count(*) FROM pg_catalog.pg_locks"
ROLES = {"superuser": "admin", "mdb_admin": "ops", "ordinary": "user"}


@dataclasses.dataclass(frozen=True)
class Jam:
    """Who holds up whom, as each listing must say."""

    holder: int
    waiter: int

    def check(self, result: t.Mapping[str, t.Any]) -> None:
        """Raise if the listing is wrong."""
        assert not result.get("failed"), result
        records = {record["pid"]: record for record in result["processes"]}
        found = (records[self.waiter]["blocked_by"], records[self.holder]["blocks"])
        assert found == ([self.holder], [self.waiter]), (found, self, result.get("warnings"))


def counted(cluster: Cluster, role: str) -> int:
    """What a user would run."""
    with contextlib.closing(cluster.connect(role)) as session, session.cursor() as cursor:
        cursor.execute(COUNT)
        return int(cursor.fetchall()[0][0])


def validated(login: dict[str, t.Any]) -> dict[str, t.Any]:
    """The options as the operation gets them from Ansible."""
    found = ArgumentSpecValidator(gp_process_info.DEFINITION.argument_spec).validate(login)
    assert not found.error_messages, found.error_messages
    return t.cast("dict[str, t.Any]", found.validated_parameters)


class Meter:
    """The ways as one role, in turns."""

    def __init__(self, cluster: Cluster, role: str, jam: Jam) -> None:
        self._cluster, self._role, self._jam = cluster, role, jam
        self._login = cluster.login(role)
        self._seconds: dict[str, list[float]] = {"count": [], "listing": [], "module": []}
        self._megabytes: list[float] = []
        self._rows: list[int] = []

    def _count(self) -> None:
        self._rows.append(counted(self._cluster, self._role))

    def _list(self) -> None:
        result, warnings = gp_process_info.run(validated(self._login))
        assert not any("blocked_by" in warning for warning in warnings), warnings
        self._jam.check(result)

    def _module(self) -> None:
        result, megabytes = run_measured("gp_process_info", self._login)
        self._jam.check(result)
        self._megabytes.append(megabytes)

    def measure(self, name: str) -> locks_report.Line:
        """The medians."""
        ways = {"count": self._count, "listing": self._list, "module": self._module}
        for number in range(-1, RUNS):  # the first turn, which fills caches, does not count
            # The other way round each time: what one leaves to the next favours nobody.
            for way in list(ways)[:: 1 if number % 2 == 0 else -1]:
                start = time.perf_counter()
                ways[way]()
                if number >= 0:
                    self._seconds[way].append(time.perf_counter() - start)
        medians = {way: round(statistics.median(values), 4) for way, values in self._seconds.items()}
        rows = int(statistics.median(self._rows))
        swing = round(_swing(self._seconds["count"]), 2)
        return locks_report.Line(rows=rows, role=name, megabytes=round(max(self._megabytes), 1), swing=swing, **medians)


def _swing(values: t.Sequence[float]) -> float:
    """How far the middle half of the values is from their median, as a part of it."""
    median = statistics.median(values)
    quarters = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [median]
    return max(abs(value - median) for value in quarters) / median


def measure(cluster: Cluster, name: str, sizes: t.Iterable[int]) -> locks_report.Engine:
    """All sizes as all roles."""
    lines: list[locks_report.Line] = []
    left_out: list[str] = []
    load = 0.0
    for size in sizes:
        with Scene(cluster) as scene:
            holder, waiter = scene.jam("gpops_bench_table")
            try:
                scene.many_locks(size)
            except psycopg2.errors.OutOfMemory as error:
                left_out.append(f"{size:,} rows, of which the engine holds fewer ({str(error).splitlines()[0]})")
            for label, attribute in ROLES.items():
                meter = Meter(cluster, getattr(cluster, attribute), Jam(holder.pid, waiter.pid))
                lines.append(meter.measure(label))
                load = max(load, os.getloadavg()[0])
                print(f"{name}: {lines[-1]}, {'met' if lines[-1].is_met else 'missed'}", file=sys.stderr, flush=True)
    return locks_report.Engine(
        name=name,
        when=dt.datetime.now(dt.UTC).date().isoformat(),
        machine=_machine(),
        runs=RUNS,
        load=round(load, 1),
        lines=tuple(lines),
        left_out=tuple(left_out),
    )


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB of memory"


def _real_name(cluster: Cluster) -> str:
    """The family and version of a cluster, as every result tells them."""
    engine = gp_process_info.run(validated({**cluster.login(cluster.admin), "fields": ["pid"]}))[0]["engine"]
    return f"Real cluster, {engine['family']} {engine['version'].split('+')[0]}"


def engines(families: t.Sequence[str]) -> t.Iterator[tuple[Cluster, str]]:
    """The cluster of the environment, or embedded engines one after the other; and what to call them."""
    real = from_environment()
    if real:
        yield real, _real_name(real)
        return
    for family in families:
        with Sandbox(profile=family, max_connections=400) as box:
            cluster = embedded(box)
            yield cluster, f"Embedded engine, {family}"


def _known() -> dict[str, locks_report.Engine]:
    """What was measured before, by name."""
    data = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else []
    return {each["name"]: locks_report.from_data(each) for each in data}


def page() -> str:
    """The page with all that is kept."""
    return locks_report.page(_known().values(), _notes())


def _notes() -> str:
    """What the page says besides, without the licence that it has already."""
    return NOTES.read_text(encoding="utf-8").partition("-->\n\n")[2]


def keep(found: t.Iterable[locks_report.Engine]) -> None:
    """Keep the figures, and make the page of all that are kept."""
    kept = {**_known(), **{each.name: each for each in found}}
    data = [locks_report.as_data(kept[name]) for name in sorted(kept)]
    FIGURES.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")


def main(families: t.Sequence[str]) -> int:
    """Measure, print, and write the page."""
    sizes = [int(word) for word in os.environ.get("BENCH_ROWS", "").split()]
    found = []
    for cluster, name in engines(families or FAMILIES):
        found.append(measure(cluster, name, sizes or SIZES))
        if not sizes:
            keep(found)
    print("\n".join(locks_report.section(each) for each in found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
