# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is signalled and who is spared: each branch of the decision."""

from __future__ import annotations

import dataclasses
import datetime as dt
import typing as t

import pytest
import yaml
from ansible_collections.gpops.toolkit.plugins.module_utils._core.conninfo import ARGUMENT_SPEC
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import GpopsError, OptionError
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import identity, selection
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.backend import Backend
from ansible_collections.gpops.toolkit.plugins.module_utils._signals import gp_backend, request, result
from ansible_collections.gpops.toolkit.plugins.module_utils._signals import verdicts as verdict_rules
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.escalation import Outcome
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.verdicts import Protection, protect
from unit.engines import engine
from unit.sessions import active

ENGINE = engine(
    "gp7",
    "7.1.0",
    signal_functions={"cancelled": "pg_catalog.pg_cancel_backend", "terminated": "pg_catalog.pg_terminate_backend"},
    message_functions=frozenset(["pg_cancel_backend", "pg_terminate_backend"]),
)


def start(second: int) -> str:
    return f"2026-01-01T00:00:{second:02}.000000Z"


def session(pid: int, **more: t.Any) -> Backend:
    return active(pid, **{"backend_start": start(pid), "query_start": start(50 - pid), **more})


def options(**more: t.Any) -> dict[str, t.Any]:
    specs = {**ARGUMENT_SPEC, **selection.ARGUMENT_SPEC, **request.ARGUMENT_SPEC}
    return {**{name: spec.get("default") for name, spec in specs.items()}, "state": "terminated", **more}


def asked(**more: t.Any) -> request.Request:
    return request.parse(options(pids=[1], **more))


def outcome(backend: Backend, state: str = "terminated", **policy: t.Any) -> str | None:
    return protect([backend], Protection(state=state, **policy))[0].outcome


def pids(chosen: list[verdict_rules.Verdict]) -> list[int]:
    return [verdict.backend.pid for verdict in chosen if verdict.outcome is None]


def test_an_ordinary_session_is_signalled() -> None:
    assert outcome(session(1)) is None
    assert outcome(session(1), "cancelled") is None


@pytest.mark.parametrize(
    ("more", "policy"),
    [
        ({"usename": "gpadmin"}, {"protected_users": ("gpadmin",)}),
        ({"usename": "svc_load"}, {"protected_users": ("svc_*",)}),
        ({"usename": None}, {"protected_users": ("gpadmin",)}),
        ({"is_superuser": True}, {}),
        ({"is_superuser": None}, {}),
        *(
            ({"application_name": name, **who}, {"protected_applications": ("gpbackup*",), **policy})
            for name in ("gpbackup_helper", None)
            for who, policy in (
                ({"is_superuser": True}, {"allow_superusers": True}),
                ({"is_superuser": None}, {"allow_superusers": True}),
                ({"usename": "svc_backup"}, {"protected_application_users": ("svc_*",)}),
            )
        ),
        ({"usename": "root", "is_superuser": True}, {"allow_superusers": True, "protected_users": ("root",)}),
    ],
)
def test_protection_wins(more: dict[str, t.Any], policy: dict[str, t.Any]) -> None:
    assert outcome(session(1, **more), **policy) == "protected"


@pytest.mark.parametrize("name", ["gpbackup_evil", None])
@pytest.mark.parametrize("users", [(), ("svc_*",)])
def test_a_name_that_anybody_can_take_protects_nobody_else(name: str | None, users: tuple[str, ...]) -> None:
    policy = Protection(state="terminated", protected_applications=("gpbackup*",), protected_application_users=users)
    (verdict,) = verdict_rules.protect([session(1, application_name=name, usename="sammy")], policy)
    assert verdict.outcome is None
    warnings = verdict_rules.unprotected_names([verdict], policy)
    assert len(warnings) == (name is not None)
    assert "process 1" in "".join(warnings) or name is None
    assert (
        verdict_rules.unprotected_names([verdict], Protection(state="terminated", protected_applications=("pg_dump*",)))
        == []
    )


def test_a_superuser_may_be_allowed() -> None:
    assert outcome(session(1, is_superuser=True), allow_superusers=True) is None


@pytest.mark.parametrize("more", [{"backend_start": None}, {"hidden": True}])
def test_what_cannot_be_identified_is_not_signalled(more: dict[str, t.Any]) -> None:
    assert outcome(session(1, **more)) == "refused"


@pytest.mark.parametrize("state", ["idle", "idle in transaction", "idle in transaction (aborted)"])
def test_a_cancel_is_for_running_statements(state: str | None) -> None:
    verdict = protect([session(1, state=state)], Protection(state="cancelled"))[0]
    assert verdict.outcome == "not_applicable"
    assert "state=terminated" in verdict.reason
    assert outcome(session(1, state=state)) is None


@pytest.mark.parametrize("state", ["disabled", None])
def test_a_statement_that_cannot_be_seen_is_not_cancelled(state: str | None) -> None:
    """As with track_activities off."""
    assert outcome(session(1, state=state), "cancelled") == "refused"
    assert outcome(session(1, state=state)) is None


def test_the_session_of_a_dropped_role_can_be_ended() -> None:
    nobody = session(1, usename=None, is_superuser=None)
    assert outcome(nobody, allow_superusers=True) is None
    assert outcome(nobody) == "protected"


def test_oldest_of_a_cancel_is_the_oldest_statement_that_runs() -> None:
    chosen = [session(1, state="idle", query_start=start(0)), session(2), session(3)]
    assert pids(protect(chosen, Protection("cancelled", "oldest"))) == [3]
    assert pids(protect(chosen, Protection("cancelled", "all_but_oldest"))) == [2]


@pytest.mark.parametrize(
    ("victims", "state", "expected"),
    [
        ("all", "terminated", [1, 2, 3]),
        ("oldest", "terminated", [1]),
        ("newest", "terminated", [3]),
        ("all_but_oldest", "terminated", [2, 3]),
        ("oldest", "cancelled", [3]),  # the statement that began first
        ("newest", "cancelled", [1]),
    ],
)
def test_victims_by_age(victims: str, state: str, expected: list[int]) -> None:
    chosen = [session(1), session(2), session(3)]
    assert pids(protect(chosen, Protection(state=state, victims=victims))) == expected


def test_nobody_is_hit_in_place_of_a_protected_one() -> None:
    chosen = [session(1, usename="gpadmin"), session(2)]
    verdicts = protect(chosen, Protection(state="terminated", victims="oldest", protected_users=("gpadmin",)))
    assert [(verdict.backend.pid, verdict.outcome) for verdict in verdicts] == [(1, "protected")]


def record(backend: Backend, **more: t.Any) -> dict[str, t.Any]:
    names = ("pid", "sess_id", "backend_start", "query_start")
    return {**{name: getattr(backend, name) for name in names}, **more}


@pytest.mark.parametrize(
    ("now", "state", "expected"),
    [
        (session(1), "terminated", None),
        (session(1), "cancelled", None),
        (session(1, query_start=start(59)), "terminated", None),
        (session(1, query_start=start(59)), "cancelled", "changed"),
        (session(1, sess_id=7), "terminated", "changed"),  # the engine has reset the session
        (session(1, backend_start=start(59)), "terminated", "changed"),
        (session(1, backend_start=None), "terminated", "refused"),
        (session(2), "terminated", "gone"),
        (session(1, state="idle"), "cancelled", "not_applicable"),
    ],
)
def test_records_hit_only_the_very_same(now: Backend, state: str, expected: str | None) -> None:
    given = options(state=state, processes=[record(session(1))], protected_users=[])
    verdicts = request.choose([now], request.parse(given))
    assert [verdict.outcome for verdict in verdicts] == [expected]


@pytest.mark.parametrize(
    "written",
    ["2026-01-31T23:59:59.120000Z", "2026-01-31T23:59:59.12Z", "2026-01-31 23:59:59.12 +00:00"],
)
def test_points_in_time_may_stand_in_yaml_without_quotes(written: str) -> None:
    """YAML makes times of them, and a module of its own process gets those as JSON has them."""
    now = session(1, backend_start="2026-01-31T23:59:59.120000Z")
    (given,) = yaml.safe_load(f"[{{pid: 1, sess_id: {now.sess_id}, backend_start: {written}}}]")
    assert not isinstance(given["backend_start"], str)
    for value in (given["backend_start"], given["backend_start"].isoformat(), str(given["backend_start"])):
        asked = request.parse(options(processes=[{**given, "backend_start": value}], protected_users=[]))
        assert [verdict.outcome for verdict in request.choose([now], asked)] == [None]
    whole = {**given, "backend_start": dt.datetime(2026, 1, 31, 23, 59, 59, tzinfo=dt.UTC)}
    (record,) = request.parse(options(processes=[whole])).records or ()
    assert record.backend_start == "2026-01-31T23:59:59.000000Z"


def test_a_record_given_twice_is_one_victim() -> None:
    given = options(processes=[record(session(1)), record(session(1))])
    assert len(request.choose([session(1)], request.parse(given))) == 1


def test_a_pid_without_a_process_is_gone() -> None:
    given = options(pids=[1, 9, 9])
    verdicts = request.choose([session(1)], request.parse(given))
    assert [(verdict.backend.pid, verdict.outcome) for verdict in verdicts] == [(1, None), (9, "gone")]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"pids": [1]}, []),
        ({"pids": [1, 9]}, ["process 9 is not there"]),
        ({"pids": [7]}, ["process 7 is a helper of process 1"]),
        ({"session_ids": [101, 9]}, ["session 9 is not there"]),
        ({"pids": [1], "exclude_users": ["*"]}, ["process 1 is left out by exclude_users"]),
        ({"session_ids": [101], "min_state_age": "9d"}, ["process 1 is left out by min_state_age"]),
        ({"users": ["nobody"]}, []),
    ],
)
def test_who_was_named_in_vain_is_told(more: dict[str, t.Any], told: list[str]) -> None:
    who = identity.Identities({7: 1}, {1: (1,)}, frozenset({1}), frozenset())
    backends = [session(1, state_age=5.0), session(2)]
    assert request.named_in_vain(backends, request.parse(options(**more)), who) == told


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "match_all: no criterion was given"),
        ({"exclude_users": ["x"]}, "match_all: no criterion was given"),
        ({"match_all": True, "max_victims": -1}, "max_victims: "),
        ({"match_all": True, "victim_message": "é" * 64}, "victim_message: it has 128 bytes"),
        ({"match_all": True, "grace_period": "soon"}, "grace_period: "),
        ({"match_all": True, "wait_timeout": "-1"}, "wait_timeout: "),
        ({"match_all": True, "protected_users": ["a["]}, "protected_users: "),
        ({"match_all": True, "protected_applications": ["a["]}, "protected_applications: "),
        ({"match_all": True, "protected_application_users": ["a["]}, "protected_application_users: "),
        ({"processes": [], "users": ["x"]}, "processes: cannot be combined with users"),
        ({"processes": [{"pid": 1}]}, "processes: record 1 has no sess_id"),
        ({"processes": [record(session(1), pid="x")]}, "processes: record 1: pid and sess_id"),
        ({"processes": [record(session(1), backend_start="yesterday")]}, "processes: record 1: backend_start"),
    ],
)
def test_bad_input_is_one_error(more: dict[str, t.Any], words: str) -> None:
    with pytest.raises(OptionError) as caught:
        request.parse(options(**more))
    assert caught.value.message.startswith(words)


def test_a_cancel_needs_the_statement_of_a_record() -> None:
    seen = record(session(1))
    del seen["query_start"]
    request.parse(options(processes=[seen]))
    with pytest.raises(OptionError, match="has no query_start"):
        request.parse(options(state="cancelled", processes=[seen]))


@pytest.mark.parametrize("more", [{"pids": []}, {"processes": []}])
def test_an_empty_choice_is_a_choice_of_nobody(more: dict[str, t.Any]) -> None:
    given = options(**more)
    assert request.choose([session(1)], request.parse(given)) == []


def test_the_cap_lists_whom_it_would_have_hit() -> None:
    verdicts = protect(
        [session(1), session(2), session(3, usename="gpadmin")], Protection("terminated", "all", ("gpadmin",))
    )
    gp_backend._check_cap(verdicts, asked(max_victims=2))
    with pytest.raises(OptionError, match=r"^max_victims: 2 sessions") as caught:
        gp_backend._check_cap(verdicts, asked(max_victims=1))
    assert caught.value.result["counts"] == {"spared": 2, "protected": 1}
    assert not any(victim["signalled"] for victim in caught.value.result["victims"] if victim["outcome"] == "protected")


def test_check_mode_predicts() -> None:
    verdicts = protect([session(1), session(2, is_superuser=True)], Protection("terminated"))
    found = result.result(verdicts, {}, ENGINE, asked())
    assert found["changed"] is True
    assert found["counts"] == {"would_be_terminated": 1, "protected": 1}
    assert [victim["signalled"] for victim in found["victims"]] == [False, False]
    assert found["victims"][0]["reason"] == "nothing was sent"
    assert "nothing was sent" in found["diff"]["after_header"]
    assert found["diff"]["before"].count("\n") == 2
    assert found["diff"]["after"].count("\n") == 1


def ended(name: str, signalled: bool | None) -> dict[str, t.Any]:
    verdicts = protect([session(1)], Protection("terminated"))
    return result.result(verdicts, {1: Outcome(name, "so", signalled)}, ENGINE, asked())


@pytest.mark.parametrize(
    ("name", "signalled", "changed"),
    [
        ("terminated", True, True),
        ("alive", True, True),
        ("unknown", None, True),
        ("gone", False, False),
        ("changed", False, False),
        ("refused", False, False),
    ],
)
def test_changed_is_a_signal_that_was_or_may_have_been_sent(name: str, signalled: bool | None, changed: bool) -> None:
    assert ended(name, signalled)["changed"] is changed


@pytest.mark.parametrize("name", ["alive", "refused", "unknown"])
def test_survivors_fail_with_the_whole_result(name: str) -> None:
    whole = ended(name, None)
    with pytest.raises(GpopsError, match="process 1") as caught:
        gp_backend._fail_on_survivors(whole, asked())
    assert caught.value.result["victims"] == whole["victims"]
    gp_backend._fail_on_survivors(whole, asked(ignore_survivors=True))


def test_without_a_wait_the_living_do_not_fail() -> None:
    gp_backend._fail_on_survivors(ended("alive", True), asked(wait=False))
    with pytest.raises(GpopsError):
        gp_backend._fail_on_survivors(ended("refused", False), asked(wait=False))


def refusal(is_superuser_s: bool = False, **engine: t.Any) -> str:
    """Why a session was not signalled, with what the module adds to it."""
    verdicts = protect([session(1, is_superuser=is_superuser_s)], Protection("terminated", allow_superusers=True))
    server = dataclasses.replace(ENGINE, **engine)
    found = result.result(verdicts, {1: Outcome("refused", "no", False, "42501")}, server, asked())
    assert found["victims"][0]["sqlstate"] == "42501"
    return str(found["victims"][0]["reason"])


@pytest.mark.parametrize(
    ("family", "words"), [("gp6", "log in as a superuser"), ("gp7", "log in as a superuser or a member of pg_monitor")]
)
def test_who_may_not_see_a_session_is_told_who_may(family: str, words: str) -> None:
    """A member of pg_signal_backend that is none of pg_monitor needs no other right to signal."""
    verdicts = protect([session(1, hidden=True)], Protection("terminated"))
    server = dataclasses.replace(ENGINE, family=family, interface="native", toolkit_state="absent")
    (victim,) = result.result(verdicts, {}, server, asked())["victims"]
    assert victim["outcome"] == "refused"
    assert words in victim["reason"]
    assert "pg_signal_backend" not in victim["reason"]


@pytest.mark.parametrize(
    ("family", "interface", "words"),
    [
        ("gp6", "native", "the session's own role: session_role can be that, where it was granted"),
        ("gp7", "native", "pg_signal_backend"),
        ("cb", "native", "pg_signal_backend"),
        ("gp6", "mdb", "mdb_admin"),
    ],
)
def test_a_refusal_names_the_privilege(family: str, interface: str, words: str) -> None:
    assert words in refusal(family=family, interface=interface)


@pytest.mark.parametrize("family", ["gp6", "gp7", "cb"])
def test_nothing_but_a_superuser_helps_against_a_superuser_s_session(family: str) -> None:
    reason = refusal(is_superuser_s=True, family=family, toolkit_state="missing", managed_slots=family == "gp6")
    assert reason == "no; only a superuser can signal a superuser's session"


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        ({"family": "gp6", "toolkit_state": "usable"}, "set toolkit to auto or mdb"),
        ({"family": "gp6", "toolkit_state": "forbidden"}, "this role may not use it"),
        ({"family": "gp6", "managed_slots": True}, "on this service mdb_toolkit signals for members of mdb_admin"),
        ({"family": "gp6", "managed_slots": True}, "postgres has not, set login_db to one of them"),
        ({"family": "cb"}, "on a managed service mdb_toolkit signals"),
    ],
)
def test_a_native_refusal_says_how_the_managed_service_s_functions_could(engine: dict[str, t.Any], words: str) -> None:
    assert words in refusal(**{"toolkit_state": "missing", **engine})


def test_no_service_has_greenplum_7() -> None:
    assert "mdb" not in refusal(family="gp7", toolkit_state="missing")


def test_a_message_that_nobody_gets_is_a_warning() -> None:
    assert result.warnings(ENGINE, asked(victim_message="bye")) == []
    managed = dataclasses.replace(ENGINE, signal_functions={"terminated": "mdb_toolkit.gp_terminate_backend"})
    assert "with toolkit=native they would" in result.warnings(managed, asked(victim_message="bye"))[0]
    of_6 = dataclasses.replace(managed, family="gp6")
    assert "with toolkit=native those of role ops would" in result.warnings(of_6, asked(victim_message="bye"))[0]
    later = dataclasses.replace(ENGINE, message_functions=frozenset())
    assert "takes none" in result.warnings(later, asked(victim_message="bye"))[0]
    assert result.warnings(later, asked()) == []
