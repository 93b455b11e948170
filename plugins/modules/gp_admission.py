#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: gp_admission
short_description: Say who may connect to a Greenplum or Cloudberry cluster
version_added: 1.0.0
description:
  - Sets the connection limits of databases, and the connection limits and the right to log in of roles. With it a
    cluster is closed for maintenance and opened again, and a role is kept out.
  - Only what differs is altered. Sessions that are there stay; to end them, see M(gpops.toolkit.gp_backend).
  - RV(restore) in the result puts things back, as O(databases) and O(roles) of a later task.
  - Each statement is a transaction of its own. After a failure in the middle the result says which were applied.
author:
  - gpops.toolkit contributors (@gpops)
extends_documentation_fragment:
  - gpops.toolkit.attributes
  - gpops.toolkit.attributes.acting
  - gpops.toolkit.connection
options:
  databases:
    description:
      - Databases and how many may connect to them. At least one of O(databases) and O(roles) is needed.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - A database, exact or a glob (V(*), V(?), V([abc])). Case matters.
          - A glob leaves templates out, and a database that is listed exactly goes by that entry.
        type: str
        required: true
      connection_limit:
        description:
          - How many connections it takes; V(-1) is no limit, V(0) lets in nobody but superusers, for whom no limit
            holds.
        type: int
        required: true
  roles:
    description:
      - Roles, how many connections each may have and whether it may log in. Each entry needs at least one of the two.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - A role, exact.
        type: str
        required: true
      connection_limit:
        description:
          - How many connections it may have; V(-1) is no limit. It does not hold for a superuser.
        type: int
      login:
        description:
          - Whether it may log in.
        type: bool
  allow_lockout:
    description:
      - Allow what can lock you out, such as to take the right to log in from the login role, or, unless that is a
        superuser, to leave no room in the database that it logs in to.
    type: bool
    default: false
  allow_superusers:
    description:
      - Allow to take the right to log in from superusers.
    type: bool
    default: false
notes:
  - Databases need their owner or a superuser, roles a superuser or a role with C(CREATEROLE), superusers a superuser.
    On a managed service, membership of C(mdb_admin) alone is none of these.
  - It works while the own group of the login role is full. Only on snapshots of Greenplum 7 before its release that
    takes a superuser.
  - In utility mode it is refused, for it would change the coordinator's catalog alone.
seealso:
  - module: gpops.toolkit.gp_backend
"""

EXAMPLES = r"""
- name: See what would close the cluster for all but superusers
  gpops.toolkit.gp_admission:
    login_host: "{{ gp_host }}"
    databases:
      - name: "*"
        connection_limit: 0
  check_mode: true

- name: Leave one database a hundred connections, and keep a role out
  gpops.toolkit.gp_admission:
    login_host: "{{ gp_host }}"
    databases:
      - name: postgres
        connection_limit: 100
    roles:
      - name: billy
        login: false
  register: admission

- name: Put it back as it was
  gpops.toolkit.gp_admission:
    login_host: "{{ gp_host }}"
    databases: "{{ admission.restore.databases }}"
    roles: "{{ admission.restore.roles }}"
"""

RETURN = r"""
databases:
  description: Each database that was named or matched. In check mode C(after) is predicted.
  returned: success, and failure of a statement
  type: list
  elements: dict
  contains:
    name:
      description: Name of the database.
      type: str
    before:
      description: Its C(connection_limit).
      type: dict
    after:
      description: The same afterwards; V(null) if it could not be read any more.
      type: dict
  sample:
    - name: postgres
      before:
        connection_limit: -1
      after:
        connection_limit: 100
roles:
  description: Each role that was named, in the same way.
  returned: success, and failure of a statement
  type: list
  elements: dict
  contains:
    name:
      description: Name of the role.
      type: str
    before:
      description: Its C(connection_limit) and C(login).
      type: dict
    after:
      description: The same afterwards; V(null) if it could not be read any more.
      type: dict
  sample:
    - name: billy
      before:
        connection_limit: -1
        login: true
      after:
        connection_limit: -1
        login: false
left:
  description:
    - Databases that a glob matches and that stay as they are, because their names are not UTF-8, as from a database in
      another encoding. No statement can name them. Bytes that are no UTF-8 are shown as C(U+FFFD).
  returned: success, and failure of a statement
  type: list
  elements: str
  sample: []
restore:
  description:
    - What puts back all that differs, C(databases) and C(roles), in the form in which the options take them.
    - Keep it, if things are to be put back later. The result of another run says only what that run changed.
  returned: success, and failure of a statement
  type: dict
  sample:
    databases:
      - name: postgres
        connection_limit: -1
    roles:
      - name: billy
        connection_limit: -1
        login: true
statements:
  description: The statements, in order. In check mode none is sent.
  returned: success, and failure of a statement
  type: list
  elements: str
  sample:
    - ALTER DATABASE "postgres" CONNECTION LIMIT 100
    - ALTER ROLE "billy" NOLOGIN
applied:
  description: The statements that were applied.
  returned: failure of a statement
  type: list
  elements: str
  sample: []
failed_statement:
  description: The statement that failed.
  returned: failure of a statement
  type: str
  sample: ALTER ROLE "billy" NOLOGIN
not_applied:
  description: The statements that were not sent.
  returned: failure of a statement
  type: list
  elements: str
  sample: []
engine:
  description: What was found.
  returned: success
  type: dict
  contains:
    family:
      description: As M(gpops.toolkit.gp_process_info) has it.
      type: str
    version:
      description: As the server's version text has it.
      type: str
    interface:
      description: V(mdb) or V(native), what O(toolkit) came to.
      type: str
  sample:
    family: gp7
    version: 7.0.0
    interface: native
diff:
  description: Databases and roles before and after, by name.
  returned: success
  type: dict
  sample:
    before:
      databases:
        postgres:
          connection_limit: -1
      roles:
        billy:
          connection_limit: -1
          login: true
    after:
      databases:
        postgres:
          connection_limit: 100
      roles:
        billy:
          connection_limit: -1
          login: false
sqlstate:
  description: The server's error code, where there is one.
  returned: failure of a statement
  type: str
  sample: "42501"
statement:
  description: The statement that failed.
  returned: failure of a statement
  type: str
  sample: ALTER ROLE "billy" NOLOGIN
"""

from ansible_collections.gpops.toolkit.plugins.module_utils._admission.gp_admission import DEFINITION
from ansible_collections.gpops.toolkit.plugins.module_utils._core.module import run_module


def main() -> None:
    """Entry point of the module."""
    run_module(DEFINITION)


if __name__ == "__main__":
    main()
