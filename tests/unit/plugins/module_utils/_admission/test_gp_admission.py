# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may connect: what is asked for, what is refused, and what is altered."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.gpops.toolkit.plugins.module_utils._admission import catalog, gp_admission
from ansible_collections.gpops.toolkit.plugins.module_utils._admission import plan as plans
from ansible_collections.gpops.toolkit.plugins.module_utils._admission.plan import Admission, Server, Subject
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError
from hypothesis import given
from hypothesis import strategies as st

DATABASES = {
    "dwh": Subject("dwh", Admission(-1), connections=3),
    "mart": Subject("mart", Admission(10), connections=0),
    "odd[1]": Subject("odd[1]", Admission(-1)),
    "template1": Subject("template1", Admission(-1), is_template=True),
}
ROLES = {
    "gpadmin": Subject("gpadmin", Admission(-1, True), connections=2, is_superuser=True),
    "ops": Subject("ops", Admission(-1, True), connections=1),
    "etl": Subject("etl", Admission(5, True), connections=4),
    "gone": Subject("gone", Admission(-1, False)),
}
SERVER = Server(DATABASES, ROLES, "ops", "dwh")
AS_ADMIN = dataclasses.replace(SERVER, login_role="gpadmin")


def wish(
    databases: t.Sequence[t.Mapping[str, t.Any]] | None = None,
    roles: t.Sequence[t.Mapping[str, t.Any]] | None = None,
    **more: bool,
) -> plans.DesiredState:
    return plans.parse(databases, roles, **more)


def plan(server: Server = AS_ADMIN, **desired_state: t.Any) -> dict[str, Admission]:
    return {target.subject.name: target.after for target in plans.plan(server, wish(**desired_state)) if target.changes}


def limit(name: str, connection_limit: int) -> dict[str, t.Any]:
    return {"name": name, "connection_limit": connection_limit}


def test_only_what_differs_is_altered() -> None:
    assert plan(databases=[limit("dwh", -1), limit("mart", 11)]) == {"mart": Admission(11)}
    roles = [{"name": "etl", "login": True, "connection_limit": None}, {"name": "gone", "login": True}]
    assert plan(roles=roles) == {"gone": Admission(-1, True)}


def test_a_glob_leaves_templates_out_and_a_name_wins() -> None:
    closed = plan(databases=[limit("*", 0), limit("mart", 1)])
    assert closed == {"dwh": Admission(0), "odd[1]": Admission(0), "mart": Admission(1)}
    assert plan(databases=[limit("template1", 0)]) == {"template1": Admission(0)}
    assert plan(databases=[limit("odd[[]1]", 7)]) == {"odd[1]": Admission(7)}


def test_what_no_statement_can_name_is_left_and_told() -> None:
    odd = {name: Subject(name, Admission(-1)) for name in ("db_\ufffd", "other_\ufffd")}
    server = dataclasses.replace(AS_ADMIN, databases={**DATABASES, **odd})
    desired = wish(databases=[limit("d*", 0)])
    assert [target.subject.name for target in plans.plan(server, desired)] == ["dwh"]
    assert plans.left(server, desired) == ["db_\ufffd"]
    assert plans.left(AS_ADMIN, desired) == []
    (said,) = plans.warnings([], wish(databases=[]), ["db_\ufffd"])
    assert said.startswith("database db_\ufffd: its name is not UTF-8")


def test_globs_that_contradict_each_other_are_refused_unless_a_name_decides() -> None:
    globs = [limit("d*", 1), limit("*h", 2)]
    with pytest.raises(OptionError, match=r"^databases\[1\]\.connection_limit: database 'dwh' would get 2 here and 1"):
        plan(databases=globs)
    assert plan(databases=[*globs, limit("dwh", 3)]) == {"dwh": Admission(3)}
    assert plan(databases=[limit("d*", 1), limit("*h", 1)]) == {"dwh": Admission(1)}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "databases: "),
        ({"databases": [limit("", 1)]}, r"databases\[0\]\.name: "),
        ({"databases": [limit("a", 1), limit("a", 1)]}, r"databases\[1\]\.name: 'a' is listed already"),
        ({"databases": [limit("a", -2)]}, r"databases\[0\]\.connection_limit: -2 is not allowed"),
        ({"databases": [limit("a[b", 1)]}, r"databases\[0\]\.name: 'a\[b' has a '\['"),
        ({"roles": [limit("a", 2**31)]}, r"roles\[0\]\.connection_limit: "),
        ({"roles": [{"name": "a", "connection_limit": None, "login": None}]}, r"roles\[0\]: nothing is asked of 'a'"),
    ],
)
def test_what_cannot_be_meant(options: dict[str, t.Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        wish(**options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"databases": [limit("nope", 1)]}, r"databases\[0\]\.name: there is no database 'nope'"),
        ({"roles": [limit("e*", 1)]}, r"roles\[0\]\.name: there is no role 'e\*'"),
    ],
)
def test_unknown_names(options: dict[str, t.Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        plan(**options)


def test_superusers_keep_their_login_unless_told_otherwise() -> None:
    out = [{"name": "gpadmin", "login": False}]
    with pytest.raises(OptionError, match=r"^roles\[0\]\.login: 'gpadmin' is a superuser.*allow_superusers"):
        plan(SERVER, roles=out)
    assert plan(SERVER, roles=out, allow_superusers=True) == {"gpadmin": Admission(-1, False)}
    with pytest.raises(OptionError, match="allow_lockout"):
        plan(AS_ADMIN, roles=out, allow_superusers=True)


@pytest.mark.parametrize(
    ("desired_state", "option"),
    [
        ({"roles": [{"name": "ops", "login": False}]}, "roles[0].login"),
        ({"roles": [limit("ops", 0)]}, "roles[0].connection_limit"),
        ({"databases": [limit("*", 0)]}, "databases[0].connection_limit"),
        ({"databases": [limit("dwh", 2)]}, "databases[0].connection_limit"),
    ],
)
def test_what_locks_out_who_asks(desired_state: dict[str, t.Any], option: str) -> None:
    with pytest.raises(OptionError) as caught:
        plan(SERVER, **desired_state)
    assert caught.value.message.startswith(f"{option}: this would lock you out: ")
    assert "allow_lockout: true" in caught.value.message
    assert plan(SERVER, **desired_state, allow_lockout=True)


@pytest.mark.parametrize(
    ("server", "desired_state"),
    [
        (SERVER, {"databases": [limit("mart", 0)]}),
        (SERVER, {"databases": [limit("dwh", 3)]}),
        (SERVER, {"roles": [limit("ops", 1), {"name": "etl", "login": False}]}),
        (AS_ADMIN, {"databases": [limit("*", 0)], "roles": [limit("gpadmin", 0)]}),
    ],
)
def test_what_locks_out_nobody_who_asks(server: Server, desired_state: dict[str, t.Any]) -> None:
    assert plan(server, **desired_state)


def test_more_room_is_no_lockout_even_if_it_is_too_little() -> None:
    full = dataclasses.replace(SERVER, databases={"dwh": Subject("dwh", Admission(0), connections=9)})
    assert plan(full, databases=[limit("dwh", 5)]) == {"dwh": Admission(5)}


def test_the_login_role_comes_last() -> None:
    roles = [{"name": "ops", "login": False}, limit("etl", 1)]
    targets = plans.plan(SERVER, wish([limit("mart", 1)], roles, allow_lockout=True))
    assert [target.subject.name for target in targets] == ["mart", "etl", "ops"]


def said(**desired_state: t.Any) -> list[str]:
    wanted = wish(**desired_state)
    return plans.warnings(plans.plan(AS_ADMIN, wanted), wanted)


def test_what_the_operator_should_know() -> None:
    assert said(databases=[limit("dwh", 1)]) == [
        "database dwh has 3 connections, more than 1: they stay until they end"
    ]
    assert said(roles=[limit("gpadmin", 1)]) == ["role gpadmin is a superuser: connection limits do not hold for it"]
    assert said(databases=[limit("x*", 1)]) == ["databases[0].name: no database matches 'x*'"]
    assert said(databases=[limit("mar*", 1), limit("mart", 2)]) == []
    assert said(roles=[{"name": "etl", "login": False}]) == []


def test_rows_become_a_server() -> None:
    row = {"name": "dwh", "connection_limit": -1, "is_template": False, "connections": 3}
    who = {"name": "ops", "connection_limit": 2, "login": True, "is_superuser": False, "connections": 1}
    server = catalog.server_from([{**row, "database": "dwh", "login_role": "ops"}], [who])
    assert server == Server({"dwh": DATABASES["dwh"]}, {"ops": Subject("ops", Admission(2, True), 1)}, "ops", "dwh")


_NAMES = st.text("ab*?[]", min_size=1, max_size=4)
_LIMITS = st.integers(-1, 4)
_SUBJECTS = st.dictionaries(_NAMES, st.tuples(_LIMITS, st.booleans(), st.booleans()), min_size=1, max_size=5)


@given(databases=_SUBJECTS, roles=_SUBJECTS, closed=_LIMITS, data=st.data())
def test_what_was_changed_can_be_put_back(
    databases: dict[str, tuple[int, bool, bool]],
    roles: dict[str, tuple[int, bool, bool]],
    closed: int,
    data: st.DataObject,
) -> None:
    def server(changed: t.Mapping[tuple[str, str], Admission]) -> Server:
        return Server(
            {
                name: Subject(name, changed.get(("databases", name), Admission(now)), is_template=flag)
                for name, (now, flag, _other) in databases.items()
            },
            {
                name: Subject(name, changed.get(("roles", name), Admission(now, login)), is_superuser=flag)
                for name, (now, login, flag) in roles.items()
            },
            data_role,
            next(iter(databases)),
        )

    data_role = data.draw(st.sampled_from(sorted(roles)))
    chosen = data.draw(st.lists(st.sampled_from(sorted(roles)), unique=True))
    entries = [{"name": name, "login": data.draw(st.booleans()), "connection_limit": closed} for name in chosen]
    free = {"allow_lockout": True, "allow_superusers": True}
    before = server({})
    targets = plans.plan(before, wish([limit("*", closed)], entries, **free))
    after = server({(target.kind, target.subject.name): target.after for target in targets})
    again = plans.plan(after, wish([limit("*", closed)], entries, **free))
    assert not any(target.changes for target in again)
    restored = {kind: plans.restoring(targets, kind) for kind in ("databases", "roles")}
    back = plans.plan(after, wish(restored["databases"], restored["roles"], **free))
    now = {(target.kind, target.subject.name): target.after for target in [*targets, *back]}
    assert server(now) == before


@pytest.mark.parametrize(
    ("desired_state", "roles", "words"),
    [
        ({"databases": [limit("mart", 1)]}, (), "a database takes its owner or a superuser"),
        (
            {"databases": [limit("mart", 1)]},
            ("mdb_admin",),
            "a database takes its owner or a superuser, and mdb_admin alone is neither",
        ),
        ({"roles": [limit("etl", 1)]}, (), "a role takes a superuser or a role with CREATEROLE"),
        (
            {"roles": [limit("etl", 1)]},
            ("mdb_admin",),
            "a role takes a superuser or a role with CREATEROLE, and mdb_admin alone is neither",
        ),
        ({"roles": [limit("gpadmin", 1)]}, ("mdb_admin",), "only a superuser can alter a superuser"),
    ],
)
def test_who_may_is_told_of_what_was_refused(
    desired_state: dict[str, t.Any], roles: tuple[str, ...], words: str
) -> None:
    target = plans.plan(AS_ADMIN, wish(**desired_state))[0]
    assert gp_admission.privilege(target, roles) == words
