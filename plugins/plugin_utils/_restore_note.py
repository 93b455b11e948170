# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: what was changed for a while -> what to note of it, and what to put back. Private to the collection.

A note is a list of items, each with the name of a database or group, its options before, and those that were set.
"""

from __future__ import annotations

import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.options import could_be_same

Object = t.Mapping[str, t.Any]


def remember(note: t.Iterable[Object], objects: t.Iterable[Object]) -> list[dict[str, t.Any]]:
    """The note after a change.

    Args:
        note: The note so far.
        objects: Each with name, before and after, as a plan of gp_resource_group or gp_admission has it.
    """
    items = {item["name"]: {key: dict(item[key]) for key in ("before", "set")} for item in note}
    for found in objects:
        before, after = found["before"], found["after"]
        for option, value in before.items():
            if value == after[option]:
                continue
            item = items.setdefault(found["name"], {"before": {}, "set": {}})
            # What was there before our first change counts, unless somebody else has changed it since.
            if not _is_ours(item, option, value):
                item["before"][option] = value
            item["set"][option] = after[option]
    return [{"name": name, **item} for name, item in items.items()]


def put_back(note: t.Iterable[Object], objects: t.Iterable[Object]) -> dict[str, list[t.Any]]:
    """What to set, and what to leave because somebody changed it since.

    Args:
        note: What was noted.
        objects: Each with name and, as before, the options that it has now.
    """
    now = {found["name"]: found["before"] or {} for found in objects}
    wanted: list[dict[str, t.Any]] = []
    left: list[str] = []
    for item in note:
        options = {}
        for option, value in item["set"].items():
            found = now.get(item["name"], {}).get(option)
            before = item["before"][option]
            if _is_same(option, found, value):
                options[option] = before
            elif not _is_same(option, found, before):
                now_it_is = "it is gone" if found is None else f"it is {found} now, which somebody else set"
                left.append(f"{option} of {item['name']} is left: it was {before}, {value} was set, and {now_it_is}")
        if options:
            wanted.append({"name": item["name"], **options})
    return {"wanted": wanted, "left": left}


def _is_ours(item: Object, option: str, value: t.Any) -> bool:
    """Whether the value is the one that we set, or still the one before, as when the change failed."""
    return option in item["set"] and any(_is_same(option, value, item[key][option]) for key in ("before", "set"))


def _is_same(option: str, one: t.Any, other: t.Any) -> bool:
    """Catalogs show numbers as text, and some texts in a form of their own."""
    return one is not None and (str(one) == str(other) or could_be_same(option, str(one), str(other)))
