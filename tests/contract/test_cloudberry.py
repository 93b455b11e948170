# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every case of Cloudberry holds on its profiles, but for the differences that are listed with their reason."""

from __future__ import annotations

import pytest
from contract.cloudberry import MAX_CONNECTIONS, cases, differing, play, profiles_of
from contract.conftest import REAL_HOST, Engines, profiles
from contract.replay import listed

CASES = {case["name"]: case for case in cases()}
LISTED = listed(of="cb.json")


def on(profile: str) -> bool:
    """A real cluster is one of them."""
    return not REAL_HOST or profile in profiles()


@pytest.mark.parametrize(
    ("profile", "name"),
    [(profile, name) for name, case in CASES.items() for profile in profiles_of(case) if on(profile)],
)
def test_case(engines: Engines, profile: str, name: str) -> None:
    case = CASES[name]
    problems = differing(case["expect"], play(engines.target(profile, MAX_CONNECTIONS), case))
    reason = LISTED.get((profile, name))
    if reason is None:
        assert not problems, "\n".join([*problems, case["source"]])
    elif not REAL_HOST:
        assert problems, f"the listed difference is gone, take it out: {reason}"


@pytest.mark.parametrize(("profile", "name"), sorted(LISTED))
def test_listed_differences_name_cases(profile: str, name: str) -> None:
    assert profile in profiles_of(CASES[name])
    assert LISTED[profile, name].strip()
