# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the documentation says is so, as far as it can be seen without a server."""

from __future__ import annotations

import json
import re
import subprocess
import typing as t

import pytest
import yaml
from pages import commands, errors, playbooks
from pages.rst import PAGES, ROOT, Block, blocks, pages

MODULES = sorted((ROOT / "plugins" / "modules").glob("*.py"))
READ = [*pages(), *sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")), *ROOT.glob("roles/*/README.md")]
BLOCKS = [block for page in READ for block in blocks(page)]
KINDS = {"console", "json", "sql", "text", "yaml", "python", "toml"}


def of(language: str) -> list[Block]:
    return [block for block in BLOCKS if block.language == language]


def test_each_page_is_in_the_contents() -> None:
    contents = yaml.safe_load((ROOT / "docs" / "docsite" / "extra-docs.yml").read_text(encoding="utf-8"))
    listed = [name for section in contents["sections"] for name in section["toctree"]]
    assert sorted(listed) == [path.stem for path in pages()]


def test_the_page_of_the_playbooks_is_what_they_say() -> None:
    written = (PAGES / "playbooks.rst").read_text(encoding="utf-8")
    assert written == playbooks.page(), 'run "make pages"'


def test_blocks_are_of_a_kind_that_a_test_looks_at() -> None:
    assert {block.language for block in BLOCKS} <= KINDS


@pytest.mark.parametrize("block", of("console"), ids=str)
def test_commands_are_right(block: Block) -> None:
    lines = block.text.replace("\\\n", " ").splitlines()
    assert [line for line in lines if not line.startswith("$ ")] == []
    assert [problem for line in lines for problem in commands.problems(line.removeprefix("$ "))] == []


@pytest.mark.parametrize(
    "command",
    [
        "ansible-playbook gpops.toolkit.no_such -i inventory",
        "ansible-playbook gpops.toolkit.processes -i inventory -e gp_proces_options=1",
        "ansible-doc gpops.toolkit.gp_no_such",
        "make no-such",
        "no-such-program",
    ],
)
def test_wrong_commands_are_found(command: str) -> None:
    assert commands.problems(command)


@pytest.mark.parametrize("block", [b for b in of("text") if b.page.endswith(".rst")], ids=str)
def test_errors_that_are_quoted_can_be_said(block: Block) -> None:
    assert errors.is_said(block.text.strip(), errors.said())


def test_an_error_that_nobody_says_is_found() -> None:
    assert not errors.is_said("the login role lacks a privilege for that", errors.said())
    assert not errors.is_said("no connection to … within the timeout", errors.said())


@pytest.mark.parametrize("page", [PAGES / "troubleshooting.rst"], ids=lambda page: page.stem)
def test_other_errors_in_words_can_be_said(page: t.Any) -> None:
    words = re.findall(r"Or ``([^`]+)``", page.read_text(encoding="utf-8"))
    assert words
    assert [text for text in words if not errors.is_said(text, errors.said())] == []


@pytest.fixture(scope="module")
def documented() -> dict[str, t.Any]:
    """What ansible-doc says of each module."""
    names = [f"gpops.toolkit.{path.stem}" for path in MODULES]
    done = subprocess.run(["ansible-doc", "--json", *names], stdout=subprocess.PIPE, check=True)
    return {name.rpartition(".")[2]: found["doc"] for name, found in json.loads(done.stdout).items()}


@pytest.mark.parametrize("module", [path.stem for path in MODULES])
def test_each_module_says_how_it_behaves(module: str, documented: dict[str, t.Any]) -> None:
    attributes = documented[module]["attributes"]
    assert {"action_group", "check_mode", "diff_mode", "idempotent", "platform"} <= set(attributes)
    assert attributes["action_group"]["membership"] == ["gpops.toolkit.gp"]
    assert [name for name, attribute in attributes.items() if not attribute["support"]] == []


@pytest.mark.parametrize("module", [path.stem for path in MODULES])
def test_what_is_new_is_so_since_a_release(module: str, documented: dict[str, t.Any]) -> None:
    releases = yaml.safe_load((ROOT / "changelogs" / "changelog.yaml").read_text(encoding="utf-8"))["releases"]
    assert documented[module]["version_added"] in releases
