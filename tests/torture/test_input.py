# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hostile text in every option: each time a success or one clear error, and nothing of it is ever run.

The modules run in this process, from main() on, against a server: ten thousand of them take a minute or two so.
"""

from __future__ import annotations

import collections
import contextlib
import io
import json
import os
import typing as t
import warnings

import ansible.module_utils.basic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from integration.cluster import Cluster, Scene
from torture import figures, forge
from torture.scale import scaled

EXAMPLES = scaled(100, 2500)  # of each of four modules
LONGEST_MESSAGE = 2000
HUGE = scaled(100_000, 10_000_000)
CANARY = "public.gpops_torture_canary"
NASTY = (
    "'",
    '"',
    "';--",
    "''; DROP TABLE public.gpops_torture_canary; --",
    "x'; DROP TABLE public.gpops_torture_canary; SELECT '",
    '"; DROP TABLE public.gpops_torture_canary; --',
    "\\'; DROP TABLE public.gpops_torture_canary; --",
    "$$; DROP TABLE public.gpops_torture_canary; $$",
    "1; DROP TABLE public.gpops_torture_canary",
    "1) ; DROP TABLE public.gpops_torture_canary; --",
    "%s",
    "%(x)s",
    "%",
    "%%",
    "100%",
    "{}",
    "{0.__class__}",
    "{{ 7 * 7 }}",
    "{% raw %}",
    "a\0b",
    "\ud800",
    "\udfff\ud800",
    "\u202egnp.exe",
    "\u2066\u2069",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\r\n",
    "\n; DROP TABLE public.gpops_torture_canary",
    "",
    " ",
    "none",
    "NULL",
    "default_group",
    "admin_group",
    "sammy",
    "*",
    "[",
    "[z-a]",
    "(a+)+$",
    "(?P<x",
    "\\",
    "-1",
    "0",
    "999999999999999999999",
    "1e400",
    "nan",
    "inf",
    "-0.0",
    "1d",
    "127.0.0.1/99",
    "::1%lo",
    "~/x",
    "$HOME",
    "ß" * 64,
    "a" * 64,
)
# Where to connect to stays; and nobody waits, nor ends the sessions of the test itself.
FIXED = {"login_host", "login_port", "login_user", "login_password", "login_db", "login_unix_socket", "timeout"}
FIXED |= {"wait", "grace_period", "exclude_users", "cancel_first"}


@pytest.fixture(scope="module")
def cluster(own_cluster: Cluster) -> Cluster:
    """Hostile options change groups and end sessions: that is no place for the tests after them."""
    return own_cluster


texts = st.one_of(st.sampled_from(NASTY), st.text(st.characters(codec=None), max_size=40))
values = st.one_of(
    texts,
    st.integers(),
    st.booleans(),
    st.none(),
    st.floats(),
    st.lists(texts, max_size=3),
    st.dictionaries(texts, texts, max_size=2),
)


def of_option(spec: t.Mapping[str, t.Any]) -> st.SearchStrategy[t.Any]:
    """Mostly what the option takes, as hostile as it can be, and sometimes something else."""
    if spec.get("choices") and spec["type"] == "str":
        return st.one_of(st.sampled_from(spec["choices"]), st.sampled_from(spec["choices"]), values)
    if spec["type"] == "list":
        if spec.get("options"):
            return st.one_of(st.lists(of_options(spec["options"]), max_size=3), values)
        return st.one_of(st.lists(texts, max_size=3), values)
    if spec["type"] == "bool":
        return st.one_of(st.booleans(), st.booleans(), values)
    if spec["type"] in ("int", "float"):
        return st.one_of(st.integers(-2, 200), values)
    if spec["type"] == "dict":
        return st.one_of(st.dictionaries(texts, texts, max_size=2), values)
    return st.one_of(texts, texts, values)


def of_options(spec: t.Mapping[str, t.Any]) -> st.SearchStrategy[dict[str, t.Any]]:
    """Up to three of the options."""
    strategies = {name: of_option(each) for name, each in spec.items() if name not in FIXED}
    chosen = st.sets(st.sampled_from(sorted(strategies)), max_size=3)
    return chosen.flatmap(lambda names: st.fixed_dictionaries({name: strategies[name] for name in sorted(names)}))


def specs() -> dict[str, dict[str, t.Any]]:
    """All options of each module."""
    from ansible_collections.gpops.toolkit.plugins.module_utils import (
        _backend,
        _connection,
        _process_info,
        _resource_group,
        _resource_group_info,
        _selection,
    )

    common = _connection.ARGUMENT_SPEC
    return {
        "gp_process_info": {**common, **_selection.ARGUMENT_SPEC, **_process_info.ARGUMENT_SPEC},
        "gp_backend": {**common, **_selection.ARGUMENT_SPEC, **_backend.ARGUMENT_SPEC},
        "gp_resource_group": {**common, **_resource_group.ARGUMENT_SPEC},
        "gp_resource_group_info": {**common, **_resource_group_info.ARGUMENT_SPEC},
    }


def run_here(name: str, options: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, t.Any]:
    """The module's result, from its main(); anything but its own end is raised."""
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": {**options, "_ansible_remote_tmp": "/tmp"}})
    monkeypatch.setattr(ansible.module_utils.basic, "_ANSIBLE_ARGS", arguments.encode())
    monkeypatch.setattr(ansible.module_utils.basic, "_ANSIBLE_PROFILE", "legacy")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python's own about odd expressions, which go to the standard error
        forge.modules()[name]()
    text = printed.getvalue()
    # What a terminal would obey.
    assert not [character for character in text if ord(character) < 32 and character != "\n"], text[:500]
    return t.cast("dict[str, t.Any]", json.loads(text))


def check(said: dict[str, t.Any]) -> str:
    """A success, or one clear error."""
    if not said.get("failed"):
        return "success"
    message = said["msg"]
    assert isinstance(message, str)
    assert message.strip()
    assert "Traceback" not in message
    assert said.get("exception") is None, said
    if "option" not in said:  # Ansible's own words repeat what they refuse, or the server's
        return "error"
    assert len(message) < LONGEST_MESSAGE, message[:3000]
    return "error that names an option"


@pytest.mark.parametrize("module", sorted(specs()))
def test_hostile_options(cluster: Cluster, scene: Scene, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    if not cluster.embedded:
        pytest.skip("this changes and ends what it finds; it runs on an embedded engine only")
    scene.table("gpops_torture_canary")
    scene.sql(f"INSERT INTO {CANARY} VALUES (1), (2)")
    for key in [key for key in os.environ if key.startswith("PG")]:
        monkeypatch.delenv(key)
    base = {**cluster.login(cluster.admin), "timeout": 10}
    usual: dict[str, t.Any] = {"gp_resource_group": {"name": "default_group"}}.get(module, {})
    if module == "gp_backend":
        usual = {"state": "terminated", "users": ["nobody_at_all"]}
        base = {**base, "wait": False, "exclude_users": [cluster.admin], "toolkit": "native"}
    ended: collections.Counter[str] = collections.Counter()

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(of_options(specs()[module]))
    def hostile(options: dict[str, t.Any]) -> None:
        ended[check(run_here(module, {**usual, **options, **base}, monkeypatch))] += 1

    hostile()
    assert scene.sql(f"SELECT count(*) FROM {CANARY}") == [(2,)]
    assert ended["success"] > EXAMPLES / 100, ended
    assert ended["error that names an option"] > EXAMPLES / 100, ended
    figures.record("input", cluster.family, {module: dict(ended)})


@pytest.mark.parametrize("module", sorted(specs()))
def test_huge_options(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    if not cluster.embedded:
        pytest.skip("it would fill the log of a real server")
    base = {**cluster.login(cluster.admin), "timeout": 20}
    required = {"gp_backend": {"state": "cancelled"}, "gp_resource_group": {"name": "x", "state": "absent"}}
    for name, spec in specs()[module].items():
        if name in {"login_host", "login_port", "login_unix_socket"} or spec["type"] not in ("str", "list", "path"):
            continue
        huge: t.Any = "x" * HUGE
        if spec["type"] == "list":
            huge = [{"name": huge}] if spec.get("options") else [huge]
        options = {**base, **required.get(module, {}), name: huge}
        if name == "groups":
            del options["name"], options["state"]
        check(run_here(module, options, monkeypatch))


@pytest.mark.parametrize("module", sorted(specs()))
def test_infinity(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    required = {"gp_backend": {"state": "cancelled"}, "gp_resource_group": {"name": "x", "state": "absent"}}
    for name, spec in specs()[module].items():
        if spec["type"] in ("int", "float", "bool"):
            options = {**cluster.login(cluster.admin), **required.get(module, {}), name: float("inf")}
            assert check(run_here(module, options, monkeypatch)) != "success"


@pytest.mark.parametrize("module", sorted(specs()))
def test_half_of_a_pair(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    required = {"gp_backend": {"state": "cancelled"}, "gp_resource_group": {"name": "x", "state": "absent"}}
    for name, spec in specs()[module].items():
        if name not in FIXED and spec["type"] in ("str", "path", "list"):
            value: t.Any = ["\ud800"] if spec["type"] == "list" else "\ud800"
            options = {**cluster.login(cluster.admin), **required.get(module, {}), name: value}
            assert check(run_here(module, options, monkeypatch)) != "success", name


@pytest.mark.parametrize("key", ["\0", "a\0b", "\ud800"])
def test_a_key_that_is_no_text(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    options = {**cluster.login(cluster.admin), "connect_params": {key: "x"}}
    assert check(run_here("gp_process_info", options, monkeypatch)) != "success"
