# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The entry points of the role, their documentation, and the values in force say the same."""

from __future__ import annotations

import functools
import re
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.gpops.toolkit.plugins.doc_fragments import policies
from ansible_collections.gpops.toolkit.plugins.plugin_utils._runbooks import settings
from ansible_collections.gpops.toolkit.plugins.plugin_utils._runbooks.runbooks import RUNBOOKS
from ansible_collections.gpops.toolkit.plugins.plugin_utils._runbooks.steps import REGISTERED, STEPS, Step
from pages import runbooks

ROOT = Path(__file__).resolve().parent.parent.parent.parent
ROLE = ROOT / "roles" / "gp_remediation"
PREFIX = "gp_remediation_"


def load(path: Path) -> t.Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@functools.lru_cache
def made() -> dict[Path, str]:
    return runbooks.files()


SPECS: dict[str, dict[str, t.Any]] = load(ROLE / "meta" / "argument_specs.yml")["argument_specs"]
DEFAULTS = load(ROLE / "defaults" / "main.yml")
OF_A_POLICY: dict[str, t.Any] = yaml.safe_load(policies.ModuleDocFragment.DOCUMENTATION)["options"]["policies"][
    "suboptions"
]
OF_THE_MODULE = runbooks.OF_THE_MODULE
KINDS = {
    "run": settings.RUN_OPTIONS,
    "goal": settings.GOAL_OPTIONS,
    "care": settings.CARE_OPTIONS,
    "choice": settings.CHOICE_OPTIONS,
}
ENTRY_POINTS = sorted(SPECS)


def test_each_entry_point_is_documented_and_has_a_playbook() -> None:
    tasks = sorted(path.stem for path in (ROLE / "tasks").glob("[!_]*.yml"))
    assert tasks == ENTRY_POINTS
    playbooks = {"main": "remediate"}
    for name in ENTRY_POINTS:
        path = ROOT / "playbooks" / f"{playbooks.get(name, name)}.yml"
        text = path.read_text(encoding="utf-8")
        (plays,) = yaml.safe_load(text)
        (task,) = plays["tasks"]
        assert task["ansible.builtin.import_role"].get("tasks_from", "main") == name
        assert f"ansible-playbook gpops.toolkit.{path.stem} -i inventory" in text
        named = set(re.findall(r"^# (gp_remediation_\w+)", text, re.MULTILINE))
        assert named <= set(SPECS[name]["options"])


def test_the_options_of_the_module_are_all_known() -> None:
    known = [option for kind in ("goal", "care", "choice") for option in KINDS[kind]]
    assert sorted(known) == sorted(set(OF_A_POLICY) - {"name"})
    assert sorted(KINDS["run"]) == sorted(OF_THE_MODULE)


def test_lists_are_those_of_the_module() -> None:
    lists = {name for name, option in OF_A_POLICY.items() if option["type"] == "list" and option["elements"] != "dict"}
    assert lists | {"confirm"} == set(settings.LISTS)
    assert {name: OF_A_POLICY[name]["default"] for name in settings.PROTECTED} == {
        name: list(names) for name, names in settings.PROTECTED.items()
    }


def test_defaults_of_the_role_are_not_given_for_a_run() -> None:
    others = {PREFIX + name for runbook in RUNBOOKS.values() for name in settings.SETTINGS - set(runbook.own)}
    found = {name[len(PREFIX) :]: value for name, value in DEFAULTS.items() if name in others}
    harmful = {name: value for name, value in found.items() if not settings.takes(RUNBOOKS["main"], name)}
    assert harmful == settings.DEFAULTS


@pytest.mark.parametrize("path", sorted(made()), ids=lambda path: path.name)
def test_what_is_made_is_up_to_date(path: Path) -> None:
    """make pages writes it."""
    assert path.read_text(encoding="utf-8") == made()[path]


def tasks_of(name: str) -> t.Iterator[dict[str, t.Any]]:
    """The tasks of a file in order, with those that it imports; a rescue is none of them."""
    ahead: list[dict[str, t.Any]] = load(ROLE / "tasks" / name)
    for task in ahead:
        if "block" in task:
            yield from flat(task["block"])
        else:
            yield from flat([task])


def flat(tasks: list[dict[str, t.Any]]) -> t.Iterator[dict[str, t.Any]]:
    for task in tasks:
        imported = task.get("ansible.builtin.import_tasks")
        if "block" in task:
            block = list(flat(task["block"]))
            yield from block
            for step in flat(task.get("always", [])):
                yield {**step, "despite": block[-1]["name"]}
        elif imported:
            yield from tasks_of(imported)
        else:
            yield task


# What tells the end of a run is no step of it.
ENDING = {
    "Sum up",
    "Write the report",
    "Fail without the report",
    "Say what was done",
    "Show what is conspicuous",
    "Fail on what is conspicuous",
}


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_the_steps_are_those_of_the_tasks_file(name: str) -> None:
    found = [
        Step(task["name"], task.get("register", "").removeprefix(REGISTERED), task.get("despite", ""))
        for task in tasks_of(f"{name}.yml")
        if task["name"] not in ENDING
    ]
    assert found == list(STEPS[name])
    assert len({step.task for step in found}) == len(found)


def test_no_variable_of_the_role_has_more_than_a_line() -> None:
    assert all(isinstance(value, str) and "\n" not in value for value in load(ROLE / "vars" / "main.yml").values())


def test_what_is_documented_is_known_to_the_role() -> None:
    known = {PREFIX + name for name in settings.SETTINGS}
    for name in ENTRY_POINTS:
        assert set(SPECS[name]["options"]) - {"gp_connection"} <= known


@pytest.mark.parametrize("name", [name for name, runbook in RUNBOOKS.items() if runbook.policy is not None])
def test_a_runbook_documents_every_option_of_its_policy(name: str) -> None:
    takes = RUNBOOKS[name].takes
    assert set(takes) <= set(KINDS["goal"])
    documented = {option[len(PREFIX) :] for option in SPECS[name]["options"] if option.startswith(PREFIX)}
    assert {*KINDS["run"], *KINDS["care"], *KINDS["choice"], *takes} <= documented
    assert not (set(KINDS["goal"]) - set(takes)) & documented


def default_in_force(entry_point: str, option: str) -> t.Any:
    runbook = RUNBOOKS[entry_point]
    for more in runbook.unless.values():
        if option in more:
            return more[option]
    if option == "max_share":
        return runbook.max_share
    if PREFIX + option in DEFAULTS:
        return DEFAULTS[PREFIX + option]
    return (runbook.policy or {}).get(option, OF_A_POLICY.get(option, {}).get("default"))


# Described in words, because it is a template.
IN_WORDS = {"cluster"}


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_each_default_is_the_one_in_force(name: str) -> None:
    for option, spec in SPECS[name]["options"].items():
        short = option[len(PREFIX) :]
        if option != "gp_connection" and short not in IN_WORDS:
            found = spec.get("default")
            wanted = default_in_force(name, short)
            assert (option, str(found) if spec["type"] == "str" and found is not None else found) == (
                option,
                str(wanted) if spec["type"] == "str" and wanted is not None else wanted,
            )


def plain(option: dict[str, t.Any]) -> dict[str, t.Any]:
    """What the spec of an option of the role is to be."""
    found: dict[str, t.Any] = {key: option[key] for key in ("type", "elements", "choices") if key in option}
    if "suboptions" in option:
        found["options"] = {name: plain(value) for name, value in option["suboptions"].items()}
    return found


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_options_of_the_policy_have_its_types(name: str) -> None:
    for option, spec in SPECS[name]["options"].items():
        short = option[len(PREFIX) :]
        source = OF_A_POLICY.get(short) or OF_THE_MODULE.get(short)
        if source is None or option == "gp_connection":
            continue
        wanted = plain(source)
        assert (option, plain({**spec, "suboptions": spec["options"]} if "options" in spec else spec)) == (
            option,
            wanted,
        )
        assert spec["description"]


def test_the_options_of_a_boost_are_those_of_the_module() -> None:
    boost = SPECS["boost_group_window"]["options"][PREFIX + "boost"]["options"]
    module = runbooks.documented("gp_resource_group")
    for name, spec in boost.items():
        assert (name, spec["type"]) == (name, module[name]["type"])
