# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What gp_resource_group_info does: options -> its result. Private to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core import engine, option_types
from ansible_collections.gpops.toolkit.plugins.module_utils._core.cluster import Cluster, connect
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import GroupFull
from ansible_collections.gpops.toolkit.plugins.module_utils._core.module import Definition
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups import catalog
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.model import Group

ARGUMENT_SPEC: dict[str, t.Any] = {
    "names": {"type": "list", "elements": "str"},
    "status": {"type": "bool", "default": False},
}

# One name and unit for all engines -> the columns that hold it; what -1 means is "none".
_LIMITS = {
    "concurrency": ("concurrency",),
    "cpu_percent": ("cpu_rate_limit", "cpu_max_percent"),
    "cpu_weight": ("cpu_weight",),
    "cpuset": ("cpuset",),
    "memory_shared_percent": ("memory_shared_quota",),
    "memory_spill_percent": ("memory_spill_ratio",),
    "min_cost": ("min_cost",),
    "io_limit": ("io_limit",),
}
_TEXTS = ("cpuset", "io_limit")
_UNSET = "-1"


def run(options: t.Mapping[str, t.Any], _check_mode: bool = True) -> tuple[dict[str, t.Any], list[str]]:
    """Read the resource groups.

    Args:
        options: Validated by the argument specs of this module and of the connection.

    Returns:
        The result as M(gpops.toolkit.gp_resource_group_info) documents it, and warnings.

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
    for name, columns in _LIMITS.items():
        found[name] = _value(name, next((group.limits[column] for column in columns if column in group.limits), None))
    # The same word, but percent of the segment's memory on Greenplum 6, and megabytes for a query on the others.
    memory = group.limits.get("memory_quota", group.limits.get("memory_limit"))
    found["memory_percent"] = _value("memory", memory) if family == "gp6" else None
    found["memory_mb"] = None if family == "gp6" else _value("memory", memory)
    found["raw"] = dict(group.limits)
    if status is not None:
        now = status.get(group.name)
        found["status"] = dataclasses.asdict(now) if now else None
    return found


def _value(name: str, text: str | None) -> int | str | None:
    if text is None or text == _UNSET:
        return None
    return text if name in _TEXTS else int(text)


def _warnings(reading: catalog.GroupCatalog, status: t.Mapping[str, object] | None) -> list[str]:
    if reading.enforced:
        return []
    none = "; there is no status" if status is not None else ""
    return [f"resource groups are stored but not enforced: gp_resource_manager is {reading.manager}, not group{none}"]


DEFINITION = Definition(run, ARGUMENT_SPEC)
