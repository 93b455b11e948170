# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every regular expression of ours, and whose texts it reads: none that users write may cost more than its length."""

from __future__ import annotations

import ast
import importlib
import re
import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = "ansible_collections.gpops.toolkit.plugins"
parser: t.Any = importlib.import_module("re._parser")

# Of the operator, who writes the options, or of Ansible.
OPERATORS = {
    "_admissions._GLOB_CHARACTER",
    "_goals._SHARE",
    "_group_values.INTEGER",
    "_group_values._CORES",
    "_group_values._IO_SETTING",
    "_group_values._TABLESPACE",
    "_group_wishes._OPTION_NAME",
    "_groups.INTEGER",
    "_guards._WINDOW",
    "_startup._WORD",
    "_victims._START",
    "_words._DURATION",
}
# Of users, or of a server that may be anybody's.
OTHERS = {
    "_answers._INSTANT",
    "_answers._NO_TEXT",
    "_answers._WHOLE",
    "_engine._VERSION_IN_TEXT",
    "_report_data._COUNTS",
    "_report_data._OF_ANSIBLE",
    "_report_data._SECRET",
    "_secret_names._PART_OF_NAME",
    "_secrets._BLANKS",
    "_secrets._CALL",
    "_secrets._CAST",
    "_secrets._CLOSED",
    "_secrets._DECLARED",
    "_secrets._ESCAPE",
    "_secrets._LINK",
    "_secrets._NEXT_PAIR",
    "_secrets._OPEN_PAIR",
    "_secrets._OWN_FLAG",
    "_secrets._PATH",
    "_secrets._PLACEHOLDER",
    "_secrets._REST_OF_NAME",
    "_secrets._RUN_STOP",
    "_secrets._SETTING",
    "_secrets._SHORT_COMMENT",
    "_secrets._SPACE",
    "_secrets._SPACE_OR_QUOTE",
    "_secrets._STEP",
    "_secrets._STEP_IN_CALL",
    "_secrets._USER_FLAG",
    "_tokens.START",
    "_tokens.START_IN_TEXT",
    "_tokens._COMMENT_EDGE",
    "_tokens._QUOTE_OR_BACKSLASH",
    "_visible._MANY_LINES",
    "_visible._ONE_LINE",
}
# Those that are made or used in a function, and how they are held.
IN_FUNCTIONS = {
    "_advice.advice_for_connect": "of a server, of whose text the beginning is looked at",
    "_file_trust.name_problem": "of the operator",
    "_goals._connections": "of the operator",
    "_goals._quotas": "of the operator",
    "_selection._regex_test": "of the operator, over texts of users: limited by timeout, and names its option",
    "_startup.settings_in": "of the operator",
    "_startup._escaped": "of the operator",
    "_words._glob": "of the operator, over names, which have 63 bytes at most",
}
# Filters and tests of Ansible: one class of characters, or nothing that repeats.
IN_YAML = {
    r"[\s\x00-\x1f\x7f-\x9f]+",
    r"[\\s\\x00-\\x1f\\x7f-\\x9f]+",
    "([*?[])",
    "^",
    "^dest",
    "^(dest|folder|name)",
    "^gp_remediation_",
    "^(.*)$",
}
LONG = 300


def sources() -> list[Path]:
    return sorted((ROOT / "plugins" / "module_utils").glob("_*.py")) + sorted(
        (ROOT / "plugins" / "plugin_utils").glob("_*.py")
    )


def module(path: Path) -> t.Any:
    return importlib.import_module(f"{PACKAGE}.{path.parent.name}.{path.stem}")


def test_each_expression_is_known() -> None:
    found = {
        f"{path.stem}.{name}"
        for path in sources()
        if path.stem != "__init__"
        for name, value in vars(module(path)).items()
        if isinstance(value, re.Pattern)
    }
    assert found == OPERATORS | OTHERS


def test_each_expression_in_a_function_is_known() -> None:
    found = set()
    for path in sources():
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef):
                calls = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
                names = [call for call in calls if isinstance(call, ast.Attribute) and call.attr != "escape"]
                if any(isinstance(call.value, ast.Name) and call.value.id == "re" for call in names):
                    found.add(f"{path.stem}.{function.name}")
    assert found == set(IN_FUNCTIONS)


def test_each_expression_in_yaml_is_known() -> None:
    files = [path for folder in ("roles", "playbooks") for path in (ROOT / folder).rglob("*.yml")]
    used = re.compile(r"regex_(?:replace|search|findall)'?\s*[,(]\s*'([^']*)'|(?:is|is not) (?:match|search|regex)\(")
    found = {
        match.group(1) for path in files for match in used.finditer(path.read_text()) if "molecule" not in str(path)
    }
    assert found == IN_YAML


def repeats(items: t.Any) -> tuple[int, int]:
    """Of an expression, how many unlimited repetitions can follow each other, and how deep they are nested."""
    number, depth = 0, 0
    for kind, value in items:
        name = str(kind)
        if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            _least, most, inner = value
            more, deep = repeats(inner)
            many = int(most > LONG)
            number += max(more, many)
            depth = max(depth, deep + many)
        elif name == "SUBPATTERN":
            more, deep = repeats(value[-1])
            number, depth = number + more, max(depth, deep)
        elif name == "BRANCH":
            each = [repeats(branch) for branch in value[1]]
            number, depth = number + max(one[0] for one in each), max(depth, *(one[1] for one in each))
        elif name in ("ASSERT", "ASSERT_NOT"):
            more, deep = repeats(value[1])
            number, depth = number + more, max(depth, deep)
    return number, depth


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_no_repetition_of_a_repetition(name: str) -> None:
    stem, attribute = name.split(".")
    pattern = getattr(module(next(path for path in sources() if path.stem == stem)), attribute)
    number, depth = repeats(parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE))
    assert depth <= 1
    # What is said before a word and the word; a number and its exponent; the name of an engine and its version.
    assert number <= 2


@pytest.mark.parametrize(
    ("pattern", "counted"), [("(a+)+", (1, 2)), ("a*b*", (2, 1)), ("(?:a|b+){2}", (1, 1)), ("a?", (0, 0))]
)
def test_the_count_itself(pattern: str, counted: tuple[int, int]) -> None:
    assert repeats(parser.parse(pattern)) == counted
