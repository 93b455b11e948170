# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of the playbooks, from the comments with which they begin."""

from __future__ import annotations

import dataclasses
import re

from pages.rst import ROOT, block, head, heading

FOLDER = ROOT / "playbooks"
_VARIABLE = re.compile(r"^(?P<name>[a-z_*]+)  +(?P<words>.+)$")
_INTRODUCTION = """Each playbook has the full name ``gpops.toolkit.NAME``. Every host of the inventory is a cluster.
What could end a session or change a setting reports only, until ``-e gp_remediation_mode=enforce``.
"""


@dataclasses.dataclass(frozen=True)
class Playbook:
    """What a playbook says of itself.

    Attributes:
        words: What it does, in sentences.
        command: An example.
        variables: Name -> what it is.
        notes: What else there is to say.
    """

    name: str
    words: str
    command: str
    variables: dict[str, str]
    notes: list[str]


def playbook(name: str) -> Playbook:
    """What the comments at the head of the playbook say."""
    # The licence is the first paragraph of the file.
    comments = (FOLDER / f"{name}.yml").read_text(encoding="utf-8").split("\n\n")[1]
    plain = "\n".join(line.removeprefix("#").removeprefix(" ") for line in comments.splitlines())
    words, command, *rest = plain.split("\n\n")
    found = (_VARIABLE.match(line) for line in rest[0].splitlines())
    variables = {match["name"]: match["words"] for match in found if match}
    return Playbook(name, _joined(words), command.strip(), variables, [_joined(note) for note in rest[1:]])


def _joined(text: str) -> str:
    return " ".join(text.split())


def names() -> list[str]:
    """All playbooks."""
    return sorted(path.stem for path in FOLDER.glob("*.yml"))


def page() -> str:
    """The page."""
    parts = [head("playbooks") + heading("Which playbooks are there?", "="), _INTRODUCTION]
    for name in names():
        book = playbook(name)
        parts += [heading(name, "-"), f"{book.words}\n", block("console", _prompted(book.command))]
        rows = [f"   * - ``{key}``\n     - {_literal(words)}" for key, words in book.variables.items()]
        parts.append(".. list-table::\n   :widths: 35 65\n\n" + "\n".join(rows) + "\n")
        for note in book.notes:
            parts.append(f"{_note(note)}\n")
    return "\n".join(parts)


def _prompted(commands: str) -> str:
    return "\n".join(f"$ {line.strip()}" for line in commands.splitlines())


def _literal(words: str) -> str:
    return re.sub(r"\b\w+\*", r"``\g<0>``", words)


def _note(note: str) -> str:
    command = re.match(r"All others: (?P<command>ansible-doc .*)", note)
    return f"All others: ``{command['command']}``" if command else _literal(note)
