# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts without a server: scanner, translation, bypass, slots and frames."""

from __future__ import annotations

import asyncio

import pytest
from sandbox import bypass, wire
from sandbox.dialect import scan, statements
from sandbox.helper import Helper
from sandbox.profiles import GP6, GP7
from sandbox.rules import AlterGroup, CreateGroup, DropGroup, Value
from sandbox.slots import Slots, Ticket
from sandbox.translate import Translation, Translator

SIX = Translator(GP6, activated=True)
SEVEN = Translator(GP7, activated=True)


def translated(text: str, translator: Translator = SIX) -> Translation:
    found = translator.translate(text, in_block=False)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "statement"),
    [
        ("drop resource group G", DropGroup("g")),
        ('/* x */ DROP -- y\n RESOURCE GROUP "G;""h" ;', DropGroup('G;"h')),
        ("ALTER RESOURCE/* x */ GROUP g SET CONCURRENCY +7", AlterGroup("g", "concurrency", Value("int", "7"))),
        ("ALTER RESOURCE GROUP g SET cpuset '1''2'", AlterGroup("g", "cpuset", Value("string", "1'2"))),
        ("CREATE RESOURCE GROUP g", CreateGroup("g")),
        ('DROP RESOURCE GROUP U&"\\0441\\+00043B!\\\\"', DropGroup("сл!\\")),
        ("DROP RESOURCE GROUP U&\"d!0061\" UESCAPE '!'", DropGroup("da")),
        ("DROP RESOURCE GROUP Слон資源", DropGroup("Слон資源")),
        (
            "CREATE RESOURCE GROUP g WITH (a=1.5, \"B\"=-2, c='x', d=on, e)",
            CreateGroup(
                "g",
                (
                    ("a", Value("float", "1.5")),
                    ("B", Value("int", "-2")),
                    ("c", Value("string", "x")),
                    ("d", Value("word", "on")),
                    ("e", Value("none")),
                ),
            ),
        ),
    ],
)
def test_group_statements(text: str, statement: object) -> None:
    parsed = translated(text).group_statement
    assert parsed is not None
    assert parsed.statement == statement


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("ALTER RESOURCE GROUP g SET concurrency 1.5", '"1.5"'),
        ("ALTER RESOURCE GROUP g SET concurrency = 1", '"="'),
        ("ALTER RESOURCE GROUP g SET cpuset 1", '"1"'),
        ("ALTER RESOURCE GROUP g", "end of input"),
        ("DROP RESOURCE GROUP IF EXISTS g", '"EXISTS"'),
        ("DROP RESOURCE GROUP select", '"select"'),
        ("DROP RESOURCE GROUP 'g'", "\"'g'\""),
        ("CREATE RESOURCE GROUP g WITH (a=1", "end of input"),
        ("CREATE RESOURCE GROUP g WITH (a=1,)", '")"'),
        ("CREATE RESOURCE GROUP g WITH (a=1) x", '"x"'),
        ("CREATE RESOURCE GROUP g WITH (a=-x)", '"x"'),
        ("ALTER RESOURCE GROUP g SET concurrency -1.5", '"1.5"'),
        ("ALTER RESOURCE GROUP g SET concurrency 2147483648", '"2147483648"'),
        ("ALTER RESOURCE GROUP g SET concurrency 5x", '"x"'),
        ("CREATE RESOURCE GROUP 0_x", '"0"'),
        ("ALTER RESOURCE GROUP 'unterminated", '"\'unterminated"'),
        ('DROP RESOURCE GROUP ""', '""""'),
    ],
)
def test_syntax_errors(text: str, near: str) -> None:
    found = translated(text)
    assert found.text == text
    assert found.problem is not None
    assert str(found.problem).endswith(near)
    position = found.problem.position(text)
    assert text[position - 1 :].startswith(near[1:-1]) if near != "end of input" else position == len(text) + 1


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "SELECT 'ALTER RESOURCE GROUP g SET concurrency 5'",
        "SELECT 1 -- DROP RESOURCE GROUP g",
        "INSERT INTO t VALUES ('gp_resource_group_bypass')",
        'CREATE TABLE resource ("group" int)',
        "ALTER ROLE r LOGIN",
        "CREATE USER MAPPING FOR r SERVER s",
        "SELECT 'unterminated resource group",
        "SET max_connections = 5",
    ],
)
def test_what_is_left_alone(text: str) -> None:
    assert SIX.translate(text, in_block=False) is None


def test_settings() -> None:
    prefixed = "SET LOCAL gpops_sandbox.gp_resource_group_queuing_timeout TO '5ms'"
    assert translated("SET LOCAL GP_Resource_Group_Queuing_Timeout TO 5").text == prefixed
    assert translated("show server_version_num").text == "show gpops_sandbox.server_version_num"
    assert translated("SET work_mem=1; SET optimizer=no").text == "SET work_mem=1; SET gpops_sandbox.optimizer='off'"
    assert (
        translated("ALTER ROLE r SET gp_resource_group_bypass = true").text
        == "ALTER ROLE r SET gpops_sandbox.gp_resource_group_bypass = 'on'"
    )
    assert "requires a Boolean value" in translated("SET optimizer = maybe").text
    assert "cannot be changed without restarting" in translated("SET gp_resource_manager = none").text
    assert "CALL pg_catalog.gpops_sandbox_set" in translated("SET gp_resource_group_bypass = on", SEVEN).text


def test_role_clause_is_cut_out() -> None:
    text = 'CREATE ROLE "R" LOGIN RESOURCE GROUP "G h" PASSWORD \'RESOURCE GROUP x\'; SELECT 1'
    found = translated(text).text
    assert "CREATE ROLE \\\"R\\\" LOGIN  PASSWORD 'RESOURCE GROUP x'" in found
    assert '"group": "G h"' in found
    assert found.endswith("; SELECT 1")


def test_statements_in_one_string() -> None:
    assert "inside a transaction block" in translated("BEGIN; DROP RESOURCE GROUP g; COMMIT").text
    assert "multi-command string" in translated("SELECT 1; DROP RESOURCE GROUP g").text
    assert "multi-command string" in translated("BEGIN; COMMIT; DROP RESOURCE GROUP g").text
    tokens = scan("CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); SELECT 3;;")
    assert tokens is not None
    assert len(list(statements(tokens))) == 2


@pytest.mark.parametrize("text", ["", " ; ", "-- only\n", "SET a=1", "/* x */ show all", "SET a='x;y'; RESET a"])
def test_free(text: str) -> None:
    assert bypass.is_free(text)


@pytest.mark.parametrize("text", ["SELECT 1", "SETTLE", "SET a=1; SELECT 1", "SET CONSTRAINTS ALL DEFERRED", "BEGIN"])
def test_not_free(text: str) -> None:
    assert not bypass.is_free(text)


def test_calls_outside() -> None:
    known = {"count", "now"}.__contains__
    for text, outside in [
        ("SELECT count(*) FROM pg_catalog.pg_class", False),
        ("SELECT pg_catalog.anything() FROM pg_catalog.pg_class", False),
        ("SELECT mine() FROM pg_catalog.pg_class", True),
        ("SELECT * FROM pg_catalog.pg_class, mdb_toolkit.pg_locks()", True),
        ("SELECT now() FROM pg_catalog.pg_class WHERE s.f(oid)", True),
    ]:
        select = bypass.catalog_select(text)
        assert select is not None
        assert select.free
        assert bypass.calls_outside(select, known) is outside


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM mdb_toolkit.pg_locks(), pg_catalog.pg_class, public.t",
        "WITH c AS (SELECT 1) SELECT * FROM c, pg_catalog.pg_class",
        "SELECT 1 INTO t FROM pg_catalog.pg_class",
        "VALUES ('pg_catalog')",
        "SELECT * FROM pg_catalog.generate_series(1, 2)",
        "SELECT * FROM pg_catalog.pg_class, mdb_toolkit.queries",
    ],
)
def test_catalog_select_is_strict(text: str) -> None:
    select = bypass.catalog_select(text)
    assert select is not None
    assert not select.free


def test_slots_are_first_come_first_served() -> None:
    granted: list[Ticket] = []
    slots = Slots(granted.append)
    slots.configure([(1, 1), (2, 0)])
    first, second, third = slots.enter(1), slots.enter(1), slots.enter(1)
    assert [each.granted for each in (first, second, third)] == [True, False, False]
    slots.leave(second)  # gives up
    slots.leave(first)
    assert granted == [third]
    other = slots.enter(2)
    slots.configure([(1, 1), (2, 3)])
    assert granted == [third, other]
    slots.configure([(1, 0), (2, 3)])
    assert slots.groups[1].running == 1
    slots.leave(third)
    assert not slots.enter(1).granted
    assert (slots.groups[1].executed, slots.groups[1].queued) == (2, 3)


def test_frames_survive_any_cut() -> None:
    frames = [wire.query("SELECT 1"), wire.ready(b"I"), wire.error("42601", "é")]
    stream = b"".join(frames)
    for step in range(1, len(stream)):
        buffer = wire.FrameBuffer()
        got = [raw for start in range(0, len(stream), step) for raw in buffer.feed(stream[start : start + step])]
        assert got == frames
    with pytest.raises(wire.ProtocolError):
        wire.FrameBuffer().feed(b"Q\0\0\0\1")


def test_fields_and_rows() -> None:
    fields = {"S": "ERROR", "C": "42601", "M": "ö\udcff"}
    assert wire.parse_fields(wire.body(wire.report(b"E", fields))) == fields
    row = (2).to_bytes(2, "big") + (2).to_bytes(4, "big") + b"ab" + b"\xff\xff\xff\xff"
    assert wire.parse_data_row(row) == ["ab", None]
    packet = wire.startup({"user": "a", "options": ""})
    assert wire.parse_startup(packet[4:]) == {"user": "a", "options": ""}


def _answered(value: bytes) -> bytes:
    row = len(value).to_bytes(4, "big") + value
    return wire.frame(b"D", b"\0\1" + row) + wire.frame(b"C", b"SELECT 1\0") + wire.ready(b"I")


class _Mute:
    """Takes what is written to it, and nobody reads it."""

    def write(self, data: bytes) -> None:
        pass


def test_a_cancelled_query_leaves_no_answer_to_the_next() -> None:
    async def play() -> list[list[str | None]]:
        reader = asyncio.StreamReader()
        helper = Helper(reader, _Mute())  # type: ignore[arg-type]  # to take what is written is all that it does
        given_up = asyncio.create_task(helper.query("SELECT 'first'"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.wait([given_up])
        following = asyncio.create_task(helper.query("SELECT 'second'"))
        for value in (b"first", b"second"):
            reader.feed_data(_answered(value))
            for _turn in range(5):
                await asyncio.sleep(0)
        return await asyncio.wait_for(following, 5)

    assert asyncio.run(play()) == [["second"]]
