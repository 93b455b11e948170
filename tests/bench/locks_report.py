# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: the figures of `make bench-locks` -> the page with them."""

from __future__ import annotations

import dataclasses
import typing as t

# To reach: so many times what a count of the lock table takes, and so many seconds more, in so many megabytes.
TIMES, SECONDS_MORE, MEGABYTES = 1.5, 0.1, 100

HEAD = """<!--
SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
SPDX-License-Identifier: GPL-3.0-or-later
-->

# What a big lock table costs

Written by `make bench-locks`, which lists the processes beside a jam and a lock table of a given size, and runs `SELECT
count(*) FROM pg_catalog.pg_locks` in turns with that. After each listing it looks whether it says who holds up whom.
Medians, in seconds.

- *count*: log in, count the lock table with `psycopg2`, log out.
- *listing*: what `gp_process_info` does with all of its fields (log in, what the server is, the list, the lock table,
  log out), in a process that has its imports, as in the controller's.
- *may take*: {times} times the count, and {more} s. *ratio*: listing through count.
- *module*: the whole process of the module, the start of Python and its imports included; *MB*: its largest resident
  size, which must stay below {megabytes}.
"""
COLUMNS = ("lock rows", "role", "count", "listing", "may take", "ratio", "module", "MB", "")


@dataclasses.dataclass(frozen=True)
class Line:
    """The medians of one size as one role.

    Attributes:
        rows: In the lock table.
        count: Seconds of what it is compared with.
        listing: Seconds of ours.
        module: Seconds of the whole process.
        megabytes: The largest of all runs.
        swing: By what part of its median the count differed, in the middle half of its runs.
    """

    rows: int
    role: str
    count: float
    listing: float
    module: float
    megabytes: float
    swing: float

    @property
    def may_take(self) -> float:
        """Seconds that the listing should not exceed."""
        return TIMES * self.count + SECONDS_MORE

    @property
    def is_met(self) -> bool:
        """Whether time and memory are as they should be."""
        return self.listing <= self.may_take and self.megabytes < MEGABYTES


@dataclasses.dataclass(frozen=True)
class Engine:
    """What was measured on one engine.

    Attributes:
        name: As the page calls it.
        when: The day.
        machine: Of the engine and of what measured.
        runs: Of each way.
        load: The largest load average of the machine meanwhile.
        lines: By size and role.
        left_out: What this engine could not hold, and why.
    """

    name: str
    when: str
    machine: str
    runs: int
    load: float
    lines: tuple[Line, ...]
    left_out: tuple[str, ...] = ()


def as_data(engine: Engine) -> dict[str, t.Any]:
    """As plain data."""
    return dataclasses.asdict(engine)


def from_data(data: t.Mapping[str, t.Any]) -> Engine:
    """The reverse of as_data."""
    lines = tuple(Line(**line) for line in data["lines"])
    return Engine(**{**data, "lines": lines, "left_out": tuple(data["left_out"])})


def page(engines: t.Iterable[Engine], notes: str) -> str:
    """The page in Markdown; the notes say what the figures do not."""
    head = HEAD.format(times=TIMES, more=SECONDS_MORE, megabytes=MEGABYTES)
    parts = [head, *(section(engine) for engine in sorted(engines, key=lambda each: each.name)), notes]
    return "\n".join(parts)


def section(engine: Engine) -> str:
    """One engine."""
    swing = max(line.swing for line in engine.lines)
    measured = (
        f"{engine.when}, {engine.machine}; medians of {engine.runs} runs. The load of the machine was up to "
        f"{engine.load:.0f}; the middle half of the counts lay within {swing:.0%} of their median."
    )
    facts = [measured, *(f"Left out: {each}." for each in engine.left_out)]
    rows = [COLUMNS, *(_row(line) for line in engine.lines)]
    return "\n".join([f"## {engine.name}", "", *(f"{fact}\n" for fact in facts), *table(rows), ""])


def _row(line: Line) -> tuple[str, ...]:
    seconds = (f"{value:.3f}" for value in (line.count, line.listing, line.may_take))
    ratio = f"{line.listing / line.count:.2f}"
    end = (f"{line.module:.2f}", f"{line.megabytes:.0f}", "met" if line.is_met else "missed")
    return (f"{line.rows:,}", line.role, *seconds, ratio, *end)


def table(rows: t.Sequence[t.Sequence[str]]) -> list[str]:
    """Rows as Markdown, the first one as the head."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    aligned = "|---:|---|" + "---:|" * (len(rows[0]) - 3) + "---|"
    return [lines[0], aligned, *lines[1:]]
