# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The result of gp_process_info, and its warnings."""

from __future__ import annotations

import contextlib
import dataclasses
import time
import typing as t

import pytest
from ansible_collections.gpops.toolkit.plugins.module_utils._core.cluster import Cluster
from ansible_collections.gpops.toolkit.plugins.module_utils._core.deadline import Deadline
from ansible_collections.gpops.toolkit.plugins.module_utils._core.engine import Engine
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import (
    gp_process_info,
    visibility,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.backend import Backend, Snapshot
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.query_text import LONGEST, needed
from unit.engines import engine

ENGINE = engine("gp7", "7.1.0", lock_source=None)
BACKENDS = (
    Backend(pid=1, sess_id=11, usename="sammy", state="idle", query="SELECT 'abc'", session_age=5.0, blocks=(2, 3)),
    Backend(pid=2, sess_id=12, usename="billy", state="active", session_age=9.0, waiting_reason="lock", blocks=(3,)),
    Backend(pid=3, sess_id=13, usename="billy", session_age=None, blocks=None, hidden=True),
)


def options(**more: t.Any) -> dict[str, t.Any]:
    defaults = {name: spec.get("default") for name, spec in gp_process_info.ARGUMENT_SPEC.items()}
    return {**defaults, "timeout": 30.0, "toolkit": "auto", **more}


def result(engine: Engine = ENGINE, **more: t.Any) -> dict[str, t.Any]:
    listing = gp_process_info.parse(options(**more))
    return gp_process_info.result(listing, listing.selection.choose(BACKENDS), engine, Snapshot(BACKENDS, 4))


def pids(**more: t.Any) -> list[int]:
    return [record["pid"] for record in result(**more)["processes"]]


def test_all_fields_in_the_documented_order() -> None:
    assert list(result()["processes"][0]) == list(gp_process_info.FIELDS)
    assert "hidden" not in gp_process_info.FIELDS


def test_fields_are_those_asked_for_in_that_order() -> None:
    assert list(result(fields=["query", "pid"])["processes"][0]) == ["query", "pid"]


def test_sorting() -> None:
    assert pids() == [2, 1, 3]  # oldest first, unknown last
    assert pids(sort_by="blocks") == [1, 2, 3]
    assert pids(sort_by="usename") == [2, 3, 1]
    assert pids(sort_by="pid") == [1, 2, 3]


def test_limit_cuts_the_list_but_not_the_counts() -> None:
    cut = result(limit=1)
    assert [record["pid"] for record in cut["processes"]] == [2]
    assert cut["count"] == 3
    assert cut["summary"]["by_user"] == {"billy": 2, "sammy": 1}
    assert result(limit=0)["processes"] == []


def test_summary_and_totals() -> None:
    whole = result(users=["billy"])
    assert whole["count"] == 2
    assert whole["summary"] == {
        "by_state": {"active": 1, "unknown": 1},
        "by_user": {"billy": 2},
        "by_database": {"unknown": 2},
        "by_resource_group": {"unknown": 2},
        "by_waiting_reason": {"lock": 1},
    }
    assert whole["connections"] == {"used": 5, "max": 100, "reserved": 3}
    assert whole["hidden"] == 1
    assert whole["engine"] == {"family": "gp7", "version": "7.1.0", "interface": "native"}


def test_query_text() -> None:
    assert result(redact_literals=True, pids=[1])["processes"][0]["query"] == "SELECT ?"
    assert result(query_max_length=8, pids=[1])["processes"][0]["query"] == "SELEC..."


@pytest.mark.parametrize(("option", "value"), [("limit", -1), ("query_max_length", -5), ("blocking", 0)])
def test_bad_numbers_fail_before_anything_is_sent(option: str, value: int) -> None:
    with pytest.raises(OptionError, match=option):
        gp_process_info.run(options(**{option: value}))


@pytest.mark.parametrize(
    ("more", "needed"),
    [
        ({}, True),
        ({"fields": ["pid"]}, False),
        ({"fields": ["pid", "blocks"]}, True),
        ({"fields": ["pid"], "blocking": 1}, True),
        ({"fields": ["pid"], "sort_by": "blocked_by"}, True),
        ({"fields": ["waiting"]}, True),
        ({"fields": ["pid"], "waiting_for": ["lock"]}, True),
        ({"fields": ["pid"], "waiting_for": ["resource_group", "any"]}, True),
        ({"fields": ["pid"], "waiting_for": ["resource_group", "replication"]}, False),
        ({"fields": ["pid"], "min_wait_age": "1m"}, True),
        ({"fields": ["pid"], "min_wait_age": "1m", "waiting_for": ["resource_group"]}, False),
        ({"fields": ["pid"], "min_state_age": "1m"}, False),
    ],
)
def test_locks_are_read_only_when_somebody_asks(more: dict[str, t.Any], needed: bool) -> None:
    assert gp_process_info.parse(options(**more)).needs_locks is needed


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        ({}, "database postgres has no schema mdb_toolkit"),
        ({"family": "gp6"}, "elsewhere log in as a superuser"),
        ({"toolkit_state": "forbidden"}, "membership of mdb_admin"),
        ({"toolkit_state": "usable"}, "set toolkit to auto or mdb"),
        ({}, "as a member of mdb_admin, to one that has it, elsewhere log in as a superuser or a member of pg_monitor"),
        ({"interface": "mdb", "toolkit_state": "usable"}, "mdb_toolkit.pg_stat_activity() itself"),
        ({"family": "gp6", "managed_slots": True}, "a member of mdb_admin sees them, in every database"),
    ],
)
def test_hidden_rows_are_warned_about_with_the_reason(engine: dict[str, t.Any], words: str) -> None:
    found = visibility.warnings(dataclasses.replace(ENGINE, **engine), Snapshot(BACKENDS, 4), True)
    assert len(found) == 1
    assert found[0].startswith("1 of 3 sessions hide their state and query from role ops: ")
    assert words in found[0]


@pytest.mark.parametrize("state", ["missing", "forbidden", "usable"])
def test_on_the_managed_greenplum_6_no_database_and_no_toolkit_would_show_more(state: str) -> None:
    """Who is no member sees no more through mdb_toolkit, and who is needs it for signals only."""
    engine = dataclasses.replace(ENGINE, family="gp6", managed_slots=True, toolkit_state=state)
    found = visibility.warnings(engine, Snapshot(BACKENDS, 4), True)
    assert "mdb_toolkit" not in found[0]
    assert "login_db" not in found[0]
    assert "superuser" not in found[0]


@pytest.mark.parametrize(("managed", "reserved"), [(False, 3), (True, 6)])
def test_reserved_is_what_ordinary_roles_cannot_have(managed: bool, reserved: int) -> None:
    engine = dataclasses.replace(ENGINE, family="gp6", managed_slots=managed)
    whole = result(engine)
    assert whole["connections"] == {"used": 5, "max": 100, "reserved": reserved}


def test_unknown_locks_are_warned_about() -> None:
    found = visibility.warnings(ENGINE, Snapshot(BACKENDS[:2], 2, "role ops may not read pg_locks"), True)
    assert found == ["blocked_by and blocks are unknown (null): role ops may not read pg_locks"]
    assert visibility.warnings(ENGINE, Snapshot(BACKENDS[:2], 2, "not asked for"), False) == []


@pytest.mark.parametrize("expression", [{}, {"query_regex": "abc"}])
def test_what_was_read_is_not_lost_when_reading_took_all_of_the_time(
    expression: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextlib.contextmanager
    def connect(_options: t.Mapping[str, t.Any]) -> t.Iterator[Cluster]:
        yield Cluster(t.cast(t.Any, None), ENGINE, Deadline(0))

    def slowly(query: str, length: int, _redact: bool) -> str:
        time.sleep(0.05)
        return query[:length]

    monkeypatch.setattr(gp_process_info, "connect", connect)
    monkeypatch.setattr(gp_process_info, "shown", slowly)
    monkeypatch.setattr(gp_process_info, "read", lambda *_dummy: Snapshot(BACKENDS[:1], 1))
    whole, _said = gp_process_info.run(options(**expression), True)
    assert [record["pid"] for record in whole["processes"]] == [1]


def test_texts_that_nobody_asks_for_are_not_read() -> None:
    lengths: list[int] = []
    for more in ({"fields": ["pid"]}, {}, {"fields": ["pid"], "sort_by": "query"}, {"query_max_length": 10**9}):
        chosen = options(**more)
        lengths.append(gp_process_info.parse(chosen).query_length)
    assert lengths == [needed(0), needed(1024), needed(1024), LONGEST + 1]
