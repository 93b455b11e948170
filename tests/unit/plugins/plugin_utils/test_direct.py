# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from ansible_collections.gpops.toolkit.plugins.module_utils._core import driver
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError
from ansible_collections.gpops.toolkit.plugins.module_utils._core.module import Definition
from ansible_collections.gpops.toolkit.plugins.plugin_utils import _direct

PLAIN = _direct.Circumstances(
    transport="local",
    become=False,
    in_background=False,
    interpreter="auto",
    environment=["PGHOST"],
    arguments=["users"],
    switches={"gpops_direct": True, "GPOPS_DIRECT": True},
)


def test_an_ordinary_local_task_runs_in_place() -> None:
    for interpreter in ("auto", "auto_silent", "", sys.executable):
        task = dataclasses.replace(PLAIN, interpreter=interpreter)
        assert _direct.obstacle(task, sys.executable, driver_missing=False) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"switches": {"gpops_direct": False, "GPOPS_DIRECT": True}}, "gpops_direct is off"),
        ({"switches": {"gpops_direct": True, "GPOPS_DIRECT": False}}, "GPOPS_DIRECT is off"),
        ({"transport": "ssh"}, "the connection is ssh"),
        ({"become": True}, "it becomes another user"),
        ({"in_background": True}, "it is asynchronous"),
        ({"interpreter": "/usr/bin/another"}, "its Python is /usr/bin/another"),
        ({"interpreter": "python3"}, "its Python is python3"),
        ({"environment": ["PGHOST", "PYTHONPATH"]}, "PYTHONPATH of its environment counts at the start of a process"),
        ({"environment": ["LD_LIBRARY_PATH"]}, "LD_LIBRARY_PATH of its environment counts at the start of a process"),
        ({"arguments": ["users", "_ansible_check_mode"]}, "_ansible_check_mode is for modules"),
    ],
)
def test_what_makes_it_a_module(change: dict[str, t.Any], reason: str) -> None:
    assert _direct.obstacle(dataclasses.replace(PLAIN, **change), sys.executable, driver_missing=False) == reason


def test_without_the_driver_it_is_a_module() -> None:
    reason = _direct.obstacle(PLAIN, sys.executable, driver_missing=True)
    assert reason == "the Python of the controller has no psycopg2"


def test_another_environment_of_the_same_python_is_another_interpreter(tmp_path: Path) -> None:
    for folder in ("one/bin", "two/bin"):
        (tmp_path / folder).mkdir(parents=True)
        for name in ("python", "python3"):
            (tmp_path / folder / name).symlink_to(os.path.realpath(sys.executable))
    (tmp_path / "again").symlink_to(tmp_path / "one")
    one = str(tmp_path / "one/bin/python")
    assert _direct.same_interpreter(str(tmp_path / "one/bin/python3"), one)
    assert _direct.same_interpreter(str(tmp_path / "again/bin/python"), one)
    assert not _direct.same_interpreter(str(tmp_path / "two/bin/python"), one)
    assert not _direct.same_interpreter("python", one)


def test_the_environment_comes_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPOPS_A", "before")
    monkeypatch.delenv("GPOPS_B", raising=False)
    with contextlib.suppress(KeyError), _direct.environment({"GPOPS_A": 1, "GPOPS_B": "b"}):
        # As C libraries see it.
        shown = subprocess.run(["env"], capture_output=True, text=True, check=True).stdout.splitlines()
        assert {"GPOPS_A=1", "GPOPS_B=b"} <= set(shown)
        raise KeyError
    assert os.environ["GPOPS_A"] == "before"
    assert "GPOPS_B" not in os.environ


SPEC: dict[str, t.Any] = {
    "number": {"type": "int", "aliases": ["count"]},
    "old": {"type": "str", "removed_in_version": "9.0.0", "removed_from_collection": "gpops.toolkit"},
    "home": {"type": "path"},
    "flag": {"type": "bool", "default": False},
    "outcome": {"type": "str", "choices": ["good", "bad", "warned"], "default": "good"},
    "groups": {"type": "list", "elements": "dict", "options": {"name": {"type": "str", "required": True}}},
}
MODULE = """
from unit.plugins.plugin_utils.test_direct import DEFINITION
from ansible_collections.gpops.toolkit.plugins.module_utils._core.module import run_module
run_module(DEFINITION)
"""


def operation(options: t.Mapping[str, t.Any], check_mode: bool) -> tuple[dict[str, t.Any], list[str]]:
    """Repeats what it got."""
    if options["outcome"] == "bad":
        raise OptionError("outcome", "it is bad", changed=True)
    seen = {name: value for name, value in options.items() if name in SPEC}
    warnings = ["one", "one", "two"] if options["outcome"] == "warned" else []
    return {"changed": not check_mode, "seen": seen, "tuple": (1, 2)}, warnings


DEFINITION = Definition(operation, SPEC)
SECRET = "s3cret"


def as_module(arguments: t.Mapping[str, t.Any], check_mode: bool) -> tuple[dict[str, t.Any], str]:
    """What a module of this definition prints, and what it says by the way: here that goes to the standard error."""
    for_the_module = {"check_mode": check_mode, "module_name": "gpops.toolkit.gp_test", "inject_invocation": True}
    given = {**arguments, **{f"_ansible_{name}": value for name, value in for_the_module.items()}}
    done = subprocess.run(
        [sys.executable, "-c", MODULE],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": given}),
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout), " ".join(done.stderr.split())


@pytest.mark.parametrize("check_mode", [True, False])
@pytest.mark.parametrize(
    "arguments",
    [
        {"number": "3", "flag": "yes", "home": "~/x", "groups": [{"name": 5}]},
        {"count": 1, "number": 2, "login_password": SECRET},
        {"old": "x"},
        {"outcome": "bad", "login_password": SECRET, "connect_params": {"password": SECRET, "keepalives": 1}},
        {"outcome": "warned"},
        {"outcome": SECRET, "login_password": SECRET},
        {"number": "three", "login_password": "three"},
        {"nonsense": SECRET, "login_password": SECRET},
        {"nonsense": 1, "connect_params": {"password": SECRET, "keepalives": 1}},
        {"nonsense": 1, "connect_params": f"passwd={SECRET} keepalives=1"},
        {"connect_params": SECRET},
        {"login_host": "a", "login_unix_socket": "/tmp"},
        {"number": float("inf")},
        {"groups": [{"nam": 5}]},
        {"groups": [{}]},
        {"home": "a\0b"},
    ],
)
def test_it_is_what_the_module_prints(arguments: dict[str, t.Any], check_mode: bool) -> None:
    printed, said = as_module(arguments, check_mode)
    plain = _direct.as_plain_data(arguments)
    here = _direct.act(_direct.prepare("gpops.toolkit.gp_test", DEFINITION, plain, check_mode))
    assert here == json.loads(json.dumps(here))
    warnings, deprecations = here.pop("warnings", []), here.pop("deprecations", [])
    assert said.count("[WARNING]: ") == len(warnings) + bool(deprecations)  # how to switch off the latter
    assert said.count("[DEPRECATION WARNING]: ") == len(deprecations)
    for text in [*warnings, *(each["msg"] for each in deprecations)]:
        assert f"WARNING]: {text}" in said
    assert here == printed
    assert SECRET not in json.dumps(here)


def test_a_missing_driver_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "PSYCOPG2_IMPORT_ERROR", "the traceback")
    found = _direct.act(_direct.prepare("gpops.toolkit.gp_test", DEFINITION, {}, check_mode=False))
    assert found["failed"] is True
    assert "psycopg2" in found["msg"]
    assert found["exception"] == "the traceback"


def test_each_module_has_an_action_plugin_for_the_same_definition() -> None:
    plugins = Path(_direct.__file__).parent.parent
    for path in sorted((plugins / "modules").glob("gp_*.py")):
        source = path.read_text(encoding="utf-8")
        if "run_module(DEFINITION)" not in source:
            continue
        lines = [line for line in source.splitlines() if line.endswith("import DEFINITION")]
        action = (plugins / "action" / path.name).read_text(encoding="utf-8")
        assert lines[0] in action
        assert f'module = "{path.stem}"' in action
