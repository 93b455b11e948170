# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every case answers as the real engine did, but for the differences that are listed with their reason."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
import yaml
from contract.conftest import REAL_HOST, Recordings, families
from contract.replay import FOLDER, Answer, cases_of, transcript


def listed() -> dict[tuple[str, str], str]:
    """The reason of each accepted difference, by family and case."""
    entries: list[dict[str, Any]] = yaml.safe_load((FOLDER / "differences.yml").read_text(encoding="utf-8")) or []
    return {(entry["profile"], case): entry["reason"] for entry in entries for case in entry["cases"]}


def differing(expected: Answer, got: Answer) -> list[str]:
    """One line for each part of the answer that is not the same."""
    return [
        f"{field.name}: expected {getattr(expected, field.name)!r}, got {getattr(got, field.name)!r}"
        for field in fields(Answer)
        if getattr(expected, field.name) != getattr(got, field.name)
    ]


@pytest.mark.parametrize(
    ("family", "case"),
    [
        pytest.param(family, case["id"], id=f"{family}-{case['id']}")
        for family in families()
        for case in cases_of(family)
    ],
)
def test_case(recordings: Recordings, family: str, case: str) -> None:
    expected = transcript(family)[case]
    problems = differing(expected, recordings.of(family)[case])
    reason = listed().get((family, case))
    if reason is None:
        assert not problems, "\n".join(problems)
    elif not REAL_HOST:  # what a sandbox cannot do, a real cluster may do
        assert problems, f"the listed difference is gone, take it out: {reason}"


@pytest.mark.parametrize(("family", "case"), sorted(listed()))
def test_listed_differences_name_cases(family: str, case: str) -> None:
    assert case in {each["id"] for each in cases_of(family)}
    assert listed()[family, case].strip()
