# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which statements start a session's processes on the segments, and a record of those that did.

There are no segments here: what is recorded is what would have been started.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Collection, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

from pglast import parser

PRIMARIES = 2  # as gp_segment_configuration says
KEPT = 1000
SHOWN = 1000  # characters of a cause

_LOCAL = frozenset(
    f"{word}Stmt"
    for word in "Transaction VariableShow Execute Deallocate Fetch ClosePortal Listen Unlisten Notify Do Call".split()
)
_READING = frozenset({"SelectStmt", "ExplainStmt", "PrepareStmt", "DeclareCursorStmt"})
_CHANGING = frozenset({"InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "CopyStmt", "LockStmt"})
# Each of these asks the segments, or tells them.
_FUNCTIONS = frozenset(
    "pg_lock_status gp_dist_random set_config pg_resgroup_get_status pg_resgroup_move_query pg_database_size"
    " pg_tablespace_size pg_relation_size pg_table_size pg_indexes_size pg_total_relation_size".split()
)
_TOOLKIT_CATALOG = frozenset({"gp_resgroup_config", "gp_resgroup_role"})


class Reach(Enum):
    """Whether and when a statement reaches the segments."""

    NOT = 0
    AT_ONCE = 1
    IF_DONE = 2  # what is refused never gets there


@dataclass(frozen=True)
class Statement:
    """What counts about one statement; names are as they are written, with the schema where there is one."""

    kind: str
    copies_query: bool
    tables: frozenset[tuple[str, str]]
    in_from: frozenset[tuple[str, ...]]  # functions that stand in FROM
    elsewhere: frozenset[tuple[str, ...]]  # functions anywhere else


def reach(text: str, catalog: AbstractSet[str]) -> Reach:
    """What one query string does, given the names of the tables and views of pg_catalog."""
    found = read(text)
    if found is None:  # the engine's own grammar: its statements are all for the segments too
        return Reach.IF_DONE
    reached = {_reach(statement, catalog) for statement in found}
    return next((each for each in (Reach.AT_ONCE, Reach.IF_DONE) if each in reached), Reach.NOT)


def _reach(statement: Statement, catalog: AbstractSet[str]) -> Reach:
    if statement.kind in _LOCAL:
        return Reach.NOT
    if statement.kind in _CHANGING and not statement.copies_query:
        return Reach.AT_ONCE
    if statement.kind not in _READING | _CHANGING:
        return Reach.IF_DONE  # SET, RESET and everything that defines something
    asks = any(name[-1] in _FUNCTIONS for name in statement.in_from | statement.elsewhere)
    reads = any(_on_segments(schema, name, catalog) for schema, name in statement.tables)
    return Reach.AT_ONCE if asks or reads else Reach.NOT


def _on_segments(schema: str, name: str, catalog: AbstractSet[str]) -> bool:
    if schema == "pg_catalog" or (not schema and name in catalog):
        return name == "pg_locks"
    if schema == "gp_toolkit":
        return name not in _TOOLKIT_CATALOG
    return schema != "information_schema"


@lru_cache(maxsize=500)
def read(text: str) -> tuple[Statement, ...] | None:
    """The statements of a text; nothing if PostgreSQL's grammar does not know one of them, or if it nests too deep."""
    try:
        trees = json.loads(parser.parse_sql_json(text))
    except (parser.ParseError, UnicodeError, RecursionError):
        return None
    return tuple(_statement(kind, tree) for each in trees.get("stmts", ()) for kind, tree in each["stmt"].items())


def _statement(kind: str, tree: dict[str, Any]) -> Statement:
    tables: set[tuple[str, str]] = set()
    with_names: set[tuple[str, str]] = set()
    functions: dict[bool, set[tuple[str, ...]]] = {True: set(), False: set()}
    for name, node, in_from in _nodes(tree):
        if name == "RangeVar":
            tables.add((node.get("schemaname", ""), node["relname"]))
        elif name == "CommonTableExpr":
            with_names.add(("", node["ctename"]))
        elif name == "FuncCall":
            functions[in_from].add(tuple(part["String"]["sval"] for part in node["funcname"]))
    return Statement(
        kind,
        kind == "CopyStmt" and "query" in tree,
        frozenset(tables - with_names),
        frozenset(functions[True]),
        frozenset(functions[False]),
    )


def _nodes(tree: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Each node with its kind, and whether it stands in a function of FROM; without recursion, as trees are deep."""
    waiting: list[tuple[Any, bool]] = [(tree, False)]
    while waiting:
        value, in_from = waiting.pop()
        if isinstance(value, list):
            waiting += [(item, in_from) for item in value]
        elif isinstance(value, dict):
            for name, node in value.items():
                if isinstance(node, dict):
                    yield name, node, in_from
                # an argument of a function in FROM is evaluated as anywhere else
                waiting.append((node, name == "RangeFunction" or (in_from and name != "FuncCall")))


@dataclass(frozen=True)
class Start:
    """One session's processes on the segments, all started together."""

    pid: int
    sess_id: int
    application_name: str
    began: float
    cause: str
    processes: int = PRIMARIES


class Ledger:
    """Who has started processes on the segments, since the sandbox was started."""

    def __init__(self) -> None:
        self.processes = 0
        self._starts: deque[Start] = deque(maxlen=KEPT)

    def add(self, pid: int, sess_id: int, application_name: str, cause: str) -> None:
        start = Start(pid, sess_id, application_name, time.time(), cause[:SHOWN])
        self._starts.append(start)
        self.processes += start.processes

    def snapshot(self, open_sessions: Collection[int]) -> dict[str, object]:
        starts = [{**asdict(start), "open": start.sess_id in open_sessions} for start in self._starts]
        return {"processes": self.processes, "starts": starts}
