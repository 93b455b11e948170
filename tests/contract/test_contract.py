# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every case answers as the real engine did, but for the differences that are listed with their reason."""

from __future__ import annotations

from dataclasses import fields

import pytest
from contract.conftest import REAL_HOST, Engines, profiles
from contract.replay import Answer, cases_of, listed, transcript


def differing(expected: Answer, got: Answer) -> list[str]:
    """One line for each part of the answer that is not the same."""
    return [
        f"{field.name}: expected {getattr(expected, field.name)!r}, got {getattr(got, field.name)!r}"
        for field in fields(Answer)
        if getattr(expected, field.name) != getattr(got, field.name)
    ]


@pytest.mark.parametrize(
    ("profile", "case"),
    [
        pytest.param(profile, case["id"], id=f"{profile}-{case['id']}")
        for profile in profiles()
        for case in cases_of(profile)
    ],
)
def test_case(engines: Engines, profile: str, case: str) -> None:
    expected = transcript(profile)[case]
    problems = differing(expected, engines.recording(profile)[case])
    reason = listed().get((profile, case))
    if reason is None:
        assert not problems, "\n".join(problems)
    elif not REAL_HOST:  # what a sandbox cannot do, a real cluster may do
        assert problems, f"the listed difference is gone, take it out: {reason}"


@pytest.mark.parametrize(("profile", "case"), sorted(listed()))
def test_listed_differences_name_cases(profile: str, case: str) -> None:
    assert case in {each["id"] for each in cases_of(profile)}
    assert listed()[profile, case].strip()
