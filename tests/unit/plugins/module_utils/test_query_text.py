# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is shown of query texts."""

from __future__ import annotations

import pytest
from ansible_collections.gpops.toolkit.plugins.module_utils._query_text import mask_passwords, redact_literals, shown
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("SELECT 1", "SELECT ?"),
        ("SELECT a1, b2c FROM t3", "SELECT a1, b2c FROM t3"),
        ("WHERE a = 'x''y' AND b = -12.5e3", "WHERE a = ? AND b = -?"),
        ("WHERE \"it's\" = E'a\\'b'", 'WHERE "it\'s" = ?'),
        ("SELECT 1 -- it's\n, 'x'", "SELECT ?  \n, ?"),
        ("SELECT /* it's 5 */ 'x'", "SELECT   ?"),
        ("SELECT $$don't$$, $tag$ a $$ b $tag$", "SELECT ?, ?"),
        ("EXECUTE p($1, $2)", "EXECUTE p($1, $2)"),
        ("SELECT U&'d\\0061', x'1F', date'2020-01-01'", "SELECT ?, ?, date?"),
        ("SELECT 0xFF, 1_000, .5", "SELECT ?, ?, ?"),
        ("SELECT 'cut off by the serv", "SELECT ?"),
        ("SELECT $x$cut off", "SELECT ?"),
        ("SELECT /* cut 'off", "SELECT  "),
    ],
)
def test_literals_are_redacted(text: str, redacted: str) -> None:
    assert redact_literals(text) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "ALTER ROLE joe PASSWORD 's3cret' VALID UNTIL '2030-01-01'",
        "alter role joe encrypted password 's3cret'",
        "CREATE ROLE joe PASSWORD E's3cret\\'s3cret'",
        "CREATE ROLE joe PASSWORD $$s3cret$$",
        "CREATE ROLE joe PASSWORD 's3cret cut off",
        "SELECT dblink('host=a password=s3cret user=b')",
        "ALTER ROLE joe PASSWORD /* new */ 's3cret'",
        "ALTER ROLE joe PASSWORD -- new\n 's3cret'",
        "ALTER ROLE joe PASSWORD 'a'\n's3cret'",
        "SELECT dblink('host=a password=''my s3cret'' user=b', 'SELECT 1')",
        "SELECT dblink(E'host=a password=\\'my s3cret\\' user=b')",
        "CREATE SERVER x OPTIONS (\"password\" 's3cret')",
        "SELECT login(password := 's3cret')",
        "SELECT login(password => 's3cret')",
        'COPY t FROM PROGRAM \'psql "password="my s3cret""\'',
        "SELECT dblink('postgresql://joe:s3cret@host/db')",
        "CREATE USER MAPPING FOR a SERVER b OPTIONS (user 'c', password 's3cret')",
        "ALTER ROLE joe PASSWORD N's3cret'",
        "EXECUTE 'ALTER ROLE joe PASSWORD ''s3cret''' ",
        "DO $$BEGIN EXECUTE 'ALTER ROLE joe PASSWORD ''s3cret'''; END$$",
        "DO 'BEGIN EXECUTE ''CREATE USER joe PASSWORD ''''s3cret''''''; END'",
        "EXECUTE format('ALTER ROLE joe PASSWORD %L', 's3cret')",
        "EXECUTE 'ALTER ROLE joe PASSWORD ' || quote_literal('s3cret')",
        "SELECT dblink_exec('c', E'ALTER ROLE joe PASSWORD E\\'s3cret\\'')",
        "SELECT set_config('my.password', 's3cret', false)",
        "SET my.password TO 's3cret'",
        "COPY t FROM PROGRAM 'PGPASSWORD=s3cret psql'",
    ],
)
@pytest.mark.parametrize("redact", [True, False])
def test_a_password_is_never_shown(text: str, redact: bool) -> None:
    assert "s3cret" not in str(shown(text, 1024, redact))
    assert "s3cret" not in mask_passwords(text)


def test_what_names_a_role_and_no_password_of_it_stays() -> None:
    for text in ("SELECT 'a role', password FROM t", "SELECT 'user group role' FROM t WHERE a = 'x'"):
        assert mask_passwords(text) == text


def test_a_long_text_is_cut() -> None:
    assert shown("x" * 20, 10, False) == "xxxxxxx..."
    assert shown("x" * 10, 10, False) == "x" * 10
    assert shown("xxxx", 2, False) == ".."
    assert shown("xxxx", 0, False) == ""
    assert shown(None, 10, False) is None


@given(st.text(), st.integers(0, 30), st.booleans())
def test_never_longer_than_asked_and_never_a_failure(text: str, length: int, redact: bool) -> None:
    assert len(shown(text, length, redact) or "") <= length


@given(st.text(alphabet="ab'\\$-/*\" 19\n"), st.text(alphabet="xyz", min_size=3))
def test_a_string_of_any_content_does_not_show(before: str, secret: str) -> None:
    quoted = "'" + (before + secret).replace("'", "''") + "'"
    assert secret not in redact_literals("SELECT " + quoted)
