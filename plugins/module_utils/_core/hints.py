# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What server errors mean for an operator: plain words and what to do. Private to the collection.

SQLSTATEs are those of the PostgreSQL documentation, appendix "Error Codes"; the texts of
connection errors are libpq's and the server's (lc_messages=C).
"""

from __future__ import annotations

import re

_BY_SQLSTATE: dict[str, str] = {
    "25006": "this server is read-only (a standby), or this login is (default_transaction_read_only); "
    "log in to the coordinator, and without that setting",
    "42501": "the login role lacks a privilege for this; see the table of permissions in the README",
    "42P01": "this engine has no such relation; check that the server is Greenplum 6 or newer, or Cloudberry",
    "53000": "this login has too little memory for a statement; raise statement_mem, or leave it out of PGOPTIONS",
    "53300": "no connection is left, on the coordinator or on a segment; end idle sessions, or wait until some end",
    "55P03": "a lock could not be had in time; end who holds it, or wait until it is released",
    "57014": "the statement was cancelled, by the time limit or by somebody; raise timeout, or find what holds it up, "
    "such as a segment that does not answer",
    "57P01": "an administrator ended this session or is stopping the server; check the server, then run the task again",
    "57P02": "a server process crashed and the server is recovering; wait until it accepts connections",
    "57P03": "the server is starting, stopping or recovering; try again when it accepts connections",
}

# Whoever owns a database can lock its catalog, and then no login to it comes about.
_OTHER_DATABASE = "set login_db to another database: a lock on the catalog of this one holds up its logins"
NO_ANSWER = f"check login_host, login_port and firewalls, or {_OTHER_DATABASE}"
# The driver gives no SQLSTATE for a connection that fails: only the text tells.
_BY_CONNECT_TEXT: tuple[tuple[str, str], ...] = (
    (r"password authentication failed", "check login_user and login_password (or PGPASSWORD, or the password file)"),
    (r"no password supplied", "set login_password, PGPASSWORD or a password file (PGPASSFILE)"),
    (
        r"no pg_hba.conf entry",
        "the server does not let this user, database and address in; check pg_hba.conf and ssl_mode",
    ),
    (r"role .* (does not exist|is not permitted to log in)", "check login_user"),
    (r"database .* does not exist", "check login_db"),
    (
        r"remaining connection slots are reserved.* mdb_admin",
        "all connections of ordinary roles are taken; a member of mdb_admin may still get one of those reserved for it",
    ),
    (
        r"remaining connection slots|connection limit exceeded",
        "all connections are taken; a superuser may still get one of the reserved ones",
    ),
    (r"too many clients", "all connections are taken, the reserved ones too; wait until one ends"),
    (
        r"too many connections for (role|database)",
        "that has as many connections as its own limit lets it; end some, or raise the limit with gp_admission",
    ),
    (r"starting up|shutting down|in recovery mode|not (yet )?accepting connections", _BY_SQLSTATE["57P03"]),
    (
        r"connections to primary segments are not allowed|System was started in .* utility mode",
        "this is a segment or a server in utility mode; log in to the coordinator",
    ),
    (r"certificate verify failed|root certificate file|server certificate for", "check ssl_mode and ca_cert"),
    (r"does not support SSL", "the server has no TLS; set ssl_mode to prefer or disable if that is acceptable"),
    (r"could not translate host name|Name or service not known", "check login_host"),
    (r"Connection refused|No such file or directory", "check login_host and login_port, and that the server runs"),
    (r"definition of service .* not found", "check PGSERVICE and the service file (PGSERVICEFILE)"),
    (
        r"invalid (dsn|connection option|sslmode value|port number)|invalid integer value",
        "check connect_params: each key must be a libpq connection parameter",
    ),
    (r"due to (lock|statement) timeout", _OTHER_DATABASE),
    (r"timeout expired|timed out", f"the server did not answer; {NO_ANSWER}"),
)
_LONGEST_TEXT = 2000


def advice_for_statement(sqlstate: str | None) -> str:
    """What to do about a statement that failed with this SQLSTATE, or an empty string."""
    return _BY_SQLSTATE.get(sqlstate or "", "")


def advice_for_connect(text: str) -> str:
    """What to do about a connection that failed with this text of libpq, or an empty string."""
    # A server that is not what it says may send a text of any length, and some of these begin anew at each word.
    text = text[:_LONGEST_TEXT]
    for pattern, advice in _BY_CONNECT_TEXT:
        if re.search(pattern, text, re.IGNORECASE):
            return advice
    return ""


def is_queue_timeout(sqlstate: str | None, text: str) -> bool:
    """Whether a wait for a slot of a resource group ended by gp_resource_group_queuing_timeout."""
    return sqlstate == "57014" and "resource group waiting timeout" in text


def is_out_of_memory(sqlstate: str | None) -> bool:
    """Whether a statement was given no more memory, by its resource group or by the server."""
    return sqlstate in ("53500", "53200")
