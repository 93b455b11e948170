# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the runbooks decide, without a server."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import typing as t

import pytest
from ansible_collections.gpops.toolkit.plugins.plugin_utils._runbooks import (
    admission,
    conclusion,
    decisions,
    groups,
    settings,
    steps,
)
from ansible_collections.gpops.toolkit.plugins.plugin_utils._runbooks.run import Run
from ansible_collections.gpops.toolkit.plugins.plugin_utils._runbooks.runbooks import RUNBOOKS

NOT_ONE_NAME = (
    "gp_remediation_exclude_users: 'a, b' has a comma; each entry is one name, and a glob such as [,] or [ ] stands "
    "for such a character"
)
AT = dt.datetime(2026, 11, 22, 21, 50, 30, 123456, tzinfo=dt.UTC)
USUAL = {"mode": "enforce", "cluster": "dwh", "html": False, "raise_by": 5, "restore": False}
GUARDS_PASSED = [{"guard": "kill_switch", "passed": True, "reason": "it is off"}]


def run_of(name: str, results: dict[str, t.Any] | None = None, **given: t.Any) -> Run:
    return Run(runbook=RUNBOOKS[name], given={**USUAL, **given}, results=results or {}, at=AT)


def noted(*changes: dict[str, t.Any]) -> dict[str, t.Any]:
    return {"results": [{"exists": True, "path": "/s/n.json", "content": json.dumps({"changes": list(changes)})}]}


def found(concurrency: int) -> dict[str, t.Any]:
    return {"groups": [{"name": "etl", "concurrency": concurrency, "raw": {"concurrency": str(concurrency)}}]}


WAITS = {"policies": [{"name": "relieve_group_queue", "outcome": "failed", "relieved": False, "reason": "two wait"}]}
RELIEVED = {"policies": [{"name": "relieve_group_queue", "outcome": "terminated", "relieved": True, "reason": "ok"}]}
OURS = {"name": "etl", "before": {"concurrency": "10"}, "set": {"concurrency": "15"}}


class TestPolicies:
    def test_a_setting_wins_over_the_runbook(self) -> None:
        (policy,) = decisions.policies(run_of("reap_idle_sessions", min_state_age="12h", users=["sammy"]))
        assert (policy["min_state_age"], policy["users"], policy["states"]) == ("12h", ["sammy"], ["idle"])

    def test_a_maximum_of_another_runbook_is_no_concern(self) -> None:
        (policy,) = decisions.policies(run_of("break_lock_jam", max_role_sessions=3, max_held_up=5))
        assert policy["max_held_up"] == 5
        assert "max_role_sessions" not in policy

    @pytest.mark.parametrize(
        ("runbook", "given", "option", "age"),
        [
            ("cancel_long_queries", {}, "min_query_age", "1h"),
            ("cancel_long_queries", {"limits": []}, "min_query_age", None),
            ("cancel_waiting_ddl", {"query_regex": "x"}, "waits_for_modes", None),
        ],
    )
    def test_some_options_hold_unless_another_is_given(
        self, runbook: str, given: dict[str, t.Any], option: str, age: str | None
    ) -> None:
        (policy,) = decisions.policies(run_of(runbook, **given))
        assert policy.get(option) == age

    def test_the_name_of_a_role_is_no_glob(self) -> None:
        (policy,) = decisions.policies(run_of("offboard_role", role="we[ird]*", users=["sammy"]))
        assert policy["users"] == ["we[[]ird][*]"]

    def test_who_waits_for_a_slot_is_not_drained(self) -> None:
        sessions = [{"pid": 1, "waiting_reason": None}, {"pid": 2, "waiting_reason": "resource_group"}]
        (policy,) = decisions.policies(run_of("drain_group", {"holders": {"processes": sessions}}, group="e*l"))
        assert (policy["pids"], policy["resource_groups"]) == ([1], ["e[*]l"])

    @pytest.mark.parametrize("runbook", ["drain_group", "relieve_group_queue"])
    def test_who_restores_ends_nobody(self, runbook: str) -> None:
        assert decisions.policies(run_of(runbook, group="etl", restore="yes")) == []

    @pytest.mark.parametrize(
        ("own", "given", "option", "both"),
        [
            (["billy"], "sammy, otto", "exclude_users", ["sammy", "otto", "billy"]),
            (["billy"], ["sammy"], "exclude_databases", ["sammy", "billy"]),
            (["billy"], ["sammy"], "protected_users", ["gpadmin", "gpmon", "sammy", "billy"]),
            ("billy", None, "protected_users", ["gpadmin", "gpmon", "billy"]),
            ([], ["sammy"], "protected_users", ["gpadmin", "gpmon", "sammy"]),
            ([], None, "protected_users", []),
            ("a", ["b"], "protected_application_users", ["b", "a"]),
            ("(?i)a", "b|c", "exclude_query_regex", "(?:b|c)|(?i:a)"),
            (True, False, "allow_superusers", False),
            (False, True, "allow_superusers", False),
            (True, True, "allow_superusers", True),
            (5, 9, "max_victims", 5),
        ],
    )
    def test_exclusions_and_protections_hold_together(self, own: t.Any, given: t.Any, option: str, both: t.Any) -> None:
        """Of the inventory, of the policy, and those that hold anyway; all else a policy says itself."""
        settings_given = {} if given is None else {option: given}
        (policy,) = decisions.policies(run_of("main", policies=[{"name": "a", option: own}], **settings_given))
        assert policy[option] == both

    def test_a_protection_of_the_inventory_spares_gpadmin_too(self) -> None:
        (policy,) = decisions.policies(run_of("reap_idle_sessions", protected_users=["etl"]))
        assert policy["protected_users"] == ["gpadmin", "gpmon", "etl"]
        (policy,) = decisions.policies(run_of("reap_idle_sessions", protected_users=[]))
        assert policy["protected_users"] == []
        # As if it were not given.
        (policy,) = decisions.policies(run_of("reap_idle_sessions", protected_users=None))
        assert policy["protected_users"] is None

    def test_policies_get_what_is_set_of_care(self) -> None:
        given = [{"name": "a"}, {"name": "b", "max_victims": 1}]
        assert decisions.policies(run_of("main", policies=given, max_victims=9, message="bye")) == [
            {"name": "a", "max_victims": 9, "victim_message": "bye"},
            {"name": "b", "max_victims": 1, "victim_message": "bye"},
        ]


class TestProblems:
    def test_all_is_well(self) -> None:
        assert decisions.problems(run_of("reap_idle_sessions")) == []

    @pytest.mark.parametrize(
        ("runbook", "given", "problem"),
        [
            ("triage", {"protected_user": None}, "gp_remediation_protected_user: no entry point knows this setting"),
            (
                "triage",
                {"message": "a", "victim_message": "b"},
                "gp_remediation_message: give either it or gp_remediation_victim_message, they are the same",
            ),
            ("cancel_session", {}, "gp_remediation_pids: give either it or gp_remediation_session_ids"),
            (
                "cancel_session",
                {"pids": [1], "session_ids": [2]},
                "gp_remediation_pids: give either it or gp_remediation_session_ids",
            ),
            (
                "enforce_role_quota",
                {},
                "gp_remediation_max_role_sessions: give it, or gp_remediation_role_quotas",
            ),
            (
                "quiesce",
                {"exclude_databases": ["x"]},
                "gp_remediation_exclude_databases: what is closed has no exclusions, say gp_remediation_databases",
            ),
            (
                "drain_group",
                {"group": "admin_group"},
                "gp_remediation_group: admin_group is for administration and is not drained",
            ),
            (
                "terminate_all_sessions",
                {"confirm": "prod, test"},
                "gp_remediation_confirm: it must be the name of the cluster, dwh",
            ),
            ("terminate_all_sessions", {}, "gp_remediation_confirm: it must be the name of the cluster, dwh"),
            ("main", {}, "gp_remediation_policies: it is empty"),
            ("offboard_role", {"role": " "}, "gp_remediation_role: it is empty"),
            (
                "reap_idle_sessions",
                {"exclude_users": ["a, b"]},
                NOT_ONE_NAME,
            ),
        ],
    )
    def test_what_cannot_be_meant_is_named(self, runbook: str, given: dict[str, t.Any], problem: str) -> None:
        assert decisions.problems(run_of(runbook, **given)) == [problem]

    @pytest.mark.parametrize(
        ("runbook", "name"),
        [
            ("terminate_all_sessions", "role"),
            ("cancel_long_queries", "group"),
            ("reap_idle_sessions", "role"),
            ("main", "users"),
            ("main", "pids"),
            ("main", "min_state_age"),
            ("reap_idle_sessions", "policies"),
            ("reap_idle_sessions", "max_held_up"),
            ("reap_idle_sessions", "restore"),
            ("triage", "users"),
            ("drain_group", "pids"),
            ("offboard_role", "users"),
        ],
    )
    def test_what_is_given_for_this_run_is_taken_or_refused(self, runbook: str, name: str) -> None:
        given: dict[str, t.Any] = {
            "group": "etl",
            "role": "billy",
            "policies": [{"name": "a"}],
            "confirm": "dwh",
            name: "x",
        }
        usual = run_of(runbook, **given)
        assert decisions.problems(usual) == []
        (problem,) = decisions.problems(dataclasses.replace(usual, of_this_run=frozenset([name])))
        assert problem.startswith(f"gp_remediation_{name}: {usual.runbook.called} does not take it")

    @pytest.mark.parametrize(("runbook", "given"), [("triage", {}), ("reopen", {}), ("main", {"policies": []})])
    def test_who_ends_nobody_may_stand_beside_others(self, runbook: str, given: dict[str, t.Any]) -> None:
        run = run_of(runbook, min_state_age="0", **given)
        assert decisions.problems(dataclasses.replace(run, of_this_run=frozenset(["min_state_age"]))) == []

    @pytest.mark.parametrize("name", ["state_dir", "exclude_users", "report_dir", "confirm", "max_victims", "windows"])
    @pytest.mark.parametrize("runbook", sorted(RUNBOOKS))
    def test_what_spares_or_writes_down_may_be_said_to_all(self, runbook: str, name: str) -> None:
        assert settings.takes(RUNBOOKS[runbook], name)

    @pytest.mark.parametrize("given", [{"confirm": "test, dwh"}, {"confirm": ["dwh"]}, {"mode": "report"}])
    def test_the_name_of_the_cluster_confirms(self, given: dict[str, t.Any]) -> None:
        assert decisions.problems(run_of("terminate_all_sessions", **given)) == []

    def test_a_refused_folder_is_named_by_its_setting_once(self) -> None:
        results = {
            "folder": {"msg": "dest: /r is open to others"},
            "noted": {"results": [{"msg": "dest: /s is"}, {"msg": "dest: /s is"}]},
        }
        assert decisions.problems(run_of("quiesce", results)) == [
            "gp_remediation_report_dir: /r is open to others",
            "gp_remediation_state_dir: /s is",
        ]

    @pytest.mark.parametrize("runbook", ["drain_group", "relieve_group_queue", "boost_group_window"])
    def test_nothing_is_put_back_without_a_note(self, runbook: str) -> None:
        results = {"noted": {"results": [{"exists": False, "path": "/s/n.json"}]}}
        given = {"group": "etl", "boost": {"concurrency": 9}}
        (problem,) = decisions.problems(run_of(runbook, results, **given, restore=True))
        assert problem.startswith("gp_remediation_state_dir: there is no /s/n.json, so what was changed is not known")
        assert decisions.problems(run_of(runbook, results, **given)) == []
        assert decisions.problems(run_of(runbook, {"noted": noted(OURS)}, **given, restore=True)) == []

    def test_a_window_that_is_over_needs_no_note(self) -> None:
        results = {"noted": {"results": [{"exists": False, "path": "/s/n.json"}]}}
        run = run_of("boost_group_window", results, group="etl", boost={"a": 1}, windows=["22:00-06:00"], restore=True)
        assert decisions.problems(run) == []

    def test_nothing_is_reopened_without_a_note(self) -> None:
        note = {"results": [{"exists": False, "path": "/s/quiesce.json"}]}
        (problem,) = decisions.problems(run_of("reopen", {"noted": note}))
        assert problem.startswith("gp_remediation_state_dir: there is no /s/quiesce.json, so what quiesce changed")


class TestStops:
    def test_a_guard_stops(self) -> None:
        preflight = {"guards": [{"guard": "windows", "passed": False, "reason": "it is Monday"}], "policies": []}
        run = run_of("quiesce", {"preflight": preflight})
        assert decisions.stops(run) == ["a guard stopped it, and nothing was sent: it is Monday"]
        assert decisions.stops(run_of("boost_group_window", {"preflight": preflight})) == []

    @pytest.mark.parametrize(("runbook", "stops"), [("quiesce", []), ("offboard_role", ["1 is protected"])])
    def test_who_would_stay_stops_some(self, runbook: str, stops: list[str]) -> None:
        policy = {"outcome": "would_act", "relieved": False, "reason": "1 is protected"}
        preflight = {"guards": GUARDS_PASSED, "policies": [policy]}
        assert decisions.stops(run_of(runbook, {"preflight": preflight})) == stops

    def test_a_refused_policy_stops(self) -> None:
        preflight = {"guards": GUARDS_PASSED, "policies": [{"outcome": "refused", "reason": "too many"}]}
        assert decisions.stops(run_of("quiesce", {"preflight": preflight})) == ["too many"]


class TestRaise:
    @pytest.mark.parametrize(
        ("now", "note", "given", "target", "raises"),
        [
            (10, None, {}, 15, True),
            (10, None, {"raise_to_at_most": 12}, 12, True),
            (10, None, {"raise_by": 0}, 10, False),
            (10, None, {"restore": True}, 15, False),
            (15, OURS, {}, 15, False),
            (15, OURS, {"raise_by": 8}, 18, True),
            # Somebody else has set it since.
            (12, OURS, {}, 15, False),
        ],
    )
    def test_it_is_raised_once(
        self, now: int, note: dict[str, t.Any] | None, given: dict[str, t.Any], target: int, raises: bool
    ) -> None:
        results = {"found": found(now), "ended": WAITS, "noted": noted(note) if note else {}}
        run = run_of("relieve_group_queue", results, group="etl", **given)
        assert (groups.target(run), groups.raises(run), groups.changes(run)) == (target, raises, raises)
        assert groups.wanted(run) == {"name": "etl", "concurrency": target}

    def test_nobody_waits(self) -> None:
        run = run_of("relieve_group_queue", {"found": found(10), "ended": RELIEVED}, group="etl")
        assert not groups.raises(run)
        assert groups.still_queued(run) == ""

    def test_a_queue_that_is_left_says_why(self) -> None:
        results = {"found": found(10), "ended": WAITS}
        assert groups.still_queued(run_of("relieve_group_queue", results, group="etl", raise_by=0)) == (
            "two wait; concurrency is 10 and was not raised: gp_remediation_raise_by and "
            "gp_remediation_raise_to_at_most allow 10"
        )
        changed = run_of("relieve_group_queue", {**results, "found": found(12), "noted": noted(OURS)}, group="etl")
        assert "concurrency of etl is left: it was 10, 15 was set" in groups.still_queued(changed)

    @pytest.mark.parametrize(
        ("ended", "badly"),
        [
            ({**WAITS, "failed": True}, False),
            (RELIEVED, False),
            ({"failed": True, "msg": "the server is gone"}, True),
            ({"failed": True, "policies": [{"outcome": "refused"}]}, True),
        ],
    )
    def test_a_queue_is_no_failure_yet(self, ended: dict[str, t.Any], badly: bool) -> None:
        assert decisions.ended_badly(run_of("relieve_group_queue", {"ended": ended})) is badly

    def test_who_is_left_is_said_in_words(self) -> None:
        look = {
            "failed": True,
            "groups": [{"concurrency": 5, "status": {"running": 3, "queueing": 2}}],
        }
        run = run_of("relieve_group_queue", {"status": look}, group="etl")
        assert groups.not_ended(run) == (
            "resource group etl: 3 run, 2 wait, concurrency is 5, and the memory of the group may be all handed out"
        )
        assert groups.not_ended(run_of("drain_group", {"status": look}, group="etl")).endswith("concurrency is 5")
        assert groups.not_ended(run_of("drain_group", {"status": {"failed": True, "msg": "gone"}}, group="e")) == "gone"
        assert groups.not_ended(run_of("drain_group", {"status": {"groups": look["groups"]}}, group="etl")) == ""


class TestBoost:
    @pytest.mark.parametrize(
        ("windows", "given", "boosts"), [(None, {}, True), (None, {"restore": True}, False), (True, {}, True)]
    )
    def test_windows_say_which(self, windows: bool | None, given: dict[str, t.Any], boosts: bool) -> None:
        guards = [] if windows is None else [{"guard": "windows", "passed": windows, "reason": "now"}]
        results = {"preflight": {"guards": guards}, "found": found(10)}
        run = run_of("boost_group_window", results, group="etl", boost={"concurrency": 30}, **given)
        assert (groups.boosts(run), groups.changes(run), groups.puts_back(run)) == (boosts, boosts, not boosts)
        assert groups.wanted(run) == {"name": "etl", "concurrency": 30}

    def test_what_somebody_set_since_is_left(self) -> None:
        run = run_of("boost_group_window", {"found": found(12), "noted": noted(OURS)}, group="etl", boost={})
        assert not groups.changes(run)
        assert conclusion.result(run)["done"] == groups.back(run)["left"]


class TestNotes:
    def test_a_group_has_a_note_of_its_own(self) -> None:
        assert run_of("drain_group", group="a/b c").note_name == "drain_group.a%2Fb%20c"
        assert run_of("quiesce").note_name == run_of("reopen").note_name == "quiesce"

    def test_a_folder_is_tried_only_before_writing(self) -> None:
        read = {"state": "read", "name": "quiesce.json"}
        assert decisions.note_looks(run_of("quiesce")) == [{"state": "folder"}, read]
        assert decisions.note_looks(run_of("quiesce", mode="report")) == [read]

    def test_what_was_there_before_the_first_change_is_kept(self) -> None:
        plan = {"databases": [{"name": "db", "before": {"connection_limit": -1}, "after": {"connection_limit": 0}}]}
        assert decisions.note(run_of("quiesce", {"plan": plan, "preflight": {"coordinators": ["cdw:5432"]}})) == {
            "since": "2026-11-22T21:50:30Z",
            "cluster": "dwh",
            "coordinators": ["cdw:5432"],
            "runbook": "quiesce",
            "changes": [{"name": "db", "before": {"connection_limit": -1}, "set": {"connection_limit": 0}}],
        }

    @pytest.mark.parametrize(
        ("written", "here", "is_other"),
        [
            (["cdw:5432"], ["cdw:5432"], False),
            (["cdw:5432", "scdw:5432"], ["scdw:5432"], False),  # the standby has taken over
            (["cdw:5432"], ["cdw:6432"], True),
            ([], ["cdw:5432"], False),
            (["cdw:5432"], [], False),
        ],
    )
    def test_a_note_knows_its_cluster(self, written: list[str], here: list[str], is_other: bool) -> None:
        content = json.dumps({"coordinators": written, "changes": []})
        look = {"exists": True, "content": content, "path": "/state/dwh/quiesce.json"}
        run = run_of("reopen", {"noted": {"results": [look]}, "preflight": {"coordinators": here}})
        problems = decisions.ANSWERS["of_another_cluster"](run)
        assert bool(problems) is is_other
        assert all(
            problem.startswith("gp_remediation_state_dir: /state/dwh/quiesce.json is of") for problem in problems
        )


def test_who_drains_ends_nobody_whose_transaction_has_failed() -> None:
    """On real engines such a transaction has given its slot back; to end its session frees none."""
    (policy,) = decisions.policies(run_of("drain_group", {"holders": {"processes": []}}, group="etl"))
    assert "idle in transaction (aborted)" not in policy["states"]
    assert set(policy["states"]) == set(decisions.ANSWERS["holding"](run_of("drain_group")))


@pytest.mark.parametrize(
    ("runbook", "text", "told"),
    [
        ("quiesce", "5 of 6 sessions would be more than max_share, 20%", "gp_remediation_max_share, 20%"),
        (
            "cancel_session",
            "2 sessions would be terminated, 1 of max_victims 1 are left",
            "gp_remediation_max_victims 1",
        ),
        ("main", "policy a: max_victims: -1", "policy a: max_victims: -1"),
        ("triage", "is more than gp_remediation_max_share", "more than gp_remediation_max_share"),
    ],
)
def test_caps_have_the_names_of_settings(runbook: str, text: str, told: str) -> None:
    assert told in run_of(runbook).in_settings(text)


class TestQuiesce:
    @pytest.mark.parametrize(
        ("given", "names"),
        [({}, ["*"]), ({"databases": "one, two"}, ["one", "two"]), ({"databases": ["[ab]*"]}, ["[ab]*"])],
    )
    def test_databases_are_closed(self, given: dict[str, t.Any], names: list[str]) -> None:
        closed = admission.closed(run_of("quiesce", **given))
        assert closed == [{"name": name, "connection_limit": 0} for name in names]

    @pytest.mark.parametrize(
        ("outcomes", "relieved", "badly"),
        [
            (["terminated", "protected"], False, False),
            (["terminated", "still_there"], False, True),
            (["terminated"], True, True),
        ],
    )
    def test_protected_ones_are_no_failure(self, outcomes: list[str], relieved: bool, badly: bool) -> None:
        ended = {
            "failed": True,
            "policies": [{"relieved": relieved, "outcome": "failed"}],
            "victims": [{"outcome": outcome} for outcome in outcomes],
        }
        assert decisions.ended_badly(run_of("quiesce", {"ended": ended})) is badly

    @pytest.mark.parametrize(("outcome", "told"), [("protected", "done"), ("alive", "failed")])
    def test_words_and_exit_code_agree(self, outcome: str, told: str) -> None:
        """The task has not failed where only protected ones are left, so nothing says that it has."""
        ended = {
            "failed": False,
            "msg": "1 of 1 policies did not succeed",
            "policies": [{"name": "quiesce", "outcome": "failed", "relieved": False, "reason": "1 are left"}],
            "victims": [{"pid": 7, "outcome": outcome}],
        }
        result = conclusion.result(run_of("quiesce", {"ended": ended}))
        assert result["policies"][0]["outcome"] == told
        assert ("msg" in result) is (told == "failed")

    def test_who_stays_is_named(self) -> None:
        victims = [{"pid": 7, "outcome": "protected"}, {"pid": 8, "outcome": "terminated"}]
        ended = {"policies": [], "victims": victims, "changed": True}
        change = {"statements": ["ALTER DATABASE db CONNECTION LIMIT 0"]}
        result = conclusion.result(run_of("quiesce", {"ended": ended, "change": change}))
        assert result["done"] == ["sent: ALTER DATABASE db CONNECTION LIMIT 0", "protected and stay: process 7"]
        assert result["changed"]

    @pytest.mark.parametrize("runbook", ["quiesce", "offboard_role"])
    def test_who_is_excluded_is_named_too(self, runbook: str) -> None:
        victims = [{"pid": 7, "outcome": "protected"}, {"pid": 8, "outcome": "terminated"}]
        left = {"processes": [{"pid": 7, "usename": "gpadmin"}, {"pid": 9, "usename": "svc"}, {"pid": 10}]}
        results = {"ended": {"policies": [], "victims": victims}, "left": left}
        assert conclusion.result(run_of(runbook, results))["done"] == [
            "protected and stay: process 7 (gpadmin)",
            "excluded, or come since, and stay: process 9 (svc), 10",
        ]

    def test_who_is_looked_for_is_who_was_to_end(self) -> None:
        assert decisions.cleared(run_of("quiesce", databases=["db", "e*"])) == {"databases": ["db", "e*"]}
        assert decisions.cleared(run_of("offboard_role", role="a*b")) == {"users": ["a[*]b"]}


class TestReopen:
    NOTED: t.ClassVar = [
        {"name": name, "before": {"connection_limit": limit}, "set": {"connection_limit": 0}}
        for name, limit in (("we[ird]db", 4), ("star*db", -1), ("starXdb", 7))
    ]
    NOW: t.ClassVar = [{"name": item["name"], "before": {"connection_limit": 0}} for item in NOTED]

    def test_names_are_names(self) -> None:
        run = run_of("reopen", {"noted": noted(*self.NOTED), "plan": {"databases": self.NOW}})
        # All of them globs, so that one that is gone is no error.
        names = ["we[[]ird]db", "star[*]db", "[s]tarXdb"]
        assert [each["name"] for each in admission.noted_databases(run)] == names
        limits = [(each["name"], each["connection_limit"]) for each in admission.back(run)["wanted"]]
        assert limits == list(zip(names, [4, -1, 7], strict=True))
        assert decisions.note_kept(run) == {}

    def test_some_may_be_opened(self) -> None:
        run = run_of(
            "reopen", {"noted": noted(*self.NOTED), "plan": {"databases": self.NOW}}, databases="star[*]db, nobody"
        )
        assert [each["name"] for each in admission.back(run)["wanted"]] == ["star[*]db"]
        assert [item["name"] for item in decisions.note_kept(run)["changes"]] == ["we[ird]db", "starXdb"]
        assert decisions.problems(run) == []

    def test_one_that_is_not_noted_is_refused(self) -> None:
        run = run_of("reopen", {"noted": noted(*self.NOTED)}, databases=["other"])
        assert decisions.problems(run) == [
            "gp_remediation_databases: none of them is noted; noted are we[ird]db, star*db, starXdb"
        ]


class TestConclusion:
    def test_a_report_says_what_would_be(self) -> None:
        change = {"statements": ["ALTER ROLE billy NOLOGIN"]}
        preflight = {"guards": GUARDS_PASSED, "policies": [], "victims": []}
        result = conclusion.result(run_of("offboard_role", {"preflight": preflight, "change": change}, mode="report"))
        assert result["done"] == ["would send: ALTER ROLE billy NOLOGIN"]
        assert result["changed"] is False

    def test_half_a_change_is_told_by_what_was_applied(self) -> None:
        change = {"failed": True, "statements": ["one", "two"], "applied": ["one"], "changed": True}
        preflight = {"guards": GUARDS_PASSED, "policies": [], "victims": [{"pid": 1}]}
        run = run_of("quiesce", {"preflight": preflight, "change": change})
        result = conclusion.failure(
            dataclasses.replace(run, failure={"failed": True, "msg": "half"}, failed_at="Close the databases")
        )
        assert (result["done"], result["changed"], result["msg"]) == (["sent: one"], True, "half")
        # Whom it would have ended is not whom it ended.
        assert "victims" not in result

    def test_a_failure_without_words_names_the_step(self) -> None:
        run = dataclasses.replace(run_of("main"), failure={"failed": True}, failed_at="Apply the policies")
        assert conclusion.failure(run)["msg"] == "it failed at: Apply the policies"

    def test_the_report_has_the_time_in_its_name(self) -> None:
        assert conclusion.report_name(run_of("main")) == "remediate-20261122T215030.123Z"

    @pytest.mark.parametrize(
        ("told", "report", "line"),
        [
            (
                {"policies": [{"name": "triage", "outcome": "no_victims", "reason": "nobody"}]},
                {"json_path": "/r/a.json", "html_path": None},
                "triage: no_victims: nobody. The report is /r/a.json",
            ),
            (
                {"policies": [{"name": "mine", "outcome": "acted", "reason": "1 ended"}], "done": ["sent: x\x1b[2J"]},
                {},
                "triage: mine: acted: 1 ended. sent: x\\x1b[2J. No report was asked for.",
            ),
            (
                {"failed": True, "msg": "gone", "victims": [{"pid": 3, "usename": None, "outcome": "terminated"}]},
                {"failed": True, "msg": "disk full"},
                "triage: gone. There is no report: disk full 3 terminated.",
            ),
        ],
    )
    def test_the_line(self, told: dict[str, t.Any], report: dict[str, t.Any], line: str) -> None:
        assert conclusion.line(dataclasses.replace(run_of("triage"), told=told, report=report)) == line


class TestSteps:
    def test_results_of_an_earlier_runbook_do_not_count(self) -> None:
        registered = {"preflight": {"new": 1}, "change": {"old": 1}, "ended": {"old": 1}, "found": {"old": 1}}
        counted = steps.of_this_run("offboard_role", registered, "See that nothing stops it")
        assert counted == {"preflight": {"new": 1}}

    def test_a_skipped_step_returned_nothing(self) -> None:
        registered: dict[str, dict[str, t.Any]] = {
            "preflight": {"guards": []},
            "ended": {"skipped": True, "changed": False},
        }
        assert steps.of_this_run("offboard_role", registered) == {"preflight": {"guards": []}, "ended": {}}

    def test_a_step_behind_the_last_one_has_all(self) -> None:
        assert steps.of_this_run("main", {"ended": {"a": 1}}, "Write the report") == {"ended": {"a": 1}}


@pytest.mark.parametrize(("given", "options"), [(None, {}), ("", {}), ("{login_port: 5432}", {"login_port": 5432})])
def test_the_connection_may_be_text(given: t.Any, options: dict[str, t.Any]) -> None:
    assert settings.connection(given) == options


@pytest.mark.parametrize("given", ["login_host=db", "[a]", "{a: ", ["a"], 5])
def test_what_is_no_connection_is_refused_in_words(given: t.Any) -> None:
    run = dataclasses.replace(run_of("reap_idle_sessions"), connection=given)
    (problem,) = decisions.problems(run)
    assert problem.startswith("gp_connection: it is a dictionary of options such as login_host")
    assert decisions.policy_defaults(run)["mode"] == "enforce"


def test_a_setting_of_the_run_wins_over_the_runbook() -> None:
    run = dataclasses.replace(run_of("quiesce", kill_switch=True), connection={"login_host": "h"})
    assert decisions.policy_defaults(run) == {
        "login_host": "h",
        "max_share": 100,
        "mode": "enforce",
        "kill_switch": True,
    }
