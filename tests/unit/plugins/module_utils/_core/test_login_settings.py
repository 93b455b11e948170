# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings that come with the login."""

from __future__ import annotations

import re

import pytest
from ansible_collections.gpops.toolkit.plugins.module_utils._core import login_settings
from hypothesis import given
from hypothesis import strategies as st
from integration.login_settings import OURS, why_left


def split(text: str) -> list[str]:
    """As the server splits it: at white space that no backslash escapes."""
    return [re.sub(r"\\(.)", r"\1", word, flags=re.DOTALL) for word in re.findall(r"(?:\\.|[^\\\s])+", text, re.DOTALL)]


def test_the_server_gives_up_a_little_before() -> None:
    found = login_settings.limits(30.0)
    assert found["statement_timeout"] == "29000"
    assert int(found["lock_timeout"]) < int(found["statement_timeout"])
    assert login_settings.limits(0.0)["statement_timeout"] == "1"


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_no_value_ends_early(role: str) -> None:
    found = login_settings.with_settings({}, None, {"role": role})
    assert split(found["options"])[:2] == ["-c", f"role={role}"]


def test_those_of_the_user_stay_and_ours_count() -> None:
    found = login_settings.with_settings({"host": "a", "options": "-c role=b"}, "-c role=a", {"lock_timeout": "5"})
    assert found["host"] == "a"
    assert split(found["options"])[:4] == ["-c", "role=a", "-c", "lock_timeout=5"]


def test_a_full_group_is_waited_for_a_little_at_first() -> None:
    assert login_settings.limits(30.0)[login_settings.QUEUE_LIMIT] == "500"
    assert login_settings.limits(1.0)[login_settings.QUEUE_LIMIT] == "200"
    assert login_settings.limits(0.0)[login_settings.QUEUE_LIMIT] == "1"
    patient = login_settings.limits(30.0, patient=True)
    assert patient[login_settings.QUEUE_LIMIT] == patient["statement_timeout"]


def test_each_setting_of_ours_says_why() -> None:
    ours = {
        **login_settings.fixed(None),
        **login_settings.limits(30.0),
        **login_settings.IF_OTHERWISE,
        **login_settings.ENOUGH_MEMORY,
    }
    assert {*ours, login_settings.ROLE, login_settings.PROBE_SETTING[0]} == set(OURS)
    assert [name for name in OURS if why_left(name)] == []


@given(st.dictionaries(st.from_regex("[a-z_]+", fullmatch=True), st.text(st.characters(exclude_characters="\0"))))
def test_what_is_given_is_understood(settings: dict[str, str]) -> None:
    found = login_settings.with_settings({}, None, settings)
    name, value = login_settings.PROBE_SETTING
    assert login_settings.settings_in(found["options"]) == {**settings, name.lower(): value}


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        (None, {}),
        ("", {}),
        ("-c role=a", {"role": "a"}),
        ("-crole=a --Work-Mem=5", {"role": "a", "work_mem": "5"}),
        (r"-c role=a\ b\\c -c role=d\	e", {"role": "d	e"}),
        ("-c geqo -B 5 -d role=a", {}),
        ("-c -c role=a", {"role": "a"}),
        ("-c role=-c=", {"role": "-c="}),
    ],
)
def test_settings_in_options(options: str | None, settings: dict[str, str]) -> None:
    assert login_settings.settings_in(options) == settings


def test_the_operator_may_ask_for_a_session_that_only_reads() -> None:
    assert login_settings.fixed(None)["default_transaction_read_only"] == "off"
    given = login_settings.fixed("-c default_transaction_read_only=on -c extra_float_digits=-15")
    assert "default_transaction_read_only" not in given
    assert given["extra_float_digits"] == "0"


@pytest.mark.parametrize(
    ("session_role", "given", "wanted"),
    [(None, None, "none"), ("", "-c role=b", "b"), ("a", "-c role=b", "a"), (None, "-c work_mem=5", "none")],
)
def test_the_role_is_the_operator_s(session_role: str | None, given: str | None, wanted: str) -> None:
    assert login_settings.wanted_role(session_role, given) == wanted


@pytest.mark.parametrize(
    ("wanted", "found", "same"),
    [
        ("ops", "ops", True),
        ("ops", "Ops", False),
        ("ops", "op", False),
        ("a" * 70, "a" * 63, True),
        ("a" * 63, "a" * 62, False),
        ("a" * 62 + "ü", "a" * 62, True),
        ("a" * 70, "a" * 58, False),
        ("a" * 70, "b" * 63, False),
    ],
)
def test_long_names_are_cut_off(wanted: str, found: str, same: bool) -> None:
    assert login_settings.is_same_role(wanted, found) == same


@pytest.mark.parametrize(
    ("message", "role", "bypass"),
    [
        ('FATAL:  invalid value for parameter "role": "nobody"', True, False),
        ('FATAL:  permission denied to set role "gpadmin"', True, False),
        ('FATAL:  permission denied to set parameter "gp_resource_group_bypass"', False, True),
        ('FATAL:  role "nobody" does not exist', True, False),
        ('FATAL:  role "ops" does not exist', False, False),
    ],
)
def test_what_a_login_is_refused_for(message: str, role: bool, bypass: bool) -> None:
    assert (login_settings.refuses_role(message, "nobody"), login_settings.refuses_bypass(message)) == (role, bypass)
    assert not login_settings.refuses_role(message, None)


@pytest.mark.parametrize(
    ("message", "is_that"),
    [
        ("unsupported startup parameter: options", True),
        ("unsupported startup parameter in options: statement_timeout", True),
        ('unbekannter Konfigurationsparameter "gp_resource_group_queuing_timeout"', True),
        ('password authentication failed for user "ops"', False),
        ("sorry, too many clients already", False),
    ],
)
def test_a_refusal_of_the_settings_is_told_from_others(message: str, is_that: bool) -> None:
    assert login_settings.refused(message, login_settings.limits(30.0)) == is_that
