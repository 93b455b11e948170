# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option message, a name that Ansible keeps from modules. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail

GIVEN = "message"
HANDED_ON = "victim_message"


def with_message(options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The options with message under the name that the modules have for it.

    Raises:
        AnsibleActionFail: Both names are given.
    """
    handed_on = dict(options)
    if GIVEN in handed_on:
        if HANDED_ON in handed_on:
            raise AnsibleActionFail(f"{GIVEN}: give either this or {HANDED_ON}, they are the same")
        handed_on[HANDED_ON] = handed_on.pop(GIVEN)
    return handed_on
