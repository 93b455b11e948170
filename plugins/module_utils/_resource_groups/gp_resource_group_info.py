# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What gp_resource_group_info does: options -> its result. Private to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core import engine, option_types
from ansible_collections.gpops.toolkit.plugins.module_utils._core.cluster import Cluster, connect
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import GroupFull
from ansible_collections.gpops.toolkit.plugins.module_utils._core.families import FAMILIES
from ansible_collections.gpops.toolkit.plugins.module_utils._core.module import Definition
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups import catalog
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.model import Group
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.notations import UNSET
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.options import (
    OPTIONS,
    GroupOption,
)

ARGUMENT_SPEC: dict[str, t.Any] = {
    "names": {"type": "list", "elements": "str"},
    "status": {"type": "bool", "default": False},
}


def run(options: t.Mapping[str, t.Any], _check_mode: bool = True) -> tuple[dict[str, t.Any], list[str]]:
    """Read the resource groups.

    Args:
        options: Validated by the argument specs of this module and of the connection.

    Returns:
        The result as gpops.toolkit.gp_resource_group_info documents it, and warnings.

    Raises:
        GpopsError: In plain words.
    """
    wanted = option_types.names_test("names", options["names"]) if options["names"] is not None else None
    with connect(options, engine.GROUP_VIEWS) as cluster:
        reading = catalog.read(cluster.connection, cluster.engine)
        status, unread = _status(cluster) if options["status"] else (None, [])
    chosen = [group for name, group in sorted(reading.groups.items()) if wanted is None or wanted(name)]
    answer = {
        "changed": False,
        "groups": [record(group, cluster.engine.family, status) for group in chosen],
        "enforced": reading.enforced,
        "engine": cluster.engine.shown,
    }
    return answer, _warnings(reading, status) + unread


def _status(cluster: Cluster) -> tuple[dict[str, catalog.GroupStatus], list[str]]:
    """What goes on in the groups; or nothing, and why: what they are may be known all the same."""
    if cluster.engine.utility_mode:
        return {}, ["there is no status: this is a session in utility mode, to which the engine tells none"]
    try:
        return catalog.read_status(cluster.connection), []
    except GroupFull:
        return {}, [f"there is no status: {cluster.full_group}"]


def record(group: Group, family: str, status: t.Mapping[str, catalog.GroupStatus] | None) -> dict[str, t.Any]:
    """PURE: a group with the same names and units on all engines, and the engine's own values beside them."""
    found: dict[str, t.Any] = {"name": group.name, "roles": list(group.roles)}
    for option in OPTIONS.values():
        if option.info and found.get(option.info) is None:
            found[option.info] = _value(option, group.limits.get(option.name))
    unit = "memory_percent" if FAMILIES[family].memory_is_percent else "memory_mb"
    memory = group.limits.get("memory_quota", group.limits.get("memory_limit"))
    found.update({"memory_percent": None, "memory_mb": None, unit: _value(OPTIONS["memory_limit"], memory)})
    found["raw"] = dict(group.limits)
    if status is not None:
        now = status.get(group.name)
        found["status"] = dataclasses.asdict(now) if now else None
    return found


def _value(option: GroupOption, text: str | None) -> int | str | None:
    """What -1 means is "none"."""
    if text is None or text == UNSET:
        return None
    return text if option.is_text else int(text)


def _warnings(reading: catalog.GroupCatalog, status: t.Mapping[str, object] | None) -> list[str]:
    if reading.enforced:
        return []
    none = "; there is no status" if status is not None else ""
    return [f"resource groups are stored but not enforced: gp_resource_manager is {reading.manager}, not group{none}"]


DEFINITION = Definition(run, ARGUMENT_SPEC)
