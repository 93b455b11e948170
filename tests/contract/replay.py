# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replays the contract's cases on an engine and writes down what it answers, in one comparable form."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg2
import yaml
from psycopg2 import extensions
from sandbox.passwords import password_of
from sandbox.profiles import PROFILES

FOLDER = Path(__file__).resolve().parent
ADMIN = "gpadmin"
DATABASE = "testdb"
CONNECT_TIMEOUT = 10
# A group that others have filled makes a failure, not a run without end.
OPTIONS = "-c gp_resource_group_queuing_timeout=10000"

# Which transcript of a real engine an engine is held against; there is none of Cloudberry, whose cases are in cb.json.
TRANSCRIPT = {name: profile.transcript for name, profile in PROFILES.items() if profile.transcript}

# What differs from build to build and from run to run, and what it is compared as.
VOLATILE = (
    (re.compile(r"compiled by gcc \([^)]*\) [\d.]+, 64-bit compiled on \w+ +\d+ \d+ [\d:]+"), "<compiler>"),
    (re.compile(r"commit:[0-9a-f]+"), "commit:<hash>"),
    (re.compile(r"\((seg\d+) [\w.-]+:\d+ pid=\d+\)"), r"(\1 <address>)"),
    (re.compile(r"(/cgroup/cpu/gpdb7)/\d+/"), r"\1/<group>/"),
)


@dataclass(frozen=True)
class Answer:
    """What an engine said to one statement."""

    tag: str | None = None
    columns: tuple[tuple[str, str], ...] | None = None
    rows: tuple[tuple[Any, ...], ...] | None = None
    notices: tuple[str, ...] = ()
    sqlstate: str | None = None
    message: str | None = None
    hint: str | None = None


@dataclass(frozen=True)
class Target:
    """An engine, by the name of its profile."""

    profile: str
    host: str
    port: int
    secret: str = field(default="", repr=False)  # of an embedded engine; on a real one a password is the role's name

    @contextmanager
    def connect(self, user: str = ADMIN, database: str = DATABASE) -> Iterator[extensions.connection]:
        with closing(
            psycopg2.connect(
                host=self.host,
                port=self.port,
                user=user,
                password=password_of(self.secret, user) if self.secret else user,
                dbname=database,
                connect_timeout=CONNECT_TIMEOUT,
                options=OPTIONS,
            )
        ) as connection:
            connection.autocommit = True
            yield connection


def spec() -> dict[str, Any]:
    with (FOLDER / "cases.yml").open(encoding="utf-8") as file:
        cases: dict[str, Any] = yaml.safe_load(file)
    return cases


def family_of(profile: str) -> str:
    return PROFILES[profile].family


def cases_of(profile: str) -> list[dict[str, Any]]:
    family = family_of(TRANSCRIPT[profile])
    return [case for case in spec()["cases"] if family in case.get("only", [family])]


def words_of(profile: str) -> dict[str, str]:
    """How the cases write what families call differently."""
    engine = PROFILES[profile]
    return {"<cpu>": engine.cpu_option, "<mem>": ", memory_limit=1" if "memory_shared_quota" in engine.limits else ""}


def transcript(profile: str) -> dict[str, Answer]:
    """What the real engine answered."""
    records = json.loads((FOLDER / f"{TRANSCRIPT[profile]}.json").read_text(encoding="utf-8"))
    return {record["id"]: normalised(_recorded(record)) for record in records}


def listed(of: str = "cases.yml") -> dict[tuple[str, str], str]:
    """The reason of each accepted difference, by profile and case."""
    entries: list[dict[str, Any]] = yaml.safe_load((FOLDER / "differences.yml").read_text(encoding="utf-8"))
    return {
        (entry["profile"], case): entry["reason"]
        for entry in entries
        if entry.get("of", "cases.yml") == of
        for case in entry["cases"]
    }


def _recorded(record: dict[str, Any]) -> Answer:
    notices = tuple(record["notices"])
    if "error" in record:
        error = record["error"]
        return Answer(notices=notices, sqlstate=error["sqlstate"], message=error["message"], hint=error["hint"])
    if "columns" not in record:
        return Answer(tag=record["tag"], notices=notices)
    columns = tuple((name, kind) for name, kind in record["columns"])
    rows = tuple(tuple(row) for row in record["rows"])
    return Answer(record["tag"], columns, rows, notices)


def replay(target: Target) -> dict[str, Answer]:
    """All cases in their order, as one builds on the other."""
    answers: dict[str, Answer] = {}
    with target.connect() as admin, target.connect("billy") as billy:
        words = words_of(target.profile) | {
            "<gpadmin pid>": str(admin.info.backend_pid),
            "<billy pid>": str(billy.info.backend_pid),
        }
        types = dict(run(admin, "SELECT oid::int, typname FROM pg_catalog.pg_type").rows or ())
        for sql in spec()["setup"]:
            run(admin, sql)
        for case in cases_of(target.profile):
            with target.connect(case.get("as", ADMIN), case.get("db", DATABASE)) as connection:
                answer = run(connection, _filled(case["sql"], words))
            answers[case["id"]] = normalised(_named(_masked(answer, case.get("mask", [])), types))
            if "cleanup" in case:
                run(admin, _filled(case["cleanup"], words))
        for sql in spec()["setup"]:  # nothing is left behind, whatever this engine has allowed
            run(admin, sql)
    return answers


def _filled(sql: str, words: dict[str, str]) -> str:
    for placeholder, word in words.items():
        sql = sql.replace(placeholder, word)
    return sql


def run(connection: extensions.connection, sql: str) -> Answer:
    """What the engine says to one statement."""
    del connection.notices[:]
    with connection.cursor() as cursor:
        try:
            cursor.execute(sql)
        except psycopg2.Error as error:
            diagnostics = error.diag
            return Answer(
                notices=_notices(connection),
                sqlstate=error.pgcode,
                message=diagnostics.message_primary,
                hint=diagnostics.message_hint,
            )
        answer = Answer(tag=cursor.statusmessage, notices=_notices(connection))
        if cursor.description is None:
            return answer
        columns = tuple((column.name, column.type_code) for column in cursor.description)
        return replace(answer, columns=columns, rows=tuple(tuple(map(_plain, row)) for row in cursor.fetchall()))


def _notices(connection: extensions.connection) -> tuple[str, ...]:
    return tuple(notice.strip() for notice in connection.notices)


def _plain(value: Any) -> Any:
    """As the transcripts hold it."""
    return value if isinstance(value, (int, float, bool, str, list, type(None))) else str(value)


def _masked(answer: Answer, names: list[str]) -> Answer:
    if answer.columns is None or answer.rows is None:
        return answer
    hidden = {index for index, (name, _dummy) in enumerate(answer.columns) if name in names}
    rows = tuple(tuple("*" if index in hidden else value for index, value in enumerate(row)) for row in answer.rows)
    return replace(answer, rows=rows)


def _named(answer: Answer, types: dict[Any, str]) -> Answer:
    if answer.columns is None:
        return answer
    return replace(answer, columns=tuple((name, types.get(kind, str(kind))) for name, kind in answer.columns))


def normalised(answer: Answer) -> Answer:
    """The answer without what may differ between two runs of the same engine."""
    rows = answer.rows
    if rows is not None:
        rows = tuple(tuple(_steady(value) if isinstance(value, str) else value for value in row) for row in rows)
    return replace(
        answer,
        rows=rows,
        notices=tuple(map(_steady, answer.notices)),
        message=_steady(answer.message) if answer.message is not None else None,
    )


def _steady(text: str) -> str:
    for pattern, replacement in VOLATILE:
        text = pattern.sub(replacement, text)
    return text
