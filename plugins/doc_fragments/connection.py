# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of the connection, shared by all modules."""

from __future__ import annotations


class ModuleDocFragment:
    """Use as gpops.toolkit.connection."""

    DOCUMENTATION = r"""
options:
  login_host:
    description:
      - Host of the coordinator, or a comma-separated list of hosts to try.
      - Falls back to E(PGHOST), then to the local socket.
    type: str
  login_port:
    description:
      - Port of the coordinator.
      - Falls back to E(PGPORT), then to V(5432).
    type: int
  login_user:
    description:
      - Login role. Falls back to E(PGUSER), then to the name of the operating system's user.
    type: str
  login_password:
    description:
      - Password of the login role.
      - Falls back to E(PGPASSWORD), then to the password file (E(PGPASSFILE), C(~/.pgpass)).
      - A password file or a service file keeps it out of playbooks. Ansible masks the value of this option wherever
        it occurs in the result, a user of the same name included.
    type: str
  login_db:
    description:
      - Database to log in to.
      - Falls back to E(PGDATABASE), then to V(postgres), unless a service (E(PGSERVICE)) is used.
      - On a managed service the schema C(mdb_toolkit) may be in some databases only. Others' sessions are cancelled and
        terminated through it.
    type: str
  login_unix_socket:
    description:
      - Folder of the coordinator's Unix socket, instead of O(login_host).
    type: path
  ssl_mode:
    description:
      - Whether to use TLS, as libpq's C(sslmode). Falls back to E(PGSSLMODE), then to libpq's default, V(prefer).
      - Only V(verify-full) proves that the server has the name in O(login_host), and V(verify-ca) that its certificate
        is of an authority in O(ca_cert). With any other a false server can ask for the password in clear.
    type: str
    choices: [allow, disable, prefer, require, verify-ca, verify-full]
  ca_cert:
    description:
      - File with the certificates of the authorities to trust, as libpq's C(sslrootcert). Falls back to
        E(PGSSLROOTCERT).
    type: path
  ssl_cert:
    description:
      - File with the client's certificate, as libpq's C(sslcert). Falls back to E(PGSSLCERT).
    type: path
  ssl_key:
    description:
      - File with the client's key, as libpq's C(sslkey). Falls back to E(PGSSLKEY).
    type: path
  ssl_warning:
    description:
      - Warn where a password goes to a host that does not have to prove its name, which takes O(ssl_mode=verify-full).
        Local sockets and loopback addresses need no proof.
      - Ansible shows it once a run for each host.
    type: bool
    default: true
  session_role:
    description:
      - Role to switch to (C(SET ROLE)). It has to be granted to the login role.
      - Without it the session acts as the login role, whatever C(ALTER DATABASE … SET role) and
        C(ALTER ROLE … SET role) say. If it acts as another role than asked for, or behind a pooler might, the task
        fails and names that role.
      - On Greenplum 6, with O(toolkit=native), the sessions of this role can be seen and ended, which otherwise takes a
        superuser or the managed service's functions.
    type: str
  connect_params:
    description:
      - Any other connection parameter of libpq, by its libpq name. Wins over the options above.
      - See U(https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS).
    type: dict
    default: {}
  timeout:
    description:
      - Seconds within which the module is done, whatever hangs. That covers connecting, running, a lock, a slot
        of a full resource
        group, and a server that no longer answers. Waits that were asked for come on top.
    type: float
    default: 30
  toolkit:
    description:
      - Which functions to use to cancel and terminate, and to list sessions where the role does not see everybody in
        C(pg_catalog).
      - V(mdb) are those of the schema C(mdb_toolkit) of the managed service, V(native) those of C(pg_catalog).
      - V(auto) takes V(mdb) where the database has the schema and the role may use it, else V(native).
        The result says which.
    type: str
    choices: [auto, mdb, native]
    default: auto
requirements:
  - psycopg2 2.8 or newer (C(psycopg2) or C(psycopg2-binary)) on the host that runs the module
notes:
  - E(PGSERVICE), E(PGSERVICEFILE), E(PGPASSFILE) and all other variables of libpq work; an option wins over them.
    They are read on the host that runs the module, so set them with C(environment) in the playbook if need be.
  - Run it on the control node or a bastion (C(connection=local) or C(delegate_to)); nothing is needed on the
    database's hosts.
"""
