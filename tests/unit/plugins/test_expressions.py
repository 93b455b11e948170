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
PLUGINS = ROOT / "plugins"
PACKAGE = "ansible_collections.gpops.toolkit.plugins"
parser: t.Any = importlib.import_module("re._parser")

# Of the operator, who writes the options, or of Ansible.
OPERATORS = {
    "_admission.plan._GLOB_CHARACTER",
    "_core.list_text._AFTER_A_TIME",
    "_core.list_text._ENTRY",
    "_core.list_text._IN_BRACKETS",
    "_core.login_settings._WORD",
    "_core.option_types._DURATION",
    "_policies.guards._WINDOW",
    "_policies.thresholds._SHARE",
    "_resource_groups.desired._OPTION_NAME",
    "_resource_groups.notations._CORES",
    "_resource_groups.notations._IO_SETTING",
    "_resource_groups.notations._TABLESPACE",
    "_resource_groups.options.INTEGER",
    "_resource_groups.order.INTEGER",
    "_runbooks.decisions._FOLDER_OPTION",
    "_runbooks.settings._GLOBAL_FLAGS",
    "_signals.verdicts._START",
    "_signals.verdicts._TIME",
}
# Of users, or of a server that may be anybody's.
OTHERS = {
    "_core.answers._INSTANT",
    "_core.answers._NO_TEXT",
    "_core.answers._WHOLE",
    "_core.engine._VERSION_IN_TEXT",
    "_core.visible._MANY_LINES",
    "_core.visible._ONE_LINE",
    "_report.plain_data._COUNTS",
    "_report.plain_data._OF_ANSIBLE",
    "_report.plain_data._SECRET",
    "_sessions.secret_names._PART_OF_NAME",
    "_sessions.secret_values._BLANKS",
    "_sessions.secrets._CALL",
    "_sessions.secret_values._CAST",
    "_sessions.secret_values._CLOSED",
    "_sessions.secret_values._DECLARED",
    "_sessions.secrets._ESCAPE",
    "_sessions.secret_values._LINK",
    "_sessions.secret_values._NEXT_PAIR",
    "_sessions.secret_names._OPEN_PAIR",
    "_sessions.secret_values._OWN_FLAG",
    "_sessions.secret_addresses._PATH",
    "_sessions.secrets._PLACEHOLDER",
    "_sessions.secrets._REST_OF_NAME",
    "_sessions.secret_values._RUN_STOP",
    "_sessions.secrets._SETTING",
    "_sessions.secret_values._SHORT_COMMENT",
    "_sessions.secret_values._SPACE",
    "_sessions.secret_addresses._SPACE_OR_QUOTE",
    "_sessions.secrets._STEP",
    "_sessions.secrets._STEP_IN_CALL",
    "_sessions.secrets._USER_FLAG",
    "_sessions.tokens.START",
    "_sessions.tokens.START_IN_TEXT",
    "_sessions.tokens._COMMENT_EDGE",
    "_sessions.tokens._QUOTE_OR_BACKSLASH",
}
# Those that are made or used in a function, and how they are held.
IN_FUNCTIONS = {
    "_runbooks.run.in_settings": "of names of ours",
    "_core.hints.advice_for_connect": "of a server, of whose text the beginning is looked at",
    "_core.list_text.check_name": "of the operator",
    "_core.list_text.exactly": "of the operator, or a name",
    "_core.login_settings._escaped": "of the operator",
    "_core.login_settings.settings_in": "of the operator",
    "_core.option_types._glob": "of the operator, over names, which have 63 bytes at most",
    "_files.trust.name_problem": "of the operator",
    "_policies.thresholds._connections": "of the operator",
    "_policies.thresholds._quotas": "of the operator",
    "_sessions.selection._regex_test": "of the operator, over texts of users: limited by timeout, and names its option",
}
# Filters and tests of Ansible: one class of characters, or nothing that repeats.
IN_YAML = {
    r"[\\s\\x00-\\x1f\\x7f-\\x9f]+",
    "^dest",
}
LONG = 300


def sources() -> list[Path]:
    return [path for kind in ("module_utils", "plugin_utils") for path in sorted((PLUGINS / kind).rglob("*.py"))]


def name_of(path: Path) -> str:
    """As _core.errors."""
    return ".".join(path.relative_to(PLUGINS).with_suffix("").parts[1:])


def module(path: Path) -> t.Any:
    return importlib.import_module(f"{PACKAGE}.{path.relative_to(PLUGINS).parts[0]}.{name_of(path)}")


def test_each_expression_is_known() -> None:
    found = {
        f"{name_of(path)}.{name}"
        for path in sources()
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
                    found.add(f"{name_of(path)}.{function.name}")
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
    stem, _dot, attribute = name.rpartition(".")
    pattern = getattr(module(next(path for path in sources() if name_of(path) == stem)), attribute)
    number, depth = repeats(parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE))
    assert depth <= 1
    # What is said before a word and the word; a number and its exponent; the name of an engine and its version.
    assert number <= 2


@pytest.mark.parametrize(
    ("pattern", "counted"), [("(a+)+", (1, 2)), ("a*b*", (2, 1)), ("(?:a|b+){2}", (1, 1)), ("a?", (0, 0))]
)
def test_the_count_itself(pattern: str, counted: tuple[int, int]) -> None:
    assert repeats(parser.parse(pattern)) == counted
