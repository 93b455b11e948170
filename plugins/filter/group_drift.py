# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters that tell how resource groups differ from what is declared."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.gpops.toolkit.plugins.plugin_utils import _group_drift


def group_drift(groups: _group_drift.Groups, host: str) -> list[dict[str, t.Any]]:
    """See gpops.toolkit.group_drift."""
    try:
        return _group_drift.findings(groups, host)
    except (KeyError, TypeError, AttributeError):
        raise AnsibleFilterError(
            "group_drift takes the groups that gpops.toolkit.gp_resource_group returned, a list of dictionaries"
        ) from None


def group_drift_junit(examinations: _group_drift.Examinations) -> str:
    """See gpops.toolkit.group_drift_junit."""
    try:
        return _group_drift.junit(examinations)
    except (KeyError, TypeError, AttributeError):
        raise AnsibleFilterError(
            "group_drift_junit takes a dictionary of hosts, each with problem, groups and declared"
        ) from None


class FilterModule:
    """What Ansible asks for the filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filters by name."""
        return {"group_drift": group_drift, "group_drift_junit": group_drift_junit}
