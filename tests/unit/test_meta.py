# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What no linter holds together."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import yaml
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups import gp_resource_group

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / ".ci"))

import cores  # noqa: E402 - it is found only now


def test_the_action_group_lists_every_module() -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    modules = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
    assert runtime["action_groups"]["gp"] == modules


def test_the_role_declares_groups_with_the_options_of_the_module() -> None:
    role = ROOT / "roles" / "gp_resource_groups"
    specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    options = specs["argument_specs"]["main"]["options"]
    module = gp_resource_group.ARGUMENT_SPEC
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
            assert commands.pop(0) == "python -m pip install --require-hashes --requirement tests/nox/lock.txt"
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


def pipelines() -> list[Path]:
    """What CI services run, ours and that of the examples."""
    return sorted([*(ROOT / ".github").rglob("*.y*ml"), *(ROOT / "examples" / "ci").glob("*.y*ml")])


def test_actions_are_pinned_by_commit_and_images_by_digest() -> None:
    """A tag is whatever its owner, or who took over from them, says; and these see secrets."""
    pinned = re.compile(r"[\w./-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+")
    uses: list[str] = []
    for path in pipelines():
        text = path.read_text(encoding="utf-8")
        uses += re.findall(r"^[ -]*uses:\s*(.*?)\s*$", text, re.MULTILINE)
        images = re.findall(r"^[ -]*(?:image|container):\s*(.*?)\s*$", text, re.MULTILINE)
        assert [image for image in images if not re.fullmatch(r"\S+@sha256:[0-9a-f]{64}", image)] == [], path
    assert [action for action in uses if not (action.startswith("./") or pinned.fullmatch(action))] == []
    # The same commit wherever it is used, or somebody forgot one.
    assert len(set(uses)) == len({action.partition("@")[0] for action in uses})
    assert uses


LOCKS = {"tests/requirements.txt": "tests/lock.txt", "tests/nox/requirements.txt": "tests/nox/lock.txt"}
LOCKS["tests/demo/requirements.txt"] = "tests/demo/lock.txt"


def test_what_ci_installs_is_pinned_by_hash() -> None:
    """Each line of pip in what CI runs; what a lock has is in test_the_locks_have_all_that_is_asked_for."""
    text = "\n".join(
        path.read_text(encoding="utf-8")
        for path in [ROOT / "Makefile", ROOT / ".ci" / "cores.py", *(ROOT / ".github" / "workflows").glob("*.yml")]
    ).replace("\\\n", " ")
    lines = [line for line in text.splitlines() if "--requirement" in line and re.search(r"\bpip\b|\(PIP\)", line)]
    free = [line for line in lines if "--require-hashes" not in line]
    # The benchmark is run by hand; and what writes the locks cannot have one.
    assert all("tests/requirements.txt" in line or ".cache/bench" in line for line in free), free
    assert len(lines) - len(free) >= 6


def test_the_locks_have_all_that_is_asked_for() -> None:
    sources = {**LOCKS, **{str(path.relative_to(ROOT)): None for path in (ROOT / ".ci" / "locks").glob("*.txt")}}
    for source, lock in sources.items():
        entries = locked(ROOT / (lock or source))
        assert [name for name, (_version, hashes) in entries.items() if not hashes] == []
        wanted = asked_for(ROOT / source) if lock else {("ansible-core", Path(source).stem)}
        there = {(name, version) for name, (versions, _hashes) in entries.items() for version in versions}
        assert wanted - there == set(), f'{lock}: run "make locks"'
    assert {path.stem for path in (ROOT / ".ci" / "locks").glob("*.txt")} == {*cores.CORES, *cores.NEXT}


def asked_for(path: Path) -> set[tuple[str, str]]:
    """The names and versions of a file of requirements, and of those that it includes."""
    found = set()
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("-r "):
            found |= asked_for(path.parent / line[3:])
        # What is for an older Python only is in the lock of the demo.
        elif (match := re.match(r"([\w.-]+)==([^;\s]+)", line)) and "python_version <" not in line:
            found.add((match[1].lower().replace("_", "-").replace(".", "-"), match[2]))
    return found


def locked(path: Path) -> dict[str, tuple[set[str], int]]:
    """Of each name in a lock its versions, and the number of their hashes."""
    found: dict[str, tuple[set[str], int]] = {}
    for entry in re.split(r"\n(?=\w)", path.read_text(encoding="utf-8").replace("\\\n", " ")):
        if match := re.match(r"([\w.-]+)==([^;\s]+)", entry):
            versions, hashes = found.get(match[1], (set(), 0))
            found[match[1]] = ({*versions, match[2]}, hashes + len(re.findall(r"--hash=sha256:[0-9a-f]{64}", entry)))
    return found
