# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is noted before a change, and what is put back."""

from __future__ import annotations

import typing as t

from ansible_collections.gpops.toolkit.plugins.plugin_utils._restore_note import put_back, remember


def plan(before: dict[str, t.Any], after: dict[str, t.Any], name: str = "etl") -> list[dict[str, t.Any]]:
    return [{"name": name, "before": before, "after": after}]


def now(**options: t.Any) -> list[dict[str, t.Any]]:
    return [{"name": "etl", "before": options}]


RAISED = [{"name": "etl", "before": {"concurrency": 10}, "set": {"concurrency": 15}}]


def test_only_what_differs_is_noted() -> None:
    before = {"concurrency": 10, "min_cost": 500}
    assert remember([], plan(before, {"concurrency": 15, "min_cost": 500})) == RAISED
    assert remember([], plan(before, before)) == []


def test_a_second_change_keeps_what_was_there_at_first() -> None:
    again = remember(RAISED, plan({"concurrency": 15}, {"concurrency": 20}))
    assert again == [{"name": "etl", "before": {"concurrency": 10}, "set": {"concurrency": 20}}]


def test_after_a_change_that_failed_it_is_the_same() -> None:
    again = remember(RAISED, plan({"concurrency": 10}, {"concurrency": 12}))
    assert again == [{"name": "etl", "before": {"concurrency": 10}, "set": {"concurrency": 12}}]


def test_what_somebody_else_set_is_what_was_there() -> None:
    again = remember(RAISED, plan({"concurrency": 11}, {"concurrency": 16}))
    assert again == [{"name": "etl", "before": {"concurrency": 11}, "set": {"concurrency": 16}}]


def test_others_stay_noted() -> None:
    more = remember(RAISED, plan({"concurrency": 3}, {"concurrency": 0}, "adhoc"))
    assert [item["name"] for item in more] == ["etl", "adhoc"]
    assert more[0] == RAISED[0]
    assert RAISED == [{"name": "etl", "before": {"concurrency": 10}, "set": {"concurrency": 15}}]


def test_what_still_is_as_it_was_set_is_put_back() -> None:
    # Catalogs show numbers as text.
    assert put_back(RAISED, now(concurrency="15")) == {"wanted": [{"name": "etl", "concurrency": 10}], "left": []}


def test_what_is_back_already_needs_nothing() -> None:
    assert put_back(RAISED, now(concurrency=10)) == {"wanted": [], "left": []}


def test_what_somebody_changed_is_left() -> None:
    back = put_back(RAISED, now(concurrency=12))
    assert back["wanted"] == []
    assert back["left"] == [
        "concurrency of etl is left: it was 10, 15 was set, and it is 12 now, which somebody else set"
    ]


def test_what_is_gone_is_left() -> None:
    for found in ([], [{"name": "etl", "before": None}]):
        back = put_back(RAISED, found)
        assert back["wanted"] == []
        assert back["left"] == ["concurrency of etl is left: it was 10, 15 was set, and it is gone"]


def test_options_go_back_one_by_one() -> None:
    note = [{"name": "etl", "before": {"concurrency": 10, "min_cost": 5}, "set": {"concurrency": 15, "min_cost": 0}}]
    back = put_back(note, now(concurrency=15, min_cost=7))
    assert back["wanted"] == [{"name": "etl", "concurrency": 10}]
    assert len(back["left"]) == 1


def test_a_limit_that_the_engine_shows_in_its_own_form_is_still_ours() -> None:
    shown = {"io_limit": "1663:rbps=7,wbps=max,riops=max,wiops=max"}
    note = [{"name": "etl", "before": {"io_limit": "-1"}, "set": {"io_limit": "pg_default:rbps=7"}}]
    assert put_back(note, now(**shown)) == {"wanted": [{"name": "etl", "io_limit": "-1"}], "left": []}
    fast = [{"name": "etl", "before": {"io_limit": "-1"}, "set": {"io_limit": "fast:rbps=7"}}]
    assert put_back(fast, now(io_limit="16400:rbps=7,wbps=max"))["left"] == []
    assert "somebody else" in put_back(note, now(io_limit="1663:rbps=8"))["left"][0]
    again = remember(note, plan(shown, {"io_limit": "pg_default:rbps=9"}))
    assert again == [{"name": "etl", "before": {"io_limit": "-1"}, "set": {"io_limit": "pg_default:rbps=9"}}]
