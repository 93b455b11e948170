# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What no linter holds together."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import yaml
from ansible_collections.gpops.toolkit.plugins.module_utils import _resource_group

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_action_group_lists_every_module() -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    modules = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
    assert runtime["action_groups"]["gp"] == modules


def test_the_role_declares_groups_with_the_options_of_the_module() -> None:
    role = ROOT / "roles" / "gp_resource_groups"
    specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    options = specs["argument_specs"]["main"]["options"]
    module = _resource_group.ARGUMENT_SPEC
    entry = {name: spec["type"] for name, spec in module["groups"]["options"].items()}
    assert {name: spec["type"] for name, spec in options["gp_resource_groups_desired"]["options"].items()} == entry
    own = {name: spec for name, spec in module.items() if name not in {*entry, "groups"}}
    settings = {
        name: {key: spec[key] for key in ("type", "default") if key in spec}
        for name, spec in options.items()
        if name not in {"gp_connection", "gp_resource_groups_desired"}
    }
    assert settings == {f"gp_resource_groups_{name}": spec for name, spec in own.items()}
    defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text(encoding="utf-8"))
    assert defaults == {name: spec["default"] for name, spec in settings.items() if "default" in spec}


def test_an_execution_environment_gets_what_the_modules_need() -> None:
    done = subprocess.run(
        ["ansible-builder", "introspect", str(ROOT / ".cache" / "live")], stdout=subprocess.PIPE, text=True, check=True
    )
    found = yaml.safe_load(done.stdout[done.stdout.index("---\n") :])
    assert "psycopg2-binary>=2.8" in json.dumps(found["python"])


def test_workflows_run_sessions_of_nox_and_nothing_else() -> None:
    ran: list[str] = []
    for path in sorted((ROOT / ".github" / "workflows").glob("*.yml")):
        jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()
        for job in jobs:
            sessions = job.get("strategy", {}).get("matrix", {}).get("session", [])
            commands = [step["run"] for step in job["steps"] if "run" in step]
            assert commands.pop(0) == "python -m pip install --requirement tests/nox/requirements.txt"
            for command in commands:
                name = command.removeprefix("nox --session ")
                ran += sessions if name == "${{ matrix.session }}" else [name]
    assert set(ran) <= set(targets_of_nox())
    assert set(ran) >= {"static", *made_by_test()}


def targets_of_nox() -> list[str]:
    text = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    return re.findall(r'^    "([a-z-]+)": "', text, re.MULTILINE)


def made_by_test() -> list[str]:
    """What "make test" makes after the static checks."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    found = re.search(r"^test:.*\n.* static\n\t@\$\(MAKE\) (.*)$", makefile, re.MULTILINE)
    assert found
    return found[1].split()


def test_the_sessions_are_targets_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [name for name in targets_of_nox() if not re.search(rf"^{name}:", makefile, re.MULTILINE)] == []


def test_the_readme_has_the_order_of_the_certification_template() -> None:
    headings = re.findall(r"^## (.*)$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == [
        "Description",
        "Requirements",
        "Installation",
        "Use Cases",
        "Testing",
        "Contributing",
        "Support",
        "Release Notes and Roadmap",
        "Related Information",
        "License Information",
    ]


def test_what_the_checklist_names_is_there() -> None:
    text = (ROOT / "docs" / "checklist.md").read_text(encoding="utf-8")
    paths = [name for name in re.findall(r"`([\w./*-]+)`", text) if "/" in name or name.endswith((".md", ".yml"))]
    assert [name for name in paths if not list(ROOT.glob(name.rstrip("/")))] == []
    targets = [name for found in re.findall(r"`make ([\w -]+)`", text) for name in found.split()]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [name for name in targets if not re.search(rf"^{name}:", makefile, re.MULTILINE)] == []


def test_the_changelog_names_all_there_is() -> None:
    releases = yaml.safe_load((ROOT / "changelogs" / "changelog.yaml").read_text(encoding="utf-8"))["releases"]
    version = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["version"]
    assert version in releases, 'run "make release"'
    listed = set()
    for release in releases.values():
        kinds = [release.get("modules", []), *release.get("plugins", {}).values(), *release.get("objects", {}).values()]
        listed |= {entry["name"] for entries in kinds for entry in entries}
    there = {path.stem for pattern in ("plugins/modules/*.py", "plugins/filter/*.py") for path in ROOT.glob(pattern)}
    there |= {path.stem for path in ROOT.glob("playbooks/*.yml")} | {path.name for path in ROOT.glob("roles/*")}
    assert sorted(there - listed) == []
