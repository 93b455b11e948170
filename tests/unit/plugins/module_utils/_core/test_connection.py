# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options -> a connection with a deadline, without a database server."""

from __future__ import annotations

import signal
import socket
import time
import typing as t

import pytest
from ansible_collections.gpops.toolkit.plugins.module_utils._core import connection, conninfo
from ansible_collections.gpops.toolkit.plugins.module_utils._core.conninfo import ARGUMENT_SPEC
from ansible_collections.gpops.toolkit.plugins.module_utils._core.deadline import Deadline
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import (
    ConnectError,
    DeadlineExceeded,
    OptionError,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._core.hints import advice_for_connect, advice_for_statement


def options(**more: t.Any) -> dict[str, t.Any]:
    given = {name: spec.get("default") for name, spec in ARGUMENT_SPEC.items()}
    return {**given, **more}


def parameters(environ: dict[str, str] | None = None, **more: t.Any) -> dict[str, t.Any]:
    return conninfo.connect_parameters(options(**more), environ or {})


def test_options_have_libpq_names() -> None:
    given = parameters(
        login_host="h",
        login_port=1,
        login_user="u",
        login_password="p",
        login_db="d",
        ssl_mode="require",
        ca_cert="/ca",
        ssl_cert="/cert",
        ssl_key="/key",
    )
    wanted = {
        "host": "h",
        "port": 1,
        "user": "u",
        "password": "p",
        "dbname": "d",
        "sslmode": "require",
        "sslrootcert": "/ca",
        "sslcert": "/cert",
        "sslkey": "/key",
    }
    assert wanted.items() <= given.items()


def test_a_socket_is_a_host() -> None:
    assert parameters(login_unix_socket="/run/gp")["host"] == "/run/gp"


def test_what_is_not_said_is_left_to_libpq() -> None:
    assert set(parameters()) == {"client_encoding", "fallback_application_name", "dbname", "connect_timeout"}
    assert set(parameters(login_password="")) == set(parameters())


@pytest.mark.parametrize("environ", [{"PGDATABASE": "x"}, {"PGSERVICE": "x"}])
def test_the_environment_names_the_database(environ: dict[str, str]) -> None:
    assert parameters()["dbname"] == "postgres"
    assert "dbname" not in parameters(environ)


def test_connect_params_win() -> None:
    given = parameters(login_host="h", connect_params={"host": "other", "service": "s", "connect_timeout": 7})
    assert given["host"] == "other"
    assert given["connect_timeout"] == 7
    assert "dbname" not in given


def test_each_host_of_a_list_has_its_time() -> None:
    assert parameters(timeout=30.0)["connect_timeout"] == 15
    assert parameters(timeout=1.0)["connect_timeout"] == 2
    assert "connect_timeout" not in parameters({"PGCONNECT_TIMEOUT": "3"})


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_timeout_is_positive(timeout: float) -> None:
    with pytest.raises(OptionError, match=r"^timeout: "):
        parameters(timeout=timeout)


@pytest.mark.parametrize(
    ("params", "environ", "where"),
    [
        ({"host": "h", "port": 6}, {}, "h port 6"),
        ({"host": "h"}, {"PGPORT": "7"}, "h port 7"),
        ({}, {"PGHOST": "e"}, "e port 5432"),
        ({}, {"PGSERVICE": "prod"}, "service prod"),
        ({"service": "prod"}, {}, "service prod"),
        ({}, {}, "the local socket"),
    ],
)
def test_where_to(params: dict[str, t.Any], environ: dict[str, str], where: str) -> None:
    assert conninfo.where_to(params, environ) == where


def test_only_secrets_are_masked() -> None:
    given = options(login_user="ops", login_password="ops", connect_params={"password": "s3cret", "keepalives": 1})
    shown = conninfo.without_secrets(given)
    assert shown["login_user"] == "ops"
    assert shown["connect_params"]["keepalives"] == 1
    assert "s3cret" not in str(shown)
    assert shown["login_password"] not in ("ops", None)
    assert conninfo.without_secrets(options())["login_password"] is None
    assert given["connect_params"]["password"] == "s3cret"


def test_deadline() -> None:
    now = [100.0]
    deadline = Deadline(10, clock=lambda: now[0])
    now[0] = 104.0
    assert deadline.remaining() == 6.0
    assert deadline.part(0.5).remaining() == 3.0
    now[0] = 111.0
    assert deadline.remaining() == 0.0


@pytest.fixture
def silent_port() -> t.Iterator[int]:
    """A server that accepts and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def open_session(timeout: float, **more: t.Any) -> connection.Connection:
    given = options(login_host="127.0.0.1", login_user="u", timeout=timeout, **more)
    return connection.Connection(given, Deadline(timeout))


def test_a_server_that_never_answers_ends_by_the_deadline(silent_port: int) -> None:
    start = time.monotonic()
    with pytest.raises(DeadlineExceeded, match=r"within timeout \(0.5 s\)") as caught:
        open_session(0.5, login_port=silent_port)
    assert time.monotonic() - start < 2.5
    assert f"127.0.0.1 port {silent_port}" in caught.value.message


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(ConnectError, match="check login_host and login_port"):
        open_session(5, login_port=port)


@pytest.mark.parametrize("name", ["colour", "async", "cursor_factory", "dsn"])
def test_an_unknown_connect_parameter_is_named(name: str) -> None:
    with pytest.raises(OptionError, match=r"^connect_params: ") as caught:
        open_session(5, connect_params={name: "red"})
    assert name in caught.value.message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('FATAL:  password authentication failed for user "ops"', "login_password"),
        ("fe_sendauth: no password supplied", "PGPASSFILE"),
        ('FATAL:  no pg_hba.conf entry for host "192.0.2.1"', "pg_hba.conf"),
        ('FATAL:  role "nobody" does not exist', "login_user"),
        ('FATAL:  database "none" does not exist', "login_db"),
        ("FATAL:  sorry, too many clients already", "the reserved ones too"),
        (
            "FATAL:  remaining connection slots are reserved for non-replication superuser connections",
            "a superuser may still get one",
        ),
        (
            "FATAL:  remaining connection slots are reserved for non-replication superuser connections or mdb_admin",
            "a member of mdb_admin may still get one",
        ),
        ('FATAL:  too many connections for role "ops"', "its own limit"),
        ('FATAL:  too many connections for database "dwh"', "raise the limit with gp_admission"),
        ("FATAL:  the database system is starting up", "try again"),
        ("FATAL:  connections to primary segments are not allowed", "log in to the coordinator"),
        ("SSL error: certificate verify failed", "ca_cert"),
        ("server does not support SSL, but SSL was required", "ssl_mode"),
        ('could not translate host name "x" to address', "login_host"),
        ('definition of service "x" not found', "PGSERVICEFILE"),
    ],
)
def test_advice_for_connections(text: str, words: str) -> None:
    assert words in advice_for_connect(text)


def test_no_advice_is_better_than_a_wrong_one() -> None:
    assert advice_for_connect("something new") == ""
    assert advice_for_statement("XX000") == ""
    assert advice_for_statement(None) == ""
    assert "privilege" in advice_for_statement("42501")
    # The coordinator let us in: it is about a segment, and no reserved connection helps.
    assert "superuser" not in advice_for_statement("53300")


def test_an_alarm_of_others_comes_at_its_time() -> None:
    """Such as that of a task's own timeout, in whose process an operation may run."""
    rang: list[float] = []
    before = signal.signal(signal.SIGALRM, lambda *_dummy: rang.append(time.monotonic()))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(DeadlineExceeded, match="too slow"), Deadline(0.05).enforced("too slow"):
            _wait_for(lambda: False)
        assert rang == []
        _wait_for(lambda: rang)
        assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
        # One that comes first is left alone.
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with Deadline(60).enforced("too slow"):
            _wait_for(lambda: len(rang) == 2)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _wait_for(done: t.Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not done():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_message_stays_readable_whatever_it_repeats() -> None:
    error = OptionError("users", f"{'x' * 10_000_000} is not allowed; it is a name")
    assert len(error.message) < 1000
    assert error.message.startswith("users: xxx")
    assert error.message.endswith("is not allowed; it is a name")


def test_a_text_of_any_length_of_a_false_server_is_read_at_its_beginning() -> None:
    """Each word role would begin a search to the end of the line."""
    assert advice_for_connect("role " * 200_000) == ""
    assert "login_user" in advice_for_connect('role "joe" does not exist ' + "role " * 200_000)
