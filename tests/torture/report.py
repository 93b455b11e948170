# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes docs/torture.md from the figures of the full form and the findings beside this file.

python tests/torture/report.py
"""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import typing as t
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
REPORT = FOLDER.parent.parent / "docs" / "torture.md"
KINDS = {"embedded": "embedded engine", "built": "built from source"}
ENGINES = {"gp6": "Greenplum 6.24", "gp7": "Greenplum 7.0", "cb": "Cloudberry 2", "planner": "the planner alone"}
CHAPTERS = {
    "cuts": (
        "Cut connections",
        (
            "A relay ends, resets, freezes, deafens or delays the connection after each message of a module's "
            "conversation, in both directions, for this connection or for good. Each run ended in time, no bystander "
            "noticed anything, what the module said agreed with the server, and running a plan again finished it."
        ),
    ),
    "environment": (
        "Servers that are not as they should be",
        (
            "A wrong name, password, database or port; a server that starts, stops, recovers, reads only, is full, is "
            "a segment, has one that hangs, or restarts in the middle; a hot standby; TLS with another authority, "
            "another name, or out of date; a pooler that switches sessions and forgets each SET, and a real PgBouncer "
            "in each of its modes, which forgets none. Each is one error in plain words, or works."
        ),
    ),
    "wrong hits": (
        "Wrong hits",
        (
            "Signals by records that are old, while sessions come and go by the hundred in a second. "
            "Armed: the pid belonged to another session by then. Right: sessions that "
            "were meant and hit. Wrong: others that were hit. With the check of the session's start "
            "taken out, the same "
            "tests find wrong hits."
        ),
    ),
    "full groups": (
        "Full groups",
        "Each module as a superuser, as a member of mdb_admin and as an ordinary role, whose own group has no room.",
    ),
    "two at once": ("Two copies at once", "The same sessions ended twice, and other groups declared, at a time."),
    "hostile users": (
        "Hostile users",
        (
            "Crowds of honest sessions and of others that hide: in utility mode, with the number of another session or "
            "with any, with names that protect, with settings of their own, with a role that was dropped since. All "
            "are listed and can be ended, nobody else is hit, and who holds up others is found. Texts that look like "
            "secrets by the hundred hold up nothing. The owner of a database who swaps schemas, sets roles or locks "
            "the catalog has tests of his own in tests/integration."
        ),
    ),
    "hostile server": (
        "A server that lies",
        (
            "A relay passes each statement on, so that it takes effect, and tells of one, or of one and all after it, "
            "something else than the server did: other rows, columns and types, values and JSON of every wrong kind, "
            "errors with odd codes, answers of megabytes, messages that are no protocol. Each run is a success or one "
            "error in plain words, and after a signal the result names whom it went to. What is counted are runs."
        ),
    ),
    "input": (
        "Hostile input",
        (
            "Options of all kinds, also those of entries in lists, with quotes, "
            "comments, statements, NUL, halves of surrogate pairs, "
            "bidi marks, escape "
            "sequences, percent signs, braces, globs, expressions and numbers out of any range, and 10 "
            "MB in each text. "
            "Each ends in a success or one error; a table that each injection tries to drop is still there."
        ),
    ),
    "secrets": (
        "Secrets",
        (
            "Results, failures, check mode, diff, -vvvv, the log, all processes' command lines and pg_stat_activity, "
            "looked through for the password while modules run and fail."
        ),
    ),
    "load": ("Load", "Many sessions listed and ended, and the largest size of a module's process."),
}


def main() -> None:
    """Write the report."""
    figures = {kind: _read(FOLDER / "figures" / f"{kind}.json") for kind in KINDS}
    parts = [
        "<!--\nSPDX-FileCopyrightText: 2026 gpops.toolkit contributors\nSPDX-License-Identifier: GPL-3.0-or-later\n-->",
        "# Torture",
        (
            "What was done to the modules to make them lose something, hit somebody by mistake, or say what is not "
            "true. `make torture` does it again and writes this report; a short form of the same code runs in "
            "`make test`."
        ),
        (
            f"Date: {dt.datetime.now(dt.UTC):%Y-%m-%d}. Machine: {_machine()}. Engines: embedded "
            "ones of three families "
            "(a real PostgreSQL that speaks their dialect), and Greenplum 6.24 and 7.0 built from source, where the "
            "chapter names them."
        ),
    ]
    for chapter, (title, words) in CHAPTERS.items():
        parts += [f"## {title}", words]
        for kind, found in figures.items():
            parts += _tables(kind, found.get(chapter, {}))
    parts.append((FOLDER / "findings.md").read_text("utf-8").split("-->", 1)[1].strip())
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text("\n\n".join(parts) + "\n", "utf-8")


def _machine() -> str:
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {gigabytes:.0f} GB, Linux {platform.machine()}, Python {platform.python_version()}"


def _read(path: Path) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", json.loads(path.read_text("utf-8"))) if path.exists() else {}


def _tables(kind: str, by_engine: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[str]:
    tables = []
    for engine in [name for name in ENGINES if name in by_engine]:
        of = "" if engine == "planner" else f", {KINDS[kind]}"
        lines = [f"{ENGINES[engine]}{of}:", "", "| | |", "|---|---|"]
        for name, value in by_engine[engine].items():
            shown = ", ".join(f"{key} {each}" for key, each in value.items()) if isinstance(value, dict) else value
            lines.append(f"| {name} | {shown} |")
        tables.append("\n".join(lines))
    return tables


if __name__ == "__main__":
    main()
