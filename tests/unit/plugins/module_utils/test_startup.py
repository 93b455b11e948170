# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings that come with the login."""

from __future__ import annotations

import re

import pytest
from ansible_collections.gpops.toolkit.plugins.module_utils import _startup
from hypothesis import given
from hypothesis import strategies as st


def split(text: str) -> list[str]:
    """As the server splits it: at white space that no backslash escapes."""
    return [re.sub(r"\\(.)", r"\1", word, flags=re.DOTALL) for word in re.findall(r"(?:\\.|[^\\\s])+", text, re.DOTALL)]


def test_the_server_gives_up_a_little_before() -> None:
    found = _startup.limits(30.0)
    assert found["statement_timeout"] == "29000"
    assert int(found["lock_timeout"]) < int(found["statement_timeout"])
    assert _startup.limits(0.0)["statement_timeout"] == "1"


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_no_value_ends_early(role: str) -> None:
    found = _startup.with_settings({}, {}, {"role": role})
    assert found is not None
    assert split(found["options"])[:2] == ["-c", f"role={role}"]


@pytest.mark.parametrize(
    ("params", "environ"), [({"options": "-c role=a"}, {"PGOPTIONS": "-c role=b"}), ({}, {"PGOPTIONS": "-c role=a"})]
)
def test_those_of_the_user_stay_and_ours_count(params: dict[str, str], environ: dict[str, str]) -> None:
    found = _startup.with_settings(params, environ, {"lock_timeout": "5"})
    assert found is not None
    assert split(found["options"])[:4] == ["-c", "role=a", "-c", "lock_timeout=5"]


def test_options_that_are_no_text_are_left_to_the_server() -> None:
    found = _startup.with_settings({"options": 5}, {}, {})
    assert found is not None
    assert split(found["options"])[0] == "5"


@pytest.mark.parametrize(("params", "environ"), [({"service": "a"}, {}), ({}, {"PGSERVICE": "a"})])
def test_a_service_may_have_options_that_nobody_knows(params: dict[str, str], environ: dict[str, str]) -> None:
    assert _startup.with_settings(params, environ, {"lock_timeout": "5"}) is None


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
    assert _startup.refused(message, _startup.limits(30.0)) == is_that
