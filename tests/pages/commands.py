# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with a command that the documentation shows."""

from __future__ import annotations

import json
import re
import shlex
import typing as t

import yaml
from ansible.cli.playbook import PlaybookCLI

from pages import playbooks
from pages.rst import ROOT

_COLLECTION = "gpops.toolkit."
# Programs of which only the name is looked at: nothing of ours is in their arguments.
_OTHERS = {"pip", "git", "eval", "export", "python3", "ansible-builder", "ansible-navigator", "nox"}


def problems(command: str) -> list[str]:
    """What is wrong with it, in words."""
    program, *arguments = shlex.split(command, comments=True)
    check = {
        "ansible-playbook": _playbook,
        "ansible-doc": _documented,
        "ansible-galaxy": _galaxy,
        "make": _target,
    }.get(program)
    if check:
        return check(arguments)
    return [] if program in _OTHERS or "=" in program else [f"{program} is not known"]


def _playbook(arguments: list[str]) -> list[str]:
    command = PlaybookCLI(["ansible-playbook", *arguments])
    command.init_parser()
    parser: t.Any = command.parser
    options = parser.parse_args(arguments)
    found = [name.removeprefix(_COLLECTION) for name in options.args]
    wrong = [f"there is no playbook {name}" for name in found if name not in playbooks.names()]
    if wrong:
        return wrong
    known = set().union(*(variables(name) for name in found))
    given = [name for text in options.extra_vars for name in _given(text)]
    return [f"{found} do not have {name}" for name in given if name not in known]


def _given(text: str) -> list[str]:
    if text.startswith("@"):
        return []
    if text.startswith("{"):
        return list(json.loads(text))
    return [text.split("=", 1)[0]]


def variables(playbook: str) -> set[str]:
    """The variables of a playbook: those that it names, and those of the entry point of its role."""
    known = {"gp_hosts", "gp_connection", *playbooks.playbook(playbook).variables}
    return known | {name for options in _role_options(playbook) for name in options}


def _role_options(playbook: str) -> t.Iterator[t.Mapping[str, t.Any]]:
    text = (ROOT / "playbooks" / f"{playbook}.yml").read_text(encoding="utf-8")
    for role in re.findall(rf"name: {re.escape(_COLLECTION)}(\w+)\n", text):
        specs = ROOT / "roles" / role / "meta" / "argument_specs.yml"
        if specs.exists():
            entries = yaml.safe_load(specs.read_text(encoding="utf-8"))["argument_specs"]
            yield entries.get(playbook, entries["main"])["options"]


def _documented(arguments: list[str]) -> list[str]:
    names = [name.removeprefix(_COLLECTION) for name in arguments if name.startswith(_COLLECTION)]
    there = {path.stem for folder in ("plugins/modules", "plugins/filter") for path in (ROOT / folder).glob("*.py")}
    there |= {path.name for path in (ROOT / "roles").glob("*")}
    return [f"there is no {name}" for name in names if name not in there]


def _galaxy(arguments: list[str]) -> list[str]:
    """Of this collection, by name or by its tarball; or of a file that names it."""
    verb, *names = [word for word in arguments if not word.startswith("-")][1:]
    ours = all(name.startswith((_COLLECTION[:-1], "gpops-toolkit-", "requirements.yml")) for name in names)
    return [] if names and ours and verb in ("install", "publish") else ["it is not about this collection"]


def _target(arguments: list[str]) -> list[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = [name for name in arguments if "=" not in name and not name.startswith("-")]
    return [f"make has no {name}" for name in targets if not re.search(rf"^{name}:", makefile, re.MULTILINE)]
