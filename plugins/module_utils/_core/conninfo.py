# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: login options -> the parameters of libpq, and what of them a result may repeat. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import (
    OptionError,
)

ARGUMENT_SPEC: dict[str, t.Any] = {
    "login_host": {"type": "str"},
    "login_port": {"type": "int"},
    "login_user": {"type": "str"},
    "login_password": {"type": "str", "no_log": True},
    "login_db": {"type": "str"},
    "login_unix_socket": {"type": "path"},
    "ssl_mode": {
        "type": "str",
        "choices": ["allow", "disable", "prefer", "require", "verify-ca", "verify-full"],
    },
    "ca_cert": {"type": "path"},
    "ssl_cert": {"type": "path"},
    "ssl_key": {"type": "path"},
    "ssl_warning": {"type": "bool", "default": True},
    "session_role": {"type": "str"},
    # Not no_log: that makes a secret of every value in it, of a port, too; see without_secrets.
    "connect_params": {"type": "dict", "no_log": False, "default": {}},
    "timeout": {"type": "float", "default": 30},
    "toolkit": {"type": "str", "choices": ["auto", "mdb", "native"], "default": "auto"},
}
MUTUALLY_EXCLUSIVE: list[list[str]] = [["login_host", "login_unix_socket"]]
_LIBPQ_NAMES = {
    "login_host": "host",
    "login_port": "port",
    "login_user": "user",
    "login_password": "password",
    "login_db": "dbname",
    "login_unix_socket": "host",
    "ssl_mode": "sslmode",
    "ca_cert": "sslrootcert",
    "ssl_cert": "sslcert",
    "ssl_key": "sslkey",
}
MASK = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
# What of connect_params a result may repeat.
_OPEN_PARAMS = frozenset(
    "host hostaddr port dbname database user application_name connect_timeout client_encoding service options sslmode "
    "sslrootcert sslcert sslkey sslcrl sslsni ssl_min_protocol_version ssl_max_protocol_version channel_binding "
    "gssencmode krbsrvname keepalives keepalives_idle keepalives_interval keepalives_count tcp_user_timeout passfile "
    "target_session_attrs load_balance_hosts requirepeer require_auth".split()
)
MAX_TIMEOUT = 86400
MAX_PORT = 65535


def connect_parameters(options: t.Mapping[str, t.Any], environ: t.Mapping[str, str]) -> dict[str, t.Any]:
    """The libpq parameters for these options.

    What is not said is left to libpq, which reads the PG* environment, the service file and the
    password file. Only the database differs: libpq would take the user's name, we take postgres.

    Raises:
        OptionError: timeout or connect_params cannot be used.
    """
    if not 0 < options["timeout"] <= MAX_TIMEOUT:
        raise OptionError(
            "timeout", f"{options['timeout']} is not allowed; it is a number of seconds above 0, at most {MAX_TIMEOUT}"
        )
    port = options.get("login_port")
    if port is not None and not 0 < port <= MAX_PORT:
        raise OptionError("login_port", f"{port} is not allowed; it is a number from 1 to {MAX_PORT}")
    params: dict[str, t.Any] = {"fallback_application_name": "gpops.toolkit"}
    for option, name in _LIBPQ_NAMES.items():
        if options.get(option) not in (None, ""):
            params[name] = options[option]
    params.update(options.get("connect_params") or {})
    # The bytes as they are: names of roles do not depend on the encoding of the database that we log in to,
    # and a text of another database that has no equivalent in ours does not fail the listing.
    params["client_encoding"] = "SQL_ASCII"
    if "dsn" in params:
        raise OptionError("connect_params", "dsn is not allowed; give its parameters one by one")
    named = ("dbname", "database", "service")
    if not any(name in params for name in named) and not environ.get("PGDATABASE") and not environ.get("PGSERVICE"):
        params["dbname"] = "postgres"
    if not environ.get("PGCONNECT_TIMEOUT"):
        # For each host of a list; libpq's own default is to wait for ever.
        params.setdefault("connect_timeout", max(2, int(options["timeout"] / 2)))
    return params


def without_secrets(options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The options as a result may repeat them: each secret is replaced.

    Nothing else in a result can hold them. Ansible's own masking replaces the value wherever it occurs:
    with a password that equals a user's name that name, with keepalives=1 each 1.
    """
    shown = dict(options)
    if shown.get("login_password"):
        shown["login_password"] = MASK
    params = shown.get("connect_params") or {}
    if isinstance(params, dict):
        # Also what is not libpq's: it may be a password under a name that was mistyped.
        shown["connect_params"] = {name: value if name in _OPEN_PARAMS else MASK for name, value in params.items()}
    else:  # not valid
        shown["connect_params"] = MASK
    return shown


def where_to(params: t.Mapping[str, t.Any], environ: t.Mapping[str, str]) -> str:
    """The server as an operator would name it, for messages."""
    service = params.get("service") or environ.get("PGSERVICE")
    host = params.get("host") or environ.get("PGHOST")
    if not host:
        return f"service {service}" if service else "the local socket"
    return f"{host} port {params.get('port') or environ.get('PGPORT') or 5432}"
