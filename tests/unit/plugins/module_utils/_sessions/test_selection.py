# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The selection: one documented semantics, held to an independent, naive predicate."""

from __future__ import annotations

import fnmatch
import ipaddress
import re
import typing as t

import pytest
from ansible_collections.gpops.toolkit.plugins.module_utils._core.deadline import Deadline
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import DeadlineExceeded, OptionError
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import selection as selections
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.backend import Backend
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.query_text import LONGEST, needed
from hypothesis import given
from hypothesis import strategies as st

NAMES = ["gpadmin", "sammy", "billy", "svc_load", "svc_report", "Mixed Case", "a[b"]
GLOBS = [*NAMES[:6], "svc_*", "*", "?ammy", "[sb]*", "[!s]*", "a[[]b", "nobody"]
ADDRESSES = ["192.0.2.7", "192.0.2.200", "198.51.100.1", "2001:db8::1"]
NETWORKS = ["192.0.2.7", "192.0.2.0/24", "192.0.2.128/25", "2001:db8::/32", "0.0.0.0/0", "local"]
QUERIES = ["SELECT 1", "select * from orders", "VACUUM orders", "INSERT INTO t VALUES ('x')"]
REGEXES = ["(?i)^select", "orders", "^VACUUM", "'x'", "$"]
AGES = [0.0, 0.5, 59.9, 60.0, 61.0, 3600.0, 86400.0]
DURATIONS = {"0": 0, "60": 60, "60s": 60, "1m": 60, "0.5": 0.5, "1h": 3600, "1d": 86400}
STATES = [None, *selections.STATES]
MODES = ("AccessExclusiveLock", "ShareLock", "ExclusiveLock")
REASONS = [None, "lock", "resource_group", "resource_queue", "replication", "other"]


def _consistent(backend: Backend) -> Backend:
    values = dict(vars(backend), waiting=backend.waiting_reason is not None)
    if backend.hidden:
        values.update(query="<insufficient privilege>", state=None, client_addr=None)
    return Backend(**values)


backends = st.builds(
    Backend,
    pid=st.integers(1, 6),
    sess_id=st.integers(1, 6),
    usename=st.sampled_from(NAMES),
    datname=st.sampled_from(NAMES),
    application_name=st.sampled_from(["", None, *NAMES]),
    resource_group=st.sampled_from([None, *NAMES]),
    client_addr=st.sampled_from([None, *ADDRESSES]),
    state=st.sampled_from(STATES),
    query=st.sampled_from([None, *QUERIES]),
    waiting_reason=st.sampled_from(REASONS),
    session_age=st.sampled_from([None, *AGES]),
    transaction_age=st.sampled_from([None, *AGES]),
    query_age=st.sampled_from([None, *AGES]),
    state_age=st.sampled_from([None, *AGES]),
    wait_age=st.sampled_from([None, *AGES]),
    blocks=st.sampled_from([None, (), (2,), (2, 3), (2, 3, 4)]),
    waits_for_modes=st.sampled_from([None, (), MODES[:1], MODES]),
    hidden=st.booleans(),
).map(_consistent)

name_lists = st.lists(st.sampled_from(GLOBS), max_size=3)
durations = st.sampled_from(sorted(DURATIONS))
VALUES: dict[str, st.SearchStrategy[t.Any]] = {
    "pids": st.lists(st.integers(1, 6), max_size=3),
    "session_ids": st.lists(st.integers(1, 6), max_size=3),
    "users": name_lists,
    "databases": name_lists,
    "application_names": name_lists,
    "resource_groups": name_lists,
    "client_addresses": st.lists(st.sampled_from(NETWORKS), max_size=3),
    "states": st.lists(st.sampled_from(selections.STATES), max_size=3),
    "waiting_for": st.lists(st.sampled_from(["lock", "resource_group", "replication", "any"]), max_size=2),
    "waits_for_modes": st.lists(st.sampled_from(MODES), max_size=2),
    "query_regex": st.sampled_from(REGEXES),
    "min_session_age": durations,
    "min_transaction_age": durations,
    "min_query_age": durations,
    "min_state_age": durations,
    "min_wait_age": durations,
    "blocking": st.integers(1, 4),
    "exclude_users": name_lists,
    "exclude_databases": name_lists,
    "exclude_application_names": name_lists,
    "exclude_resource_groups": name_lists,
    "exclude_client_addresses": st.lists(st.sampled_from(NETWORKS), max_size=3),
    "exclude_query_regex": st.sampled_from(REGEXES),
    "exclude_waiting_for": st.lists(st.sampled_from(["lock", "resource_group", "replication", "any"]), max_size=2),
}


def naive(options: t.Mapping[str, t.Any], row: Backend) -> bool:
    """The documented semantics, written down once more without any of the code under test."""

    def names(patterns: t.Sequence[str], value: str | None) -> bool:
        return value is not None and any(fnmatch.fnmatchcase(value, pattern) for pattern in patterns)

    def addresses(networks: t.Sequence[str], value: str | None) -> bool:
        if value is None:
            return "local" in networks
        return any(
            ipaddress.ip_address(value) in ipaddress.ip_network(network) for network in networks if network != "local"
        )

    def old(option: str, value: float | None) -> bool:
        return option not in options or (value is not None and value >= DURATIONS[options[option]])

    ok = True
    ok &= "pids" not in options or row.pid in options["pids"]
    ok &= "session_ids" not in options or row.sess_id in options["session_ids"]
    for option, value in (
        ("users", row.usename),
        ("databases", row.datname),
        ("application_names", row.application_name),
        ("resource_groups", row.resource_group),
    ):
        ok &= option not in options or names(options[option], value)
        excluded = options.get("exclude_" + option)
        ok &= not excluded or (value is not None and not names(excluded, value))
    if "client_addresses" in options:
        ok &= not row.hidden and addresses(options["client_addresses"], row.client_addr)
    if options.get("exclude_client_addresses"):
        ok &= not row.hidden and not addresses(options["exclude_client_addresses"], row.client_addr)
    ok &= "states" not in options or row.state in options["states"]
    if "waits_for_modes" in options and not any(
        mode in options["waits_for_modes"] for mode in row.waits_for_modes or ()
    ):
        return False
    if "waiting_for" in options:
        kinds = options["waiting_for"]
        ok &= bool(row.waiting) and (row.waiting_reason in kinds or "any" in kinds)
    if options.get("exclude_waiting_for"):
        kinds = options["exclude_waiting_for"]
        ok &= row.waiting is not None and not (row.waiting and (row.waiting_reason in kinds or "any" in kinds))
    query = "" if row.query is None or row.hidden else row.query
    unseen = row.query is None or row.hidden
    if "query_regex" in options:
        ok &= not unseen and re.search(options["query_regex"], query) is not None
    if "exclude_query_regex" in options:
        ok &= not unseen and re.search(options["exclude_query_regex"], query) is None
    ok &= old("min_session_age", row.session_age)
    ok &= old("min_transaction_age", row.transaction_age)
    ok &= old("min_query_age", row.query_age if row.state in ("active", "fastpath function call") else None)
    ok &= old("min_state_age", row.state_age)
    ok &= old("min_wait_age", row.wait_age)
    ok &= "blocking" not in options or len(row.blocks or ()) >= options["blocking"]
    return bool(ok)


@given(st.fixed_dictionaries({}, optional=VALUES), st.lists(backends, max_size=6))
def test_selection_is_the_naive_predicate(options: dict[str, t.Any], rows: list[Backend]) -> None:
    assert selections.parse(options).choose(rows) == [row for row in rows if naive(options, row)]


@given(st.fixed_dictionaries({}, optional=VALUES), backends)
def test_reason_names_an_option_that_was_given(options: dict[str, t.Any], row: Backend) -> None:
    reason = selections.parse(options).why_not(row)
    assert reason is None or reason in options


def test_every_option_is_generated() -> None:
    assert set(VALUES) == set(selections.ARGUMENT_SPEC)


def test_no_option_selects_all() -> None:
    rows = [Backend(pid=1, sess_id=1), Backend(pid=2, sess_id=2, hidden=True)]
    assert selections.parse({"users": None}).choose(rows) == rows


@pytest.mark.parametrize("option", ["pids", "users", "client_addresses", "states", "waiting_for", "waits_for_modes"])
def test_an_empty_list_matches_nothing(option: str) -> None:
    row = Backend(pid=1, sess_id=1, usename="sammy", state="active", waiting=True, waiting_reason="lock")
    assert selections.parse({option: []}).choose([row]) == []


def test_an_exclusion_wins() -> None:
    row = Backend(pid=1, sess_id=1, usename="sammy")
    selection = selections.parse({"users": ["sammy"], "exclude_users": ["s*"]})
    assert selection.why_not(row) == "exclude_users"


def test_query_age_is_of_a_running_statement() -> None:
    idle = Backend(pid=1, sess_id=1, state="idle in transaction", query_age=500.0)
    running = Backend(pid=2, sess_id=2, state="active", query_age=500.0)
    assert selections.parse({"min_query_age": "5m"}).choose([idle, running]) == [running]


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("users", ["a[b"], "never closed"),
        ("users", ["["], "never closed"),
        ("databases", [""], "empty name"),
        ("exclude_users", ["x[!"], "never closed"),
        ("client_addresses", ["192.0.2.1/24"], "host bits"),
        ("client_addresses", ["localhost"], "not an address"),
        ("exclude_client_addresses", ["192.0.2.1/33"], "not an address"),
        ("query_regex", "(", "not a Python regular expression"),
        ("query_regex", "", "empty"),
        ("exclude_query_regex", "a{2,1}", "not a Python regular expression"),
        ("min_query_age", "5 minutes", "90s, 15m, 2h, 1d"),
        ("min_session_age", "-1", "not a duration"),
        ("min_state_age", "", "not a duration"),
        ("min_wait_age", "1h30m", "not a duration"),
        ("min_transaction_age", "nan", "not a duration"),
        ("blocking", 0, "1 or more"),
    ],
)
def test_bad_input_is_one_error_that_names_the_option(option: str, value: t.Any, words: str) -> None:
    with pytest.raises(OptionError) as caught:
        selections.parse({option: value})
    assert caught.value.message.startswith(option + ": ")
    assert words in caught.value.message
    assert caught.value.result == {"option": option}


@given(st.text(max_size=20))
def test_any_text_is_a_glob_or_an_error(pattern: str) -> None:
    try:
        selection = selections.parse({"users": [pattern]})
    except OptionError:
        return
    selection.choose([Backend(pid=1, sess_id=1, usename="sammy")])


@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_an_error(value: str) -> None:
    try:
        seconds = selections.duration("min_wait_age", value)
    except OptionError as error:
        if "min_wait_age" not in error.message:
            raise
    else:
        assert seconds >= 0


@pytest.mark.parametrize("option", ["exclude_client_addresses", "exclude_query_regex"])
def test_what_cannot_be_seen_is_excluded(option: str) -> None:
    value: t.Any = ["198.51.100.0/24"] if option.endswith("addresses") else "nothing of the kind"
    hidden = Backend(pid=1, sess_id=1, query="<insufficient privilege>", hidden=True)
    assert selections.parse({option: value}).why_not(hidden) == option


def test_only_expressions_of_a_user_can_be_too_slow() -> None:
    assert selections.parse({"users": ["s*"], "pids": [1], "min_query_age": "5m"}).too_slow is None
    for names in (["query_regex"], ["exclude_query_regex"], ["query_regex", "exclude_query_regex"]):
        said = selections.parse(dict.fromkeys(names, "x")).too_slow
        assert said is not None
        assert said.startswith(f"{' or '.join(names)}: ")


@pytest.mark.parametrize("slow", ["query_regex", "exclude_query_regex"])
def test_of_two_expressions_the_error_names_the_one_that_backtracks(slow: str) -> None:
    endless = {slow: "^(a|aa)+$"}
    selection = selections.parse({"query_regex": "a", "exclude_query_regex": "x", **endless})
    row = Backend(pid=1, sess_id=1, query="a" * 90 + "!")
    with pytest.raises(DeadlineExceeded, match=f"^{slow}: matching"), Deadline(0).enforced(selection.too_slow, 0.05):
        selection.choose([row])


def test_what_a_text_says_beyond_what_is_looked_at_chooses_nobody() -> None:
    text = "x" * LONGEST + "DELETE"
    row = Backend(pid=1, sess_id=1, query=text)
    assert selections.parse({"query_regex": "DELETE"}).choose([row]) == []
    assert selections.parse({"query_regex": "x$"}).choose([row]) == [row]
    # It may say what is to be spared.
    assert selections.parse({"exclude_query_regex": "DELETE"}).choose([row]) == []
    whole = Backend(pid=1, sess_id=1, query=text[:LONGEST])
    assert selections.parse({"exclude_query_regex": "DELETE"}).choose([whole]) == [whole]


def test_no_more_of_the_texts_is_read_than_is_needed() -> None:
    assert selections.parse({"users": ["a"]}).query_length(1024) == needed(1024) < 3000
    for option in ("query_regex", "exclude_query_regex"):
        assert selections.parse({option: "a"}).query_length(1024) == LONGEST + 1
