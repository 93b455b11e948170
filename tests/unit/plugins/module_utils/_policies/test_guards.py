# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stops a run: windows against a list of all minutes of a week, and the other guards."""

from __future__ import annotations

import datetime as dt
import typing as t
import zoneinfo

import pytest
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError
from ansible_collections.gpops.toolkit.plugins.module_utils._policies import guards
from hypothesis import given
from hypothesis import strategies as st

DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEK = 7 * 1440
MONDAY = dt.datetime(2026, 11, 16, tzinfo=dt.UTC)

day_parts = st.tuples(st.integers(0, 6), st.integers(0, 6) | st.none())


def minutes(days: t.Sequence[tuple[int, int | None]] | None, start: int, end: int) -> set[int]:
    """The minutes of the week in which the window is open, one after the other."""
    chosen = set(range(7)) if days is None else set()
    for first, last in days or ():
        day = first
        chosen.add(day)
        while last is not None and day != last:
            day = (day + 1) % 7
            chosen.add(day)
    length = end - start if end > start else end + 1440 - start
    return {(day * 1440 + start + minute) % WEEK for day in chosen for minute in range(length)}


@given(
    st.none() | st.lists(day_parts, min_size=1, max_size=3),
    st.integers(0, 1439),
    st.integers(0, 1440),
    st.lists(st.integers(0, WEEK - 1), min_size=20, max_size=20),
    st.booleans(),
)
def test_a_window_is_open_in_its_minutes_only(
    days: list[tuple[int, int | None]] | None, start: int, end: int, at: list[int], upper: bool
) -> None:
    parts = [DAYS[first] + ("" if last is None else f"-{DAYS[last]}") for first, last in days or ()]
    text = f"{','.join(parts)} {start // 60:02}:{start % 60:02}-{end // 60}:{end % 60:02}".strip()
    window = guards.window(text.upper() if upper else text)
    expected = minutes(days, start, end)
    for minute in {*at, start, end % 1440, (start - 1) % WEEK, (end - 1) % WEEK}:
        assert window.is_open(MONDAY + dt.timedelta(minutes=minute, seconds=59)) == (minute in expected)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "22:00",
        "22-06",
        "24:00-06:00",
        "25:00-26:00",
        "22:60-23:00",
        "22:00-24:01",
        "mo 1:00-2:00",
        "mon,, 1:00-2:00",
        "mon- 1:00-2:00",
        "-06:00",
        "22:00-06:00 x",
        "sat, sun 1:00-2:00",
        "xyz-sun 1:00-2:00",
    ],
)
def test_what_is_no_window(text: str) -> None:
    with pytest.raises(OptionError, match=r"^windows: "):
        guards.windows(["22:00-06:00", text])


@pytest.mark.parametrize(
    ("utc", "is_open"),
    [
        # 2026-10-25 in Berlin has the hour from 2 to 3 twice, 2026-03-29 has none.
        ("2026-10-24T23:59", False),
        ("2026-10-25T00:30", True),
        ("2026-10-25T01:30", True),
        ("2026-10-25T02:00", False),
        ("2026-03-29T00:59", False),
        ("2026-03-29T01:00", False),
    ],
)
def test_windows_are_times_of_the_clock_when_it_changes(utc: str, is_open: bool) -> None:
    now = dt.datetime.fromisoformat(utc).replace(tzinfo=dt.UTC).astimezone(zoneinfo.ZoneInfo("Europe/Berlin"))
    assert guards.schedule(guards.windows(["sun 02:00-03:00"]), now)[0].passed is is_open


def test_no_windows_are_any_time_and_an_empty_list_is_none() -> None:
    assert guards.schedule(guards.windows(None), MONDAY) == []
    (found,) = guards.schedule(guards.windows([]), MONDAY)
    assert not found.passed
    (found,) = guards.schedule(guards.windows(["1:00-2:00", "mon 00:00-24:00"]), MONDAY)
    assert (found.passed, found.reason) == (True, "it is mon 00:00 UTC, within mon 00:00-24:00")


@pytest.mark.parametrize(("exists", "passed"), [(True, False), (False, True), (None, False)])
def test_a_kill_switch_file_stops_unless_it_is_surely_absent(exists: bool | None, passed: bool) -> None:
    (found,) = guards.kill_switches(False, "/run/stop", exists, "there is no folder /run")
    assert (found.guard, found.passed) == ("kill_switch_file", passed)
    assert "/run/stop" in found.reason


def test_kill_switches() -> None:
    assert guards.kill_switches(False, None, None) == []
    assert [found.passed for found in guards.kill_switches(True, "/run/stop", False)] == [False, True]
    assert guards.kill_switch_file("") is None
    assert guards.kill_switch_file("/run/stop") == "/run/stop"
    with pytest.raises(OptionError, match=r"^kill_switch_file: 'stop'"):
        guards.kill_switch_file("stop")


@pytest.mark.parametrize(
    ("down", "allowed", "passed"), [(0, False, True), (2, False, False), (2, True, True), (None, False, False)]
)
def test_segments(down: int | None, allowed: bool, passed: bool) -> None:
    assert guards.segments(down, "no table", allowed).passed is passed


@given(st.integers(0, 200), st.integers(0, 200), st.none() | st.floats(0, 100))
def test_the_share(signalled: int, total: int, share: float | None) -> None:
    words = guards.over_share(signalled, total, share)
    small = share is None and signalled <= 20
    too_many = signalled * 100 > (50 if share is None else share) * total
    assert (words is not None) == (too_many and not small)


@pytest.mark.parametrize("share", [-1.0, 100.1, float("nan"), float("inf")])
def test_what_is_no_share(share: float) -> None:
    with pytest.raises(OptionError, match=r"^max_share: "):
        guards.check_share(share)
