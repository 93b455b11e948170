# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Arrows between the packages run down only, nobody stands on an operation, and what calls itself pure does no I/O."""

from __future__ import annotations

import ast
import re
import typing as t
from pathlib import Path

import pytest
from ansible_collections.gpops.toolkit.plugins.module_utils._core.families import FAMILIES

ROOT = Path(__file__).resolve().parents[3]
PLUGINS = ROOT / "plugins"
UTILS = PLUGINS / "module_utils"
PREFIXES = re.compile(r"^ansible_collections\.gpops\.toolkit\.plugins\.(module|plugin)_utils\.")
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
# A package, and those that it may import beside itself, as the pictures of the page say.
BELOW = {
    package: set(below.replace("|", " ").split())
    for package, below in re.findall(r"^(_\w+) +->(.*)$", PAGE, re.MULTILINE)
}
SCREEN = 40
IO = {"_core.driver", "_core.connection", "_core.cluster", "_files.private", "psycopg2"}


def trees(folder: Path) -> dict[str, ast.Module]:
    """Each file by its name, such as _core.errors."""
    return {
        ".".join(path.relative_to(folder).with_suffix("").parts): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(folder.rglob("*.py"))
    }


TREES = trees(UTILS)
# What is for the control node only stands on them.
ALL = {**trees(PLUGINS / "plugin_utils"), **TREES}
OPERATIONS = {
    name
    for name, tree in TREES.items()
    if any(isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "DEFINITION" for node in tree.body)
}


def imported(nodes: t.Iterable[ast.stmt]) -> t.Iterator[str]:
    """What is imported when the module runs, in its functions, too; what only types need is not."""
    for node in nodes:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "t.TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = PREFIXES.sub("", f"{node.module}.{alias.name}")
                yield whole if whole in ALL else PREFIXES.sub("", node.module)
        else:
            yield from imported(child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt))


IMPORTS = {name: set(imported(tree.body)) for name, tree in ALL.items()}


def in_words(tree: ast.AST) -> t.Iterator[str]:
    """The texts that code works with, without docstrings, which stand alone."""
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            yield node.value


def reached(name: str) -> set[str]:
    found: set[str] = set()
    ahead = [name]
    while ahead:
        new = IMPORTS.get(ahead.pop(), set()) - found
        found |= new
        ahead += new
    return found


def on_the_page() -> set[str]:
    """The files that the tables of the page name, as _core.errors."""
    found: set[str] = set()
    package = ""
    for line in PAGE.splitlines():
        head = re.match(r"\| `(_\w+)/` \|", line)
        if head or line.startswith("| in `plugins/plugin_utils/`"):
            package = f"{head.group(1)}." if head else ""
        elif line.startswith("| `") and not line.startswith("| `_report/page`"):
            found |= {package + name.replace("/", ".") for name in re.findall(r"`([\w/]+)`", line.split("|")[1])}
    return found | {"_report.page"}


def test_the_page_has_each_file_and_no_other() -> None:
    assert on_the_page() == set(ALL)


def test_each_file_is_in_a_package() -> None:
    assert {name.split(".")[0] for name in ALL} == set(BELOW)
    assert {name for name in TREES if name.split(".")[1].startswith("gp_")} == OPERATIONS


@pytest.mark.parametrize("name", ALL)
def test_arrows_run_down(name: str) -> None:
    package = name.split(".", maxsplit=1)[0]
    ours = {other for other in IMPORTS[name] if other in ALL}
    assert {other.split(".")[0] for other in ours} <= BELOW[package] | {package}
    assert ours & OPERATIONS == set()


def test_no_arrow_of_the_page_is_without_an_import() -> None:
    drawn = {(package, below) for package, all_below in BELOW.items() for below in all_below}
    imports = {
        (name.split(".")[0], other.split(".")[0])
        for name, others in IMPORTS.items()
        for other in others
        if other in ALL
    }
    assert drawn <= imports


@pytest.mark.parametrize(
    "name", [name for name, tree in ALL.items() if (ast.get_docstring(tree) or "").startswith("PURE")]
)
def test_what_is_pure_does_no_io(name: str) -> None:
    assert reached(name) & IO == set()


@pytest.mark.parametrize("path", sorted(set(PLUGINS.rglob("*.py")) - set((PLUGINS / "modules").glob("*"))))
def test_only_one_file_knows_the_names_of_families(path: Path) -> None:
    if path != UTILS / "_core" / "families.py":
        assert set(in_words(ast.parse(path.read_text(encoding="utf-8")))) & set(FAMILIES) == set()


@pytest.mark.parametrize("path", sorted([*PLUGINS.rglob("*.py"), *(ROOT / "tests" / "sandbox").glob("*.py")]), ids=str)
def test_a_function_fits_a_screen(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    lines = {node.name: (node.end_lineno or 0) - node.lineno + 1 for node in functions}
    assert {name: number for name, number in lines.items() if number > SCREEN} == {}
