# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hostile text in every option: each time a success or one clear error, and nothing of it is ever run.

The modules run in this process, from main() on, against a server: ten thousand of them take a minute or two so.
"""

from __future__ import annotations

import collections
import contextlib
import datetime as dt
import html.parser
import io
import json
import os
import typing as t
import warnings
from pathlib import Path

import ansible.module_utils.basic
import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from integration.cluster import Cluster, Scene
from torture import figures, forge
from torture.scale import scaled

EXAMPLES = scaled(100, 1700)  # of each of seven modules
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
    "testdb",
    "<gpops-tag>",
    "'\"><gpops-tag gpops-attribute='x'>",
    "</script><gpops-tag>",
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
# Nor are files written outside of the test's own folder.
FIXED |= {"dest"}
# What a module or an entry cannot do without, so that the rest of it is looked at.
REQUIRED: dict[str, dict[str, t.Any]] = {
    "gp_admission": {"databases": [{"name": "testdb", "connection_limit": -1}]},
    "gp_backend": {"state": "cancelled"},
    "gp_policy": {"policies": [{"name": "x", "state": "cancelled", "users": ["nobody_at_all"]}]},
    "gp_report": {"name": "x"},
    "gp_resource_group": {"name": "x", "state": "absent"},
}
ENTRIES: dict[str, dict[str, t.Any]] = {
    "databases": {"name": "testdb", "connection_limit": -1},
    "groups": {"name": "x", "state": "absent"},
    "policies": {"name": "x", "state": "cancelled", "match_all": True},
    "roles": {"name": "sammy", "login": True},
}


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
numbered = st.dictionaries(texts, st.one_of(texts, st.integers(-2, 200)), max_size=2)
# What modules return, and what is handed to others or to the report.
records = st.dictionaries(
    st.sampled_from(
        "pid sess_id backend_start query_start usename datname application_name state query waiting waiting_reason "
        "blocked_by blocks session_age state_age query_age transaction_age resource_group name status concurrency "
        "running queueing used max reserved outcome reason why victims relieved guard passed".split()
    ),
    st.one_of(values, st.integers(-2, 200), st.sampled_from(["active", "idle in transaction"])),
    max_size=8,
)
results = st.dictionaries(
    st.sampled_from(
        "processes groups connections counts by_user by_state policies guards statements victims skipped failed msg "
        "mode role engine".split()
    ),
    st.one_of(records, st.lists(records, max_size=3), values),
    max_size=5,
)


def of_option(spec: t.Mapping[str, t.Any], other: st.SearchStrategy[t.Any] = values) -> st.SearchStrategy[t.Any]:
    """Mostly what the option takes, as hostile as it can be, and sometimes something else."""
    if spec.get("choices") and spec["type"] == "str":
        return st.one_of(st.sampled_from(spec["choices"]), st.sampled_from(spec["choices"]), other)
    if spec["type"] == "list":
        if spec.get("options"):
            return st.one_of(*[st.lists(of_entry(spec["options"]), min_size=1, max_size=3)] * 4, other)
        if spec.get("elements") == "dict":
            return st.one_of(st.lists(records, max_size=3), other)
        return st.one_of(st.lists(of_element(spec), max_size=3), other)
    if spec["type"] == "bool":
        return st.one_of(st.booleans(), st.booleans(), other)
    if spec["type"] in ("int", "float"):
        return st.one_of(st.integers(-2, 200), other)
    if spec["type"] == "dict":
        return st.one_of(numbered, results, other)
    return st.one_of(texts, texts, other)


def of_element(spec: t.Mapping[str, t.Any]) -> st.SearchStrategy[t.Any]:
    """Of a list without entries."""
    if spec.get("choices"):
        return st.sampled_from(spec["choices"])
    return st.integers(-2, 2**31) if spec.get("elements") == "int" else texts


def of_options(
    spec: t.Mapping[str, t.Any], other: st.SearchStrategy[t.Any] = values
) -> st.SearchStrategy[dict[str, t.Any]]:
    """Up to three of the options, and often one that has entries."""
    strategies = {name: of_option(each, other) for name, each in spec.items() if name not in FIXED}
    chosen = st.sets(st.sampled_from(sorted(strategies)), max_size=3)
    entries = having_entries(spec)
    if entries:
        chosen = st.one_of(chosen, st.builds(lambda names, name: {*names, name}, chosen, st.sampled_from(entries)))
    return chosen.flatmap(lambda names: st.fixed_dictionaries({name: strategies[name] for name in sorted(names)}))


def having_entries(spec: t.Mapping[str, t.Any]) -> list[str]:
    """The options whose values are lists of dictionaries."""
    return [name for name, each in spec.items() if each.get("elements") == "dict"]


def of_entry(spec: t.Mapping[str, t.Any]) -> st.SearchStrategy[dict[str, t.Any]]:
    """Of an entry in a list: mostly with all that it must have and of the right kinds, else nobody would read it."""

    def complete(other: st.SearchStrategy[t.Any]) -> st.SearchStrategy[dict[str, t.Any]]:
        required = {name: of_option(each, other) for name, each in spec.items() if each.get("required")}
        return st.builds(lambda must, may: {**must, **may}, st.fixed_dictionaries(required), of_options(spec, other))

    return st.one_of(*[complete(st.nothing())] * 4, complete(values), of_options(spec))


def specs() -> dict[str, dict[str, t.Any]]:
    """All options of each module."""
    from ansible_collections.gpops.toolkit.plugins.module_utils._admission import gp_admission
    from ansible_collections.gpops.toolkit.plugins.module_utils._core import conninfo
    from ansible_collections.gpops.toolkit.plugins.module_utils._policies import gp_policy
    from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups import (
        gp_resource_group,
        gp_resource_group_info,
    )
    from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import gp_process_info, selection
    from ansible_collections.gpops.toolkit.plugins.module_utils._signals.request import ARGUMENT_SPEC
    from ansible_collections.gpops.toolkit.plugins.plugin_utils._report import gp_report

    common = conninfo.ARGUMENT_SPEC
    return {
        "gp_admission": {**common, **gp_admission.ARGUMENT_SPEC},
        "gp_policy": {**common, **gp_policy.ARGUMENT_SPEC},
        "gp_report": gp_report.ARGUMENT_SPEC,
        "gp_process_info": {**common, **selection.ARGUMENT_SPEC, **gp_process_info.ARGUMENT_SPEC},
        "gp_backend": {**common, **selection.ARGUMENT_SPEC, **ARGUMENT_SPEC},
        "gp_resource_group": {**common, **gp_resource_group.ARGUMENT_SPEC},
        "gp_resource_group_info": {**common, **gp_resource_group_info.ARGUMENT_SPEC},
    }


def run_here(name: str, options: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, t.Any]:
    """The module's result, from its main(); anything but its own end is raised."""
    if name == "gp_report":
        return report_here(options)
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


def report_here(options: dict[str, t.Any]) -> dict[str, t.Any]:
    """What becomes of a report, which no module writes: an action plugin does, in these steps."""
    from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import GpopsError
    from ansible_collections.gpops.toolkit.plugins.plugin_utils import _on_controller
    from ansible_collections.gpops.toolkit.plugins.plugin_utils._report import gp_report

    given = {name: value for name, value in options.items() if name not in _on_controller.CONNECTION_OPTIONS}
    checked = ArgumentSpecValidator(gp_report.ARGUMENT_SPEC).validate(given)
    if checked.error_messages:
        return {"failed": True, "msg": "; ".join(checked.error_messages)}
    try:
        written = gp_report.write(checked.validated_parameters, False, dt.datetime.now(dt.UTC))
    except GpopsError as error:
        return {**error.result, "failed": True, "msg": error.message}
    for kind in ("json", "html"):
        if written[f"{kind}_path"]:
            path = Path(written[f"{kind}_path"])
            text = path.read_text("utf-8")
            path.unlink()
            if kind == "json":
                assert text.isascii()
                json.loads(text)
            else:
                Tags().feed(text)
    return written


class Tags(html.parser.HTMLParser):
    """No text of a user becomes an element or an attribute."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert "gpops-tag" not in tag
        assert not [name for name, _value in attrs if "gpops-attribute" in name]


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
def test_hostile_options(
    cluster: Cluster, scene: Scene, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, module: str
) -> None:
    if not cluster.embedded:
        pytest.skip("this changes and ends what it finds; it runs on an embedded engine only")
    scene.table("gpops_torture_canary")
    scene.sql(f"INSERT INTO {CANARY} VALUES (1), (2)")
    for key in [key for key in os.environ if key.startswith("PG")]:
        monkeypatch.delenv(key)
    base = {**cluster.login(cluster.admin), "timeout": 10, "dest": str(tmp_path)}
    if module != "gp_report":
        del base["dest"]
    usual = {**REQUIRED, "gp_resource_group": {"name": "default_group"}}.get(module, {})
    usual_with_entries: dict[str, t.Any] = {}
    careful = {"wait": False, "exclude_users": [cluster.admin]}
    if module == "gp_backend":
        usual_with_entries = {"state": "terminated"}
        usual = {**usual_with_entries, "users": ["nobody_at_all"], **careful}
        base = {**base, "wait": False, "toolkit": "native"}
    with_entries = set(having_entries(specs()[module]))
    ended: collections.Counter[str] = collections.Counter()
    looked_into: collections.Counter[str] = collections.Counter()

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(of_options(specs()[module]))
    def hostile(options: dict[str, t.Any]) -> None:
        if module == "gp_policy":
            options = careful_policies(options, careful)
        start = usual_with_entries if with_entries & set(options) else usual
        said = run_here(module, {**start, **options, **base}, monkeypatch)
        end = check(said)
        ended[end] += 1
        if with_entries & set(options):
            looked_into[end] += 1

    hostile()
    assert scene.sql(f"SELECT count(*) FROM {CANARY}") == [(2,)]
    assert ended["success"] > EXAMPLES / 100, ended
    assert ended["error that names an option"] > EXAMPLES / 100, ended
    if with_entries:
        assert looked_into["error that names an option"] > EXAMPLES / 100, looked_into
    by_end = {f"with entries, {end}": number for end, number in looked_into.items()}
    figures.record("input", cluster.family, {module: {**ended, **by_end}})


def careful_policies(options: dict[str, t.Any], careful: dict[str, t.Any]) -> dict[str, t.Any]:
    """The same, but none ends sessions of the test, or waits: one that waits for quiet does so for days if asked."""
    entries = options.get("policies")
    if not isinstance(entries, list):
        return options
    entries = [{**entry, **careful} if isinstance(entry, dict) else entry for entry in entries]
    waits = any(isinstance(entry, dict) and entry.get("quiet_for") is not None for entry in entries)
    return {**options, "policies": entries, **({"mode": "report"} if waits else {})}


Place = tuple[list[str], t.Mapping[str, t.Any]]


def places(spec: t.Mapping[str, t.Any]) -> t.Iterator[Place]:
    """Each option, those of entries too: its names from the outside in, and its spec."""
    for name, each in spec.items():
        yield [name], each
        yield from (([name, *names], inner) for names, inner in places(each.get("options") or {}))


def put(required: dict[str, t.Any], names: t.Sequence[str], value: t.Any) -> dict[str, t.Any]:
    """What is required, with a value at a place."""
    first, *others = names
    if first == "groups":  # either one or several
        required = {}
    return {**required, first: [put(ENTRIES.get(first, {}), others, value)] if others else value}


def login_for(cluster: Cluster, module: str, folder: Path) -> dict[str, t.Any]:
    return {"dest": str(folder)} if module == "gp_report" else {**cluster.login(cluster.admin), "timeout": 20}


@pytest.mark.parametrize("module", sorted(specs()))
def test_huge_options(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, module: str) -> None:
    if not cluster.embedded:
        pytest.skip("it would fill the log of a real server")
    for names, spec in places(specs()[module]):
        if names[0] in {"login_host", "login_port", "login_unix_socket"} or spec["type"] not in ("str", "list", "path"):
            continue
        if spec.get("options"):
            continue
        huge: t.Any = "x" * HUGE
        if spec["type"] == "list":
            huge = [{"name": huge}] if spec.get("elements") == "dict" else [huge]
        options = put(REQUIRED.get(module, {}), names, huge)
        check(run_here(module, {**login_for(cluster, module, tmp_path), **options}, monkeypatch))


@pytest.mark.parametrize("module", sorted(specs()))
def test_infinity(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, module: str) -> None:
    for names, spec in places(specs()[module]):
        if spec["type"] in ("int", "float", "bool"):
            options = put(REQUIRED.get(module, {}), names, float("inf"))
            options = {**login_for(cluster, module, tmp_path), **options}
            assert check(run_here(module, options, monkeypatch)) != "success", names


@pytest.mark.parametrize("module", sorted(specs()))
def test_half_of_a_pair(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, module: str) -> None:
    for names, spec in places(specs()[module]):
        if names[0] in FIXED - {"dest"} or spec["type"] not in ("str", "path", "list"):
            continue
        if module == "gp_report" and names[0] not in ("name", "dest", "mode"):
            continue  # a text that is only shown has a question mark there
        value: t.Any = ["\ud800"] if spec["type"] == "list" else "\ud800"
        options = {**login_for(cluster, module, tmp_path), **put(REQUIRED.get(module, {}), names, value)}
        assert check(run_here(module, options, monkeypatch)) != "success", names


@pytest.mark.parametrize("path", ["/tmp/a\0b", "/tmp/\ud800"])
def test_a_folder_that_is_no_path(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    assert check(run_here("gp_report", {"name": "x", "dest": path}, monkeypatch)) == "error that names an option"


@pytest.mark.parametrize("key", ["\0", "a\0b", "\ud800"])
def test_a_key_that_is_no_text(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    options = {**cluster.login(cluster.admin), "connect_params": {key: "x"}}
    assert check(run_here("gp_process_info", options, monkeypatch)) != "success"
