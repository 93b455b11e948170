# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""io_limit: engines show it in a form of their own, and what is meant is what counts."""

from __future__ import annotations

import contextlib
import json
import re
import typing as t

import pytest
from ansible_collections.gpops.toolkit.plugins.module_utils._core import connection
from ansible_collections.gpops.toolkit.plugins.module_utils._core.answers import Rows
from ansible_collections.gpops.toolkit.plugins.module_utils._core.cluster import Cluster
from ansible_collections.gpops.toolkit.plugins.module_utils._core.conninfo import ARGUMENT_SPEC
from ansible_collections.gpops.toolkit.plugins.module_utils._core.deadline import Deadline
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups import (
    catalog,
    gp_resource_group,
    gp_resource_group_info,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.model import Step
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.notations import (
    canonical_io_limit,
    tablespaces_of,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.options import (
    could_be_same,
    is_same,
)
from hypothesis import given
from hypothesis import strategies as st
from unit.engines import engine

Meaning = dict[str, dict[str, t.Any]]
Declare = t.Callable[..., tuple[dict[str, t.Any], list[str]]]

NUMBERS = {"pg_default": 1663, "pg_global": 1664, "fast": 16400, "Slow_2": 16401}
KEYS = ("rbps", "wbps", "riops", "wiops")
MOST = {"rbps": 17592186044415, "wbps": 17592186044415, "riops": 4294967295, "wiops": 4294967295}
SHOWN = "1663:rbps=1000,wbps=1000,riops=max,wiops=max"


@st.composite
def meanings(draw: st.DrawFn) -> Meaning:
    """Some tablespaces, or all of them, with limits; None is no limit."""
    names = st.lists(st.sampled_from(sorted(NUMBERS)), min_size=1, max_size=3, unique=True)
    found: Meaning = {}
    for name in draw(st.one_of(st.just(["*"]), names)):
        keys = draw(st.lists(st.sampled_from(KEYS), min_size=1, unique=True))
        found[name] = {key: draw(st.none() | st.integers(2, MOST[key])) for key in keys}
    return found


def meant(meaning: Meaning) -> dict[str, dict[str, int]]:
    """Without what is no limit."""
    limited = {name: {key: value for key, value in found.items() if value} for name, found in meaning.items()}
    return {name: found for name, found in limited.items() if found}


def engine_s(meaning: Meaning) -> str:
    """As later engines show it: by number, with all keys in their order."""
    return ";".join(
        f"{NUMBERS.get(name, name)}:" + ",".join(f"{key}={found.get(key) or 'max'}" for key in KEYS)
        for name, found in meaning.items()
    )


@st.composite
def spellings(draw: st.DrawFn, meaning: Meaning) -> str:
    """As somebody may write it."""
    blank = st.sampled_from(["", "", " ", "\n  "])

    def word(text: str) -> str:
        return draw(blank) + text + draw(blank)

    parts = []
    for name in draw(st.permutations(sorted(meaning))):
        keys = draw(st.permutations(sorted(meaning[name])))
        spelled = name if draw(st.booleans()) else str(NUMBERS.get(name, name))
        settings = []
        for key in keys:
            value = meaning[name][key]
            no_limit = draw(st.sampled_from(["max", "MAX", "0"]))
            settings.append(
                f"{word(draw(st.sampled_from([key, key.upper()])))}={word(no_limit if value is None else str(value))}"
            )
        parts.append(f"{word(spelled)}:{','.join(settings)}")
    return ";".join(parts)


@st.composite
def written(draw: st.DrawFn) -> tuple[Meaning, str]:
    meaning = draw(meanings())
    return meaning, draw(spellings(meaning))


@given(written())
def test_it_is_the_same_however_it_is_written(case: tuple[Meaning, str]) -> None:
    meaning, text = case
    sent = canonical_io_limit("io_limit", text)
    assert is_same("io_limit", sent, engine_s(meaning), NUMBERS)
    assert is_same("io_limit", text, engine_s(meaning), NUMBERS)
    assert could_be_same("io_limit", text, engine_s(meaning))
    assert canonical_io_limit("io_limit", sent) == sent
    # What an engine of these takes: no blanks, small letters, no 0.
    assert re.fullmatch(r"(?:[\w*]+:(?:[a-z]+=(?:[1-9]\d*|max)(?:,|\Z|(?=;)))+(?:;|\Z))+", sent)


@given(meanings(), written())
def test_what_means_something_else_differs(meaning: Meaning, case: tuple[Meaning, str]) -> None:
    other, text = case
    assert is_same("io_limit", text, engine_s(meaning), NUMBERS) is (meant(meaning) == meant(other))


@given(meanings())
def test_what_the_engine_shows_can_be_declared(meaning: Meaning) -> None:
    shown = engine_s(meaning)
    assert canonical_io_limit("io_limit", shown) == shown


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("pg_default:rbps=1000,wbps=1000", "pg_default:rbps=1000,wbps=1000"),
        (" pg_default:rbps=1000, WBPS = 01000 ", "pg_default:rbps=1000,wbps=1000"),
        ("*:rbps=Max", "*:rbps=max"),
        ("1663:rbps=0", "1663:rbps=max"),
        ("", "-1"),
        (" -1 ", "-1"),
    ],
)
def test_what_is_sent(text: str, sent: str) -> None:
    assert canonical_io_limit("io_limit", text) == sent


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rbps=5", "not understood"),
        ("pg_default:rbps=1000,", "not understood"),
        ("pg_default:rbps=1000;", "not understood"),
        ("pg default:rbps=1000", "'pg default:rbps=1000' is not understood"),
        ("pg_default:rbps=1 000", "not understood"),
        ('"My space":rbps=5', "name or number of a tablespace"),
        ("x:rbps=fast", "not understood"),
        ("x:rbps=-1", "not understood"),
        ("pg_default:rbps=1000;*:wbps=1000", "cannot stand beside others"),
        ("pg_default:rbps=1", "rbps=1 is not allowed; it is 2 to 17592186044415, or max"),
        ("pg_default:wbps=17592186044416", "wbps=17592186044416 is not allowed"),
        ("pg_default:riops=4294967296", "it is 2 to 4294967295, or max"),
        ("pg_default:xbps=5", "'xbps' is no setting; there are rbps, wbps, riops, wiops"),
        ("pg_default:rbps=5,RBPS=6", "rbps is there twice"),
        ("x:rbps=5;x:rbps=5", "tablespace x is there twice"),
        ("pg_default:rbps=5;1663:wbps=5", "is there twice"),
        ("0:rbps=5", "0 is not the number"),
        ("4294967296:rbps=5", "is not the number"),
    ],
)
def test_what_no_engine_takes_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(OptionError) as caught:
        canonical_io_limit("groups[0].io_limit", text)
    assert caught.value.message.startswith("groups[0].io_limit: ")
    assert words in caught.value.message


def test_only_names_that_the_catalog_knows_need_the_catalog() -> None:
    assert tablespaces_of("pg_default:rbps=5;1664:rbps=5") == frozenset()
    assert tablespaces_of("*:rbps=5") == tablespaces_of("-1") == frozenset()
    assert tablespaces_of("fast:rbps=5;pg_default:rbps=5;PG_DEFAULT:rbps=7") == {"fast", "PG_DEFAULT"}


def test_without_the_catalog_a_name_may_be_any_number() -> None:
    assert not is_same("io_limit", "fast:rbps=5", "16400:rbps=5")
    assert could_be_same("io_limit", "fast:rbps=5", "16400:rbps=5,wbps=max")
    assert could_be_same("io_limit", "fast:rbps=5;pg_default:riops=7", "1663:riops=7;16400:rbps=5")
    assert not could_be_same("io_limit", "fast:rbps=5", "16400:rbps=6")
    assert not could_be_same("io_limit", "fast:rbps=5", "slow:rbps=5")
    assert not could_be_same("io_limit", "fast:rbps=5", "*:rbps=5")
    assert not could_be_same("io_limit", "fast:rbps=5", "-1")
    assert not could_be_same("io_limit", "pg_default:rbps=5", "16400:rbps=5")
    assert not could_be_same("io_limit", "fast:rbps=5", "something new")
    assert could_be_same("cpuset", "0-1", "0,1")


# A module's run


ENGINE = engine(
    "cb",
    "2.0.0-incubating",
    role="gpadmin",
    role_group="admin_group",
    is_superuser=True,
    max_connections=400,
    group_views_there=True,
)


class Server:
    """A session on an engine that stores an io_limit as it does: by number, complete."""

    def __init__(self, shown: str = "-1") -> None:
        self.shown = shown
        self.sent: list[str] = []
        self.asked: list[str] = []
        self.deadline = Deadline(30)

    def execute(self, statement: str, **_dummy: object) -> Rows:
        if statement.startswith("alter"):
            self.sent.append(statement)
            self.shown = self._stored(statement.rsplit(" ", 1)[1])
            return Rows((), [])
        self.asked.append(statement)
        if "pg_tablespace" in statement:
            return Rows(("spcname", "oid"), [(name, str(oid)) for name, oid in sorted(NUMBERS.items())])
        limits = {"concurrency": "20", "cpu_max_percent": "20", "cpuset": "-1", "io_limit": self.shown}
        config = json.dumps([{"groupid": "6437", "groupname": "etl", **limits}])
        return Rows(("config", "members", "manager"), [(config, "[]", "group-v2")])

    @staticmethod
    def _stored(sent: str) -> str:
        if sent == "-1":
            return sent
        parts = []
        for part in sent.split(";"):
            name, _colon, settings = part.partition(":")
            values = dict(setting.split("=") for setting in settings.split(","))
            parts.append(f"{NUMBERS.get(name, name)}:" + ",".join(f"{key}={values.get(key, 'max')}" for key in KEYS))
        return ";".join(parts)

    def text(self, statement: str) -> str:
        return statement

    def warnings(self) -> list[str]:
        return []


@pytest.fixture
def declare(monkeypatch: pytest.MonkeyPatch) -> Declare:
    """Run the operation against such a server."""

    def plain(step: Step) -> str:
        return f"{step.kind} {step.group} {step.option} {step.value}"

    def run(server: Server, io_limit: str, check_mode: bool = False) -> tuple[dict[str, t.Any], list[str]]:
        @contextlib.contextmanager
        def connect(_options: object, *_needs: str, **_more: object) -> t.Iterator[Cluster]:
            yield Cluster(t.cast(connection.Connection, server), ENGINE, server.deadline)

        monkeypatch.setattr(gp_resource_group, "connect", connect)
        monkeypatch.setattr(catalog, "statement", plain)
        specs = {**ARGUMENT_SPEC, **gp_resource_group.ARGUMENT_SPEC}
        defaults = {name: spec.get("default") for name, spec in specs.items()}
        return gp_resource_group.run({**defaults, "name": "etl", "io_limit": io_limit}, check_mode)

    return run


@pytest.mark.parametrize(
    "io_limit",
    [
        "pg_default:rbps=1000,wbps=1000",
        "pg_global:wiops=7, rbps = 5;1663:rbps=0",
        "fast:riops=10;Slow_2:rbps=2",
        "*:rbps=1000",
        "16400:wbps=max",
        "-1",
    ],
)
def test_a_second_run_changes_nothing(io_limit: str, declare: Declare) -> None:
    server = Server("1664:rbps=9,wbps=9,riops=9,wiops=9")
    planned, _said = declare(server, io_limit, check_mode=True)
    assert (planned["changed"], server.sent) == (True, [])
    done, said = declare(server, io_limit)
    assert (done["changed"], len(server.sent), said) == (True, 1, [])
    assert done["groups"][0]["after"]["io_limit"] == server.shown
    for check_mode in (True, False):
        again, said = declare(server, io_limit, check_mode=check_mode)
        assert (again["changed"], again["statements"], said) == (False, [], [])
        assert again["diff"]["before"] == again["diff"]["after"]
    assert len(server.sent) == 1


def test_what_the_engine_shows_is_what_it_was_told(declare: Declare) -> None:
    server = Server(SHOWN)
    assert declare(server, "pg_default:wbps=1000,rbps=1000")[0]["changed"] is False
    assert declare(server, "pg_default:wbps=1000,rbps=1001")[0]["changed"] is True


def test_the_catalog_is_asked_for_tablespaces_only_by_name(declare: Declare) -> None:
    for io_limit, asked in (("pg_default:rbps=5", False), ("*:rbps=5", False), ("fast:rbps=5", True)):
        server = Server()
        declare(server, io_limit, check_mode=True)
        assert any("pg_tablespace" in statement for statement in server.asked) is asked


def test_a_tablespace_that_is_not_there_is_refused_before_anything_is_sent(declare: Declare) -> None:
    server = Server()
    with pytest.raises(OptionError, match=r"io_limit: there is no tablespace 'slow'; there are Slow_2, fast, pg_d"):
        declare(server, "pg_default:rbps=5;slow:rbps=5")
    assert server.sent == []


def test_an_engine_that_keeps_nothing_of_it_is_told_of(declare: Declare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Server, "_stored", staticmethod(lambda _sent: "-1"))
    said = declare(Server(SHOWN), "pg_default:rbps=5")[1]
    assert said == ["group etl: the engine took io_limit pg_default:rbps=5 and shows -1"]


def test_reading_shows_it_as_the_engine_does() -> None:
    group = catalog.reading_from([{"groupname": "etl", "io_limit": SHOWN}], [], "group-v2", ENGINE).groups["etl"]
    assert gp_resource_group_info.record(group, "cb", None)["io_limit"] == SHOWN
