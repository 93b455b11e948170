# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the benchmark of big lock tables makes of its figures."""

from __future__ import annotations

import typing as t

import pytest
from bench import locks, locks_report
from integration.cluster import HOLDERS, PARTITIONS, SHARED_MODES, holders


def line(**more: t.Any) -> locks_report.Line:
    usual = {"rows": 1000, "role": "ordinary", "count": 1.0, "listing": 1.5, "module": 2.0, "megabytes": 35.0}
    return locks_report.Line(**{**usual, "swing": 0.1, **more})


@pytest.mark.parametrize(
    ("more", "verdict"),
    [
        ({}, "met"),
        ({"listing": 1.6}, "met"),
        ({"listing": 1.61}, "missed"),
        ({"count": 0.01, "listing": 0.11}, "met"),
        ({"megabytes": 100.0}, "missed"),
    ],
)
def test_the_goal(more: dict[str, t.Any], verdict: str) -> None:
    engine = locks_report.Engine("gp6", "2026-01-01", "a machine", 5, 1.0, (line(**more),), ("a million rows",))
    assert locks_report.from_data(locks_report.as_data(engine)) == engine
    page = locks_report.page([engine], "notes")
    assert f"| {verdict} |" in page
    assert "Left out: a million rows." in page


def test_the_page_has_the_figures_that_are_kept() -> None:
    assert locks.PAGE.read_text(encoding="utf-8") == locks.page(), 'run "make bench-locks"'


@pytest.mark.parametrize("places", [3, 33])
@pytest.mark.parametrize("rows", [1, *locks.SIZES])
def test_a_real_cluster_is_asked_for_no_more_sessions_than_it_has(rows: int, places: int) -> None:
    sessions, partitions, modes = holders(rows, places)
    assert 1 <= sessions <= HOLDERS
    assert partitions >= PARTITIONS
    assert 1 <= modes <= len(SHARED_MODES)
    assert sessions * partitions * modes * places >= rows
