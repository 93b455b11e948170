# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation's markup: what pages are made of, and what is read from them."""

from __future__ import annotations

import dataclasses
import re
import textwrap
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = ROOT / "docs" / "docsite" / "rst"
_HEAD = """..
  SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
  SPDX-License-Identifier: GPL-3.0-or-later

.. _ansible_collections.gpops.toolkit.docsite.{name}:

"""
_DIRECTIVE = re.compile(r"^(?P<indent> *)\.\. code-block:: (?P<language>\S+)\n\n", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Block:
    """A block of code in a page.

    Attributes:
        page: Name of the file.
        line: Where it begins, from 1.
    """

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def head(name: str) -> str:
    """What each page begins with."""
    return _HEAD.format(name=name)


def heading(text: str, line: str) -> str:
    """A heading."""
    return f"{text}\n{line * len(text)}\n"


def block(language: str, text: str) -> str:
    """A block of code."""
    return f".. code-block:: {language}\n\n{textwrap.indent(text, '   ')}\n"


def blocks(path: Path) -> t.Iterator[Block]:
    """The blocks of code of a page of reStructuredText or Markdown."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        for found in re.finditer(r"^```(\w+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            yield Block(path.name, text.count("\n", 0, found.start()) + 1, found[1], found[2])
        return
    for found in _DIRECTIVE.finditer(text):
        lines = []
        for line in text[found.end() :].split("\n"):
            if line.strip() and not line.startswith(found["indent"] + "   "):
                break
            lines.append(line)
        code = textwrap.dedent("\n".join(lines)).strip() + "\n"
        yield Block(path.name, text.count("\n", 0, found.start()) + 1, found["language"], code)


def pages() -> list[Path]:
    """All pages."""
    return sorted(PAGES.glob("*.rst"))
