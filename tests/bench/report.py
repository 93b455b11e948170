# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page with the results."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import platform
import subprocess
import typing as t
from pathlib import Path

from bench.cases import DEBUG, DIRECT, MODULE, PEER, PEER_BEST, PING, Case

HEAD = """<!--
SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
SPDX-License-Identifier: GPL-3.0-or-later
-->

# What it costs

Written by `make bench`, which measures whole processes of `ansible-playbook` against one embedded engine, the ways of
each case in turns, and checks after each run that the work was done. Medians of {runs} runs, in seconds.

{date}, {machine}; {versions}.

- *direct*: a task of ours with a local connection, which runs in the controller's process.
- *module*: the same task with `gpops_direct: false`, as on a remote host.
- *loop*: `community.postgresql.postgresql_query`, a statement for each object; for looking, one statement.
- *one statement*: the same module with a single statement that signals all, and does not look whether they are gone.
"""
COLUMNS = {
    DIRECT: "direct",
    MODULE: "module",
    PEER: "loop",
    PEER_BEST: "one statement",
    DEBUG: "debug",
    PING: "ping",
}


@dataclasses.dataclass(frozen=True)
class Measured:
    """A case and its medians, by way."""

    case: Case
    medians: dict[str, float]


def table(measured: t.Sequence[Measured], runs: int, programs: Path) -> str:
    """The page in Markdown."""
    head = HEAD.format(
        runs=runs,
        date=dt.datetime.now(dt.UTC).date().isoformat(),
        machine=_machine(),
        versions=_versions(programs),
    )
    rows = [["", *COLUMNS.values()]]
    rows += [[each.case.name, *(_seconds(each.medians.get(way)) for way in COLUMNS)] for each in measured]
    ratios = [["", "compared with", "ratio", "target", ""]]
    for each in measured:
        ratios += _ratios(each)
    return "\n".join([head, *_lines(rows), "", *_lines(ratios), ""])


def _ratios(each: Measured) -> list[list[str]]:
    targets = {(way, other): limit for way, other, limit in each.case.targets}
    rows = []
    pairs = [(way, other) for way in (DIRECT, MODULE) for other in (PEER, PEER_BEST, DEBUG, PING)]
    for way, other in pairs:
        if way not in each.medians or other not in each.medians or (way, other) in ((DIRECT, PING), (MODULE, DEBUG)):
            continue
        ratio = each.medians[way] / each.medians[other]
        limit = targets.get((way, other))
        verdict = "" if limit is None else ("met" if ratio <= limit else "missed")
        name = f"{each.case.name}, {COLUMNS[way]}"
        rows.append([name, COLUMNS[other], _ratio(ratio), "" if limit is None else f"at most {_ratio(limit)}", verdict])
    return rows


def _ratio(value: float) -> str:
    return f"1/{1 / value:.1f}" if value < 0.5 else f"{value:.2f}"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}" if value < 1 else f"{value:.2f}"


def _lines(rows: t.Sequence[t.Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    aligned = "|---|" + "---:|" * (len(rows[0]) - 1)
    return [lines[0], aligned, *lines[1:]]


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB of memory"


def _versions(programs: Path) -> str:
    code = (
        "import importlib.metadata as m, json, platform;"
        "import ansible_collections.community.postgresql as c;"
        "info = json.load(open(list(c.__path__)[0] + '/MANIFEST.json'))['collection_info'];"
        "print(json.dumps({'Python': platform.python_version(), 'ansible-core': m.version('ansible-core'),"
        "'community.postgresql': info['version'], 'psycopg2': m.version('psycopg2-binary')}))"
    )
    done = subprocess.run([programs / "python", "-c", code], capture_output=True, text=True, check=True)
    return ", ".join(f"{name} {version}" for name, version in json.loads(done.stdout).items())
