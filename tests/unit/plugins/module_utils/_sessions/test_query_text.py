# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is shown of query texts."""

from __future__ import annotations

import sys
import typing as t

import pytest
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import query_text, secret_values, secrets
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.query_text import (
    mask_passwords,
    redact_literals,
    shown,
)
from hypothesis import given, settings
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
        ("SELECT /* a /* nested 'x' */ b 'c' */ 'x'", "SELECT   ?"),
        ("SELECT 'abc' --x\n'rest', a", "SELECT ?  \n?, a"),
        ("SELECT E'abc\\", "SELECT ?"),
        # Where a session may take a backslash for an escape, nobody knows where the literal ends.
        ("SELECT 'a\\', 'secret'", "SELECT ?"),
        ("SELECT 'a\\\\', a", "SELECT ?, a"),
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


# The secret is the same in each, and has no letter with its neighbours in common.
SECRET = "Zq7%Xk9"
STATEMENTS = (
    # What is promised
    "ALTER ROLE joe PASSWORD 'Zq7%Xk9' VALID UNTIL '2030-01-01'",
    "ALTER ROLE joe PASSWORD 'abc' --x\n'Zq7%Xk9' VALID UNTIL '2030-01-01'",
    "ALTER ROLE joe PASSWORD 'abc' /* x */ -- y\n 'Zq7%Xk9' VALID UNTIL '2030-01-01'",
    "ALTER ROLE joe PASSWORD /* a /* b */ 'c' */ 'Zq7%Xk9'",
    "ALTER ROLE joe PASSWORD" + "/**/" * 40 + "'Zq7%Xk9'",
    "ALTER ROLE joe PASSWORD E'abc\\'Zq7%Xk9' VALID UNTIL '2030-01-01'",
    "ALTER ROLE joe PASSWORD 'abc\\'Zq7%Xk9' VALID UNTIL '2030-01-01'",
    "ALTER ROLE joe PASSWORD 'abc''Zq7%Xk9' VALID UNTIL '2030-01-01'",
    "ALTER ROLE joe PASSWORD Zq7%Xk9",
    'ALTER ROLE joe PASSWORD "Zq7%Xk9"',
    "CREATE USER joe WITH ENCRYPTED PASSWORD $x$Zq7%Xk9$x$ IN GROUP a",
    "CREATE ROLE joe PASSWORD U&'Zq7%Xk9'",
    "CREATE USER MAPPING FOR a SERVER b OPTIONS (user 'c', password 'Zq7%Xk9', sslmode 'x')",
    "ALTER USER MAPPING FOR a SERVER b OPTIONS (SET password 'Zq7%Xk9')",
    "DO $$BEGIN EXECUTE 'ALTER ROLE joe PASSWORD ''Zq7%Xk9'''; PERFORM f('x'); END$$",
    "DO 'BEGIN EXECUTE ''CREATE USER joe PASSWORD ''''Zq7%Xk9''''''; END'",
    "DO E'BEGIN EXECUTE \\'CREATE USER joe PASSWORD \\'\\'Zq7%Xk9\\'\\'\\'; END'",
    "EXECUTE format('ALTER ROLE joe PASSWORD %L', 'Zq7%Xk9')",
    "EXECUTE 'ALTER ROLE joe PASSWORD ' || quote_literal('Zq7%Xk9')",
    "EXECUTE 'ALTER ROLE joe PASSWORD ''' || 'Zq7%Xk9' || ''''",
    "SELECT dblink('host=a password=ab' || 'Zq7%Xk9' || ' user=b')",
    "-- ALTER ROLE joe PASSWORD 'Zq7%Xk9'\nSELECT 1",
    "/* don't: ALTER ROLE joe PASSWORD 'Zq7%Xk9' */ SELECT 1",
    "SELECT 'C:\\' , 'ALTER ROLE joe PASSWORD ''Zq7%Xk9'''",
    "SELECT dblink('host=a password=Zq7%Xk9 user=b', 'SELECT 1')",
    "SELECT dblink('host=a password = Zq7%Xk9 user=b', 'SELECT 1')",
    "SELECT dblink('host=a password=''my Zq7%Xk9'' user=b', 'SELECT 1')",
    "SELECT dblink(E'host=a password=\\'my \\\\\\'Zq7%Xk9\\' user=b')",
    "SELECT dblink('host=a password=my\\ Zq7%Xk9 user=b', 'SELECT 1')",
    "SELECT dblink('host=a password=ab;cdZq7%Xk9 user=b', 'SELECT 1')",
    "SELECT dblink('postgresql://joe:Zq7%Xk9@host/db', 'SELECT 1')",
    "SELECT dblink('postgresql://joe:p@Zq7%Xk9@host/db?a=b', 'SELECT 1')",
    "SELECT set_config('my.password', 'Zq7%Xk9', false)",
    "SET my.password TO Zq7%Xk9",
    # What operators see daily
    "CREATE SERVER s FOREIGN DATA WRAPPER f OPTIONS (accesskey 'Zq7%Xk9', secretkey 'Zq7%Xk9', token 'Zq7%Xk9')",
    "CREATE EXTERNAL TABLE t (a int) LOCATION ('pxf://b/p?PROFILE=s3:text&accesskey=Zq7%Xk9&secretkey=Zq7%Xk9&SERVER=x')",
    "CREATE EXTERNAL TABLE t (a int) LOCATION ('pxf://b/p?PROFILE=s3:text&ACCESSID=Zq7%Xk9&SERVER=x') FORMAT 'CSV'",
    "CREATE EXTERNAL TABLE t (a int) LOCATION ('s3://s3.amazonaws.com/b/ config=/home/s3.conf secret=Zq7%Xk9')",
    "COPY t FROM PROGRAM 'curl -u joe:Zq7%Xk9 https://h/x' CSV",
    "COPY t FROM PROGRAM 'curl -u \"joe:my Zq7%Xk9\" https://h/x' CSV",
    "COPY t FROM PROGRAM 'curl -u ''joe:Zq7%Xk9'' https://h/x' CSV",
    "COPY t FROM PROGRAM 'curl --user joe:Zq7%Xk9 https://h/x' CSV",
    "COPY t FROM PROGRAM 'curl -ujoe:Zq7%Xk9 https://h/x' CSV",
    "COPY t FROM PROGRAM 'curl -H \"Authorization: Bearer Zq7%Xk9\" https://h/x' CSV",
    "COPY t FROM PROGRAM 'curl -H \"Authorization: Basic Zq7%Xk9\" https://h/x' CSV",
    "COPY t FROM PROGRAM 'curl -H ''X-Api-Key: Zq7%Xk9'' https://h/x' CSV",
    "COPY t FROM PROGRAM 'curl https://h/x?a=b&token=Zq7%Xk9&c=d' CSV",
    "COPY t FROM PROGRAM 'mysqldump --password Zq7%Xk9 db' CSV",
    "COPY t FROM PROGRAM 'mysqldump --password=Zq7%Xk9 db' CSV",
    "COPY t FROM PROGRAM 'mysqldump --password=''Zq7%Xk9'' db' CSV",
    "COPY t FROM PROGRAM 'PGPASSWORD=Zq7%Xk9 psql -U joe -c \"select 1\"' CSV",
    "COPY t FROM PROGRAM 'PGPASSWORD=\"a b\"Zq7%Xk9 psql -U joe' CSV",
    "COPY t FROM PROGRAM 'PASS=Zq7%Xk9 ./x.sh' CSV",
    "COPY t FROM PROGRAM 'sshpass -p Zq7%Xk9 ssh x' CSV",
    "COPY t FROM PROGRAM 'AWS_SECRET_ACCESS_KEY=Zq7%Xk9 aws s3 cp a b' CSV",
    "SELECT dblink_connect('c', 'joe:p@Zq7%Xk9@host')",
    'INSERT INTO t VALUES (\'{"password": "Zq7%Xk9", "user": "x"}\')',
    'INSERT INTO t VALUES (E\'{\\"password\\": \\"Zq7%Xk9\\"}\')',
    'INSERT INTO t VALUES (\'{\\"password\\": \\"Zq7%Xk9\\"}\')',
    'SELECT f(\'{"a":1,"token":"Zq7%Xk9"}\'::json)',
    "SELECT json_build_object('password', 'Zq7%Xk9', 'a', 1)",
    "SELECT a FROM t WHERE b ->> 'password' = 'Zq7%Xk9'",
    "SET my.token = 'Zq7%Xk9'",
    "INSERT INTO users (name, password, a) VALUES ('joe', 'Zq7%Xk9', 'x'), ('billy', 'Zq7%Xk9', 'x')",
    "DO $$BEGIN INSERT INTO users (token) VALUES ('Zq7%Xk9'); END$$",
    "ALTER ROLE joe SET my.token TO Zq7%Xk9",
    "ALTER ROLE joe PASSWORD('Zq7%Xk9')",
    "ALTER ROLE joe PASSWORD : 'Zq7%Xk9'",
    "SELECT a FROM t WHERE lower((password)) = 'Zq7%Xk9' AND b = 'y'",
    "SELECT a FROM t WHERE (b, password) = ('a', 'Zq7%Xk9') AND b = 'y'",
    "DO $_$ DECLARE v_password constant varchar(10) := 'Zq7%Xk9'; BEGIN NULL; END $_$",
    'SELECT f(\'{"secrets": ["a", "Zq7%Xk9"], "b": 1}\')',
    "SELECT f('<password>Zq7%Xk9</password>')",
    "SELECT f('Server=x;Uid=a;Pwd=Zq7%Xk9;Database=c')",
    "SELECT a FROM u WHERE token = 'Zq7%Xk9' AND b = 'y'",
    "SELECT a FROM u WHERE token::text IN ('a', 'Zq7%Xk9') AND b = 'y'",
    "SELECT a FROM u WHERE password = crypt('Zq7%Xk9', salt) AND b = 'y'",
    "SELECT pgp_sym_decrypt(a, 'Zq7%Xk9') FROM t WHERE b = 'y'",
    "SELECT f('-----BEGIN RSA PRIVATE KEY-----\nZq7%Xk9\n-----END RSA PRIVATE KEY-----')",
)


def parts(secret: str, text: str) -> list[str]:
    """The parts of a secret, of three characters, that a text shows."""
    return [secret[at : at + 3] for at in range(len(secret) - 2) if secret[at : at + 3] in text]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_wherever_the_server_cuts_it_no_part_of_a_secret_shows(statement: str) -> None:
    assert SECRET in statement
    for end in range(len(statement) + 1):
        masked = mask_passwords(statement[:end])
        assert parts(SECRET, masked) == [], masked
        assert parts(SECRET, str(shown(statement[:end], 60, end % 2 == 0))) == []
        # A report masks what was masked before.
        assert parts(SECRET, mask_passwords(masked, said=True)) == []


@pytest.mark.parametrize(
    ("statement", "masked"),
    [
        (
            "ALTER ROLE joe PASSWORD 'x' VALID UNTIL '2030-01-01'",
            "ALTER ROLE joe PASSWORD '?' VALID UNTIL '2030-01-01'",
        ),
        (
            "SELECT dblink('host=a password=x user=b', 'SELECT 1')",
            "SELECT dblink('host=a password=? user=b', 'SELECT 1')",
        ),
        ("SELECT f('http://joe:x@h:80/p')", "SELECT f('http://joe:?@h:80/p')"),
        ("SELECT f('pxf://b?accesskey=x&SERVER=s')", "SELECT f('pxf://b?accesskey=?&SERVER=s')"),
        ("COPY t FROM PROGRAM 'curl -u joe:x h'", "COPY t FROM PROGRAM 'curl -u joe:? h'"),
        ('SELECT \'{"token": "x", "a": 1}\'', 'SELECT \'{"token": "?", "a": 1}\''),
        (
            "INSERT INTO u (a, token) VALUES (1, 'x'); SELECT 'y'",
            "INSERT INTO u (a, token) VALUES (1, '?'); SELECT 'y'",
        ),
        (
            "DO 'BEGIN EXECUTE ''ALTER ROLE a PASSWORD ''''x''''''; PERFORM f(''y''); END'",
            "DO 'BEGIN EXECUTE ''ALTER ROLE a PASSWORD ''''?''''''; PERFORM f(''y''); END'",
        ),
    ],
)
def test_what_stands_around_a_secret_is_shown(statement: str, masked: str) -> None:
    assert mask_passwords(statement) == masked
    assert mask_passwords(masked) == masked


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 'a role', password FROM t",
        "SELECT 'user group role' FROM t WHERE a = 'x'",
        "SELECT token FROM t WHERE a = 1",
        "SELECT token, password, 'x' FROM t WHERE a = 'x'",
        "SELECT a.password = b.password FROM a JOIN b ON a.token = b.token WHERE c = 'x'",
        "SELECT a FROM t WHERE password IS NOT NULL AND token <> other AND c = 'x'",
        "SELECT a FROM t WHERE b LIKE 'x' ESCAPE '\\' AND k = 'y'",
        "CREATE TABLE users (id int, password text, token varchar(20) DEFAULT 'x')",
        "CREATE EXTERNAL TABLE t (a int) LOCATION ('gpfdist://etl1:8081/*.csv') FORMAT 'CSV'",
        "CREATE EXTERNAL TABLE t (a int) LOCATION ('pxf://b/p?PROFILE=s3:text&SERVER=x') FORMAT 'CSV'",
        "GRANT SELECT ON passwords, login_tokens TO joe; SET SESSION AUTHORIZATION 'joe'",
        "SET password_encryption = 'on'",
        "UPDATE t SET token = other, password = b.password WHERE lower(token) = other AND f(secret) IS NULL",
        "INSERT INTO password_notes (a) VALUES ('x'); INSERT INTO t (b) VALUES ('y')",
        "SELECT count(*) FROM keys WHERE key = 'abc' AND primary_key = 'x' AND compass = 'y'",
        "SELECT 'forgot password' AS reason, count(*) FROM t",
        "SELECT a::timestamp, '12:30:00', 'x:y' FROM t WHERE token_id = 5",
        "ALTER ROLE joe PASSWORD NULL",
        "VACUUM ANALYZE password_history",
    ],
)
def test_what_names_a_secret_and_has_none_stays(statement: str) -> None:
    assert mask_passwords(statement) == statement


QUOTED: dict[str, t.Callable[[str], str]] = {
    "a literal": lambda text: "'" + text.replace("'", "''") + "'",
    "a literal with escapes": lambda text: "E'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'",
    # With another tag each time: the same would end it.
    "in dollars": lambda text: "$a{0}$ {1} $a{0}$".format(text.count("select"), text),
}
FORMS: dict[str, t.Callable[[str], str]] = {
    "role": lambda text: f"alter role joe password {QUOTED['a literal'](text)}",
    "escapes": lambda text: f"alter role joe password {QUOTED['a literal with escapes'](text)}",
    "conninfo": lambda text: "host=a password='" + text.replace("\\", "\\\\").replace("'", "\\'") + "' user=b",
    "shell": lambda text: "psql --password='" + text.replace("'", "'\\''") + "' -c x",
}


@given(
    st.text(alphabet="QXZJK'\\\"$;,&:@/?#=-(){}|% \n*", min_size=3, max_size=12),
    st.sampled_from(sorted(FORMS)),
    st.lists(st.sampled_from(sorted(QUOTED)), max_size=3),
    st.floats(0, 1),
)
@settings(max_examples=300, deadline=None)
def test_whatever_a_password_has_in_it(secret: str, form: str, quotes: list[str], cut: float) -> None:
    text = FORMS[form](secret)
    for quote in quotes if form in ("role", "escapes") else [*quotes, "a literal"]:
        text = f"select f({QUOTED[quote](text)}, 'more')"
    masked = mask_passwords(text[: int(cut * len(text))] if cut < 0.9 else text)
    assert len([character for character in masked if character in "QXZJK"]) < 3, (text, masked)
    assert masked != query_text.NOT_SHOWN


# What somebody may write who wants a listing to take for ever.
PIECES = (
    "password token secret_key 's3 ' '' \" \"\" E' \\ \\' $a$ $$ $ /* */ /**/ -- --password \n "
    ":= => = : :: || ( ) [ , ; & ? . - to in like not curl -u --user a:b @ :// bearer authorization: "
    "role alter create insert values crypt( key. %s {} 0 1.2.3 sshpass x_ U&' -----BEGIN password'/**/"
).split(" ")


def calls(work: t.Callable[[], object]) -> int:
    """How many functions are called."""
    number = 0

    def count(_frame: object, event: str, _what: object) -> None:
        nonlocal number
        number += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return number


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=6), st.lists(st.sampled_from(PIECES), max_size=3))
@settings(max_examples=300, deadline=None)
def test_the_work_grows_as_the_text_does(repeated: list[str], first: list[str]) -> None:
    work: list[list[int]] = []
    for times in (40, 160):
        text = " ".join(first) + "".join(repeated) * times
        budget = secret_values.Budget(len(text))
        # mypy knows no type of an argument that has a default only.
        work.append(
            [
                calls(lambda text=text, budget=budget: secrets.without_secrets(text, budget=budget)),  # type: ignore[misc]
                calls(lambda text=text: secrets.without_secrets(text, said=True, cut=False)),  # type: ignore[misc]
                calls(lambda text=text: redact_literals(text)),  # type: ignore[misc]
                budget.spent,
            ]
        )
    for less, more in zip(*work, strict=True):
        assert more <= 5 * less + 500, work


def test_comments_behind_the_name_of_a_password_cost_nothing_much() -> None:
    """The old expression took twice the time for each."""
    text = "SELECT 1 AS password/**/" * 40
    assert calls(lambda: mask_passwords(text)) < 100 * len(text)


def test_masking_that_fails_costs_neither_the_result_nor_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (RuntimeError, RecursionError, MemoryError, secret_values.OverBudget):

        def broken(*_dummy: object, failure: type[Exception] = error, **_more: object) -> str:
            raise failure

        monkeypatch.setattr(secrets, "without_secrets", broken)
        assert shown("ALTER ROLE joe PASSWORD 'x'", 1024, False) == query_text.NOT_SHOWN
        assert shown("ALTER ROLE joe PASSWORD 'x'", 5, False) == "<n..."


def test_a_budget_ends_it() -> None:
    text = "password " * 100
    assert mask_passwords(text) != query_text.NOT_SHOWN
    with pytest.raises(secret_values.OverBudget):
        secrets.without_secrets(text * 10, budget=secret_values.Budget(0))


def test_no_more_than_a_limit_is_looked_at() -> None:
    text = "SELECT 1 /* token */ " + "x" * 200_000
    assert len(mask_passwords(text)) == query_text.LONGEST + len("...")
    assert len(shown(text, 10**6, False) or "") == query_text.LONGEST + len("...")
    assert query_text.needed(10**6) == query_text.LONGEST + 1


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


@given(st.text(alphabet="QXZ'\\\"$/*- 1\n", max_size=12), st.sampled_from(sorted(QUOTED)), st.integers(0, 80))
def test_wherever_it_is_cut_no_data_show(data: str, quote: str, cut: int) -> None:
    text = f"select f({QUOTED[quote](data)}, a) -- {data}"
    shown_part = redact_literals(text[:cut])
    assert not set("QXZ") & set(shown_part.partition("\n")[0]), (text[:cut], shown_part)
