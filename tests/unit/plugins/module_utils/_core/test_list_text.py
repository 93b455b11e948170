# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists that are text, as surveys and -e give them, and nothing as an empty text."""

from __future__ import annotations

import fnmatch
import typing as t

import pytest
from ansible_collections.gpops.toolkit.plugins.module_utils._admission import gp_admission
from ansible_collections.gpops.toolkit.plugins.module_utils._core import list_text
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError
from ansible_collections.gpops.toolkit.plugins.module_utils._core.module import Definition
from ansible_collections.gpops.toolkit.plugins.module_utils._policies import gp_policy
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups import (
    gp_resource_group,
    gp_resource_group_info,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import gp_process_info
from ansible_collections.gpops.toolkit.plugins.module_utils._signals import gp_backend
from ansible_collections.gpops.toolkit.plugins.plugin_utils import _direct
from hypothesis import given
from hypothesis import strategies as st

MODULES: dict[str, Definition] = {
    one.__name__.rpartition(".")[2]: one.DEFINITION
    for one in (gp_admission, gp_backend, gp_policy, gp_process_info, gp_resource_group, gp_resource_group_info)
}


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("sammy", ["sammy"]),
        ("sammy,billy", ["sammy", "billy"]),
        ("sammy, billy", ["sammy", "billy"]),
        (" sammy ;billy ", ["sammy", "billy"]),
        ("sammy\nbilly\n", ["sammy", "billy"]),
        ("'sammy', \"billy\"", ["sammy", "billy"]),
        ("[sammy, billy]", ["sammy", "billy"]),
        ("['sammy', 'billy']", ["sammy", "billy"]),
        ('["sammy", "billy"]', ["sammy", "billy"]),
        ("[]", []),
        ("[1, 2]", [1, 2]),
        (",, ,", []),
        ("sam[a,m]y, b*", ["sam[a,m]y", "b*"]),
        ("[a]b[c]", ["[a]b[c]"]),
        ("idle in transaction, idle", ["idle in transaction", "idle"]),
    ],
)
def test_a_text_is_taken_apart(text: str, entries: list[t.Any]) -> None:
    assert list_text.entries("users", text) == entries


@pytest.mark.parametrize(
    ("text", "windows"),
    [
        ("22:00-06:00", ["22:00-06:00"]),
        ("sat,sun 00:00-24:00", ["sat,sun 00:00-24:00"]),
        ("22:00-06:00, sat,sun 00:00-24:00", ["22:00-06:00", "sat,sun 00:00-24:00"]),
        ("22:00-06:00;mon 01:00-02:00", ["22:00-06:00", "mon 01:00-02:00"]),
        ('["sat,sun 00:00-24:00"]', ["sat,sun 00:00-24:00"]),
    ],
)
def test_days_of_a_window_stay_together(text: str, windows: list[str]) -> None:
    options = list_text.prepared({"windows": text}, gp_policy.DEFINITION.argument_spec)
    assert options == {"windows": windows}


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("[ab]", "could be a list or a glob of one character"),
        ("sammy, 'billy", "begins or ends with a quotation mark"),
        ([" sammy"], "begins or ends with a blank"),
        (["sammy "], "begins or ends with a blank"),
        (["sammy, billy"], "has a comma"),
        (["sammy;billy"], "has a semicolon"),
        (["sammy\nbilly"], "has a line end"),
        (["'sammy'"], "begins or ends with a quotation mark"),
    ],
)
@pytest.mark.parametrize(
    "option", ["users", "exclude_users", "databases", "application_names", "protected_users", "exclude_resource_groups"]
)
def test_what_is_no_name_is_refused(option: str, value: t.Any, why: str) -> None:
    with pytest.raises(OptionError, match=f"^{option}: .*{why}"):
        list_text.prepared({option: value}, gp_backend.DEFINITION.argument_spec)


def lists_of(spec: t.Mapping[str, t.Any], path: tuple[str, ...] = ()) -> t.Iterator[tuple[str, ...]]:
    for name, kind in spec.items():
        if kind.get("type") == "list" and kind.get("elements") in ("str", "int") and "choices" not in kind:
            yield (*path, name)
        yield from lists_of(kind.get("options") or {}, (*path, name))


LISTS = [(module, path) for module, definition in MODULES.items() for path in lists_of(definition.argument_spec)]


@pytest.mark.parametrize(
    ("module", "path"), LISTS, ids=lambda value: value if isinstance(value, str) else ".".join(value)
)
def test_every_list_of_every_module_may_be_text(module: str, path: tuple[str, ...]) -> None:
    """Each option, in policies and limits too; those that Ansible would split at commas alone."""
    spec = MODULES[module].argument_spec
    options: t.Any = {path[-1]: "1, 2"}
    for name in reversed(path[:-1]):
        options = {name: [options]}
    found: t.Any = list_text.prepared(options, spec)
    for name in path[:-1]:
        (found,) = found[name]
    assert found == {path[-1]: ["1, 2"] if path[-1] == "windows" else ["1", "2"]}


@pytest.mark.parametrize(
    "option",
    [
        "users",
        "min_query_age",
        "max_victims",
        "state",
        "query_regex",
        "protected_users",
        "match_all",
        "exclude_users",
    ],
)
def test_an_empty_text_is_not_given(option: str) -> None:
    assert list_text.prepared({option: " "}, gp_backend.DEFINITION.argument_spec) == {}


@pytest.mark.parametrize("option", ["mode", "kill_switch", "kill_switch_file", "windows", "max_share"])
def test_an_empty_guard_is_not_given(option: str) -> None:
    assert list_text.prepared({option: ""}, gp_policy.DEFINITION.argument_spec) == {}


def test_an_empty_login_is_what_it_is() -> None:
    options = {"login_password": "", "login_host": "", "unknown": ""}
    assert list_text.prepared(options, gp_backend.DEFINITION.argument_spec) == options


def test_a_refusal_is_the_result() -> None:
    prepared = _direct.prepare("gp_backend", gp_backend.DEFINITION, {"users": ["a, b"], "state": "terminated"}, False)
    assert prepared.refused is not None
    assert str(prepared.refused["msg"]).startswith("users: 'a, b' has a comma")


@given(st.text(min_size=1))
def test_an_exact_name_is_one_name(name: str) -> None:
    glob = list_text.exactly(name)
    list_text.check_name("users", glob)
    assert fnmatch.fnmatchcase(name, glob)
    assert not fnmatch.fnmatchcase(name + "x", glob)
