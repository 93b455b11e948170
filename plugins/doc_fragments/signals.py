# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of how sessions are ended and who is spared, shared by the modules that signal."""

from __future__ import annotations


class ModuleDocFragment:
    """Use as gpops.toolkit.signals."""

    DOCUMENTATION = r"""
options:
  cancel_first:
    description:
      - With O(state=terminated), cancel running statements first, and terminate after O(grace_period), or as soon
        as the statements have ended.
    type: bool
    default: false
  grace_period:
    description:
      - How long a cancelled statement has to end, in seconds or as V(90s), V(15m), V(2h), V(1d).
    type: str
    default: "10"
  wait:
    description:
      - Look until each victim is gone, or its statement has ended.
      - With V(false) it looks once, and a victim that is still there does not fail the task.
    type: bool
    default: true
  wait_timeout:
    description:
      - How long to look, in seconds or as V(90s), V(15m), V(2h), V(1d). It comes on top of O(timeout).
    type: str
    default: "30"
  max_victims:
    description:
      - If more sessions than this would be signalled, none is, and the task fails with the list of them.
    type: int
    default: 20
  victims:
    description:
      - Which of the chosen sessions are victims. Age is that of the session, with O(state=cancelled) that of the
        statement.
    type: str
    choices: [all, oldest, newest, all_but_oldest]
    default: all
  protected_users:
    description:
      - Sessions of these login roles are spared, each exact or a glob. An empty list protects nobody by name.
    type: list
    elements: str
    default: [gpadmin, gpmon]
  allow_superusers:
    description:
      - Do not spare the sessions of superusers as such. O(protected_users) still holds.
    type: bool
    default: false
  protected_applications:
    description:
      - Sessions of superusers and of O(protected_application_users) with these application names are spared, each exact
        or a glob.
      - Everybody can call a session by any name. So the names protect nobody else, and a warning says if a session that
        is to end has one.
    type: list
    elements: str
    default: [gpbackup*, gprestore*, gpexpand*, pg_dump*]
  protected_application_users:
    description:
      - Users, each exact or a glob, whose sessions O(protected_applications) spares as well, such as the one that makes
        the backups. Their name alone spares nobody.
    type: list
    elements: str
    default: []
  victim_message:
    description:
      - In a task, C(message) is the same option. Ansible keeps that name from modules, so an action plugin hands it on.
      - Text for the victims, who get it with the error of a cancelled statement, at most 127 bytes. Clients of a
        terminated session may see no more than that the connection is closed.
      - Greenplum 6 and 7 have it with O(toolkit=native); elsewhere there is a warning and no message. On Greenplum 6
        that reaches only the sessions of the own role, unless it is a superuser.
    type: str
  ignore_survivors:
    description:
      - Do not fail if a session was refused or is still there.
    type: bool
    default: false
"""
