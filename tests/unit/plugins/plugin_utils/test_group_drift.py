# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Drift in plain words and as JUnit XML."""

from __future__ import annotations

import typing as t
import xml.etree.ElementTree as ET

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.gpops.toolkit.plugins.filter import group_drift as filters
from ansible_collections.gpops.toolkit.plugins.module_utils._core.visible import in_one_line
from ansible_collections.gpops.toolkit.plugins.plugin_utils import _group_drift
from hypothesis import given
from hypothesis import strategies as st

SAME = {"name": "same", "before": {"concurrency": 1, "roles": []}, "after": {"concurrency": 1, "roles": []}}
OTHER = {
    "name": "other",
    "before": {"concurrency": 20, "cpuset": "-1", "roles": ["a"]},
    "after": {"concurrency": 25, "cpuset": "-1", "roles": ["a", "b"]},
}
NEW = {"name": "new", "before": None, "after": {"concurrency": 1}}
OLD = {"name": "old", "before": {"concurrency": 1}, "after": None}


def examination(**more: t.Any) -> dict[str, t.Any]:
    return {"problem": "", "groups": [], "declared": [], **more}


def test_each_difference_in_plain_words() -> None:
    found = _group_drift.findings([SAME, OTHER, NEW, OLD], "dwh")
    assert [each["text"] for each in found] == [
        "dwh: group other: concurrency is 20, should be 25",
        "dwh: group other: roles is a, should be a, b",
        "dwh: group new: state is absent, should be present",
        "dwh: group old: state is present, should be absent",
    ]
    assert (found[0]["host"], found[0]["group"], found[0]["option"]) == ("dwh", "other", "concurrency")
    assert (found[1]["is"], found[1]["should_be"]) == (["a"], ["a", "b"])


def test_no_roles_and_nothing_set() -> None:
    group = {"name": "g", "before": {"roles": ["a"], "io_limit": None}, "after": {"roles": [], "io_limit": "x"}}
    assert [each["text"].split(": ")[-1] for each in _group_drift.findings([group], "h")] == [
        "io_limit is not set, should be x",
        "roles is a, should be empty",
    ]


def test_a_group_that_neither_is_nor_should_be() -> None:
    assert _group_drift.findings([{"name": "g", "before": None, "after": None}], "h") == []


def test_passed_failed_and_in_error() -> None:
    text = _group_drift.junit(
        {
            "a": examination(groups=[SAME, OTHER]),
            "b": examination(problem="cannot connect", declared=[{"name": "x"}, {"name": "y"}]),
            "c": examination(problem="nothing declared", declared="nonsense"),
            "d": examination(),
        }
    )
    root = ET.fromstring(text)
    assert {name: root.get(name) for name in ("tests", "failures", "errors")} == {
        "tests": "5",
        "failures": "1",
        "errors": "3",
    }
    cases = {(case.get("classname"), case.get("name")): [child.tag for child in case] for case in root.iter("testcase")}
    assert cases == {
        ("a", "same"): [],
        ("a", "other"): ["failure"],
        ("b", "x"): ["error"],
        ("b", "y"): ["error"],
        ("c", "resource groups"): ["error"],
    }
    failure = root.find(".//failure")
    assert failure is not None
    assert failure.get("message") == "a: group other: concurrency is 20, should be 25"
    assert str(failure.text).splitlines()[1] == "a: group other: roles is a, should be a, b"
    assert [suite.get("name") for suite in root] == ["a", "b", "c", "d"]


@given(host=st.text(), name=st.text(), value=st.text(), problem=st.text())
def test_any_text_is_well_formed_and_stays_in_its_place(host: str, name: str, value: str, problem: str) -> None:
    group = {"name": name, "before": {"io_limit": ""}, "after": {"io_limit": value}}
    text = _group_drift.junit({host: examination(groups=[group]), host + "2": examination(problem=problem)})
    root = ET.fromstring(text.encode("utf-8"))
    assert root[0].get("name") == in_one_line(host)
    case = root[0][0]
    assert case.get("name") == in_one_line(name)
    assert bool(len(case)) is bool(value)
    if problem:
        assert root[1][0][0].get("message") == in_one_line(" ".join(problem.split()))


@given(st.text())
def test_plain_text_is_one_line_without_control_characters(text: str) -> None:
    shown = in_one_line(text)
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in shown)
    if text.isprintable():
        assert shown == text


def test_the_filters_say_what_they_take() -> None:
    by_name = filters.FilterModule().filters()
    assert by_name["group_drift"]([OTHER], "h")[0]["option"] == "concurrency"
    assert "<testsuites" in by_name["group_drift_junit"]({})
    with pytest.raises(AnsibleFilterError, match="group_drift takes"):
        by_name["group_drift"]("text", "h")
    with pytest.raises(AnsibleFilterError, match="group_drift_junit takes"):
        by_name["group_drift_junit"]({"h": {}})
