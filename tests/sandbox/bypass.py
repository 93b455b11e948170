# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which statements need no slot of a resource group."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from pglast import ast, parse_sql, parser

from .dialect import scan, statements

_LEADING = re.compile(r"(?:\s+|--[^\n]*(?:\n|$)|/\*.*?\*/|;)*", re.DOTALL)
_FREE_WORD = re.compile(r"(?:set|show|reset)\b", re.IGNORECASE)
_SELECT_WORD = re.compile(r"\(*\s*(?:select|with|values)\b", re.IGNORECASE)


def is_free(text: str) -> bool:
    """SET, SHOW, RESET and nothing at all: neither needs a slot, alone or one after the other."""
    start = _LEADING.match(text)
    rest = text[start.end() :] if start else text
    if not rest:
        return True
    if not _FREE_WORD.match(rest):
        return False
    if ";" not in rest.rstrip("; \t\r\n"):
        return not rest.lower().startswith("set constraints")
    tokens = scan(text)
    return tokens is not None and all(
        part[0].word in ("set", "show", "reset") and [token.word for token in part[:2]] != ["set", "constraints"]
        for part in statements(tokens)
    )


def begins_with(text: str, word: str) -> bool:
    """Whether the first word is this one, comments aside."""
    start = _LEADING.match(text)
    return text[start.end() if start else 0 :].lower().startswith(word)


def cannot_parse(text: str) -> bool:
    """A statement with a syntax error never gets as far as its group."""
    try:
        parse_sql(text)
    except parser.ParseError:
        return True
    except UnicodeError:
        return False
    return False


class CatalogSelect:
    """What the engine's walker over the raw parse tree finds in one SELECT."""

    def __init__(self, tree: ast.Node) -> None:
        self.tables = 0
        self.only_catalog = True
        self.functions: list[tuple[str, ...]] = []
        for node in _walk(tree):
            if isinstance(node, ast.RangeVar):
                self.tables += 1
                self.only_catalog &= node.schemaname == "pg_catalog"
            elif isinstance(node, (ast.RangeTableFunc, ast.IntoClause)):
                self.only_catalog = False
            elif isinstance(node, ast.FuncCall):
                self.functions.append(tuple(part.sval for part in node.funcname or ()))

    @property
    def free(self) -> bool:
        return self.only_catalog and self.tables > 0


def catalog_select(text: str) -> CatalogSelect | None:
    """The tables and functions of a text that is one SELECT on pg_catalog; nothing for all others."""
    if "pg_catalog" not in text:  # the parser costs more than the round trip
        return None
    start = _LEADING.match(text)
    if not _SELECT_WORD.match(text, start.end() if start else 0):
        return None
    try:
        tree = parse_sql(text)
    except (parser.ParseError, UnicodeError):
        return None
    if len(tree) != 1 or not isinstance(tree[0].stmt, ast.SelectStmt):
        return None
    return CatalogSelect(tree[0].stmt)


def calls_outside(select: CatalogSelect, is_built_in: Callable[[str], bool]) -> bool:
    """Whether a function outside pg_catalog is called, one that may query on its own."""
    for name in select.functions:
        if len(name) > 1 and name[-2] != "pg_catalog":
            return True
        if len(name) == 1 and not is_built_in(name[0]):
            return True
    return False


def _walk(node: object) -> Iterator[ast.Node]:
    """The node and all nodes below it."""
    if isinstance(node, ast.Node):
        yield node
        for name in node:
            yield from _walk(getattr(node, name))
    elif isinstance(node, tuple):
        for item in node:
            yield from _walk(item)
