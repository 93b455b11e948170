# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: the options of gp_resource_group -> what is asked for, before there is a server. Private to the collection."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.notations import UNSET, tablespaces_of
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.options import (
    OPTIONS,
    PERCENTAGES,
)

ADMIN = "admin_group"
DEFAULT = "default_group"
SYSTEM = "system_group"
MANAGED_ADMIN = "mdb_admin_group"
BUILT_IN = (ADMIN, DEFAULT, SYSTEM, MANAGED_ADMIN)

_EXTRA = "extra_options"
LIMIT_OPTIONS: dict[str, t.Any] = {
    **{name: {"type": "str" if each.is_text else "int"} for name, each in OPTIONS.items() if each.of_module},
    _EXTRA: {"type": "dict"},
}

_NAME_BYTES = 63
_OPTION_NAME = re.compile(r"[a-z_][a-z0-9_]*\Z")


@dataclasses.dataclass(frozen=True)
class Desired:
    """One entry, understood.

    Attributes:
        option_prefix: Of the options in messages: empty, or groups[0]..
        limits: Canonical text, only what was given.
        roles: None if nothing was said about them.
    """

    option_prefix: str
    name: str
    present: bool
    limits: t.Mapping[str, str]
    roles: tuple[str, ...] | None

    def option(self, name: str) -> str:
        """How the user wrote this option."""
        return self.option_prefix + (name if name in _ENTRY_OPTIONS else f"{_EXTRA}.{name}")


_ENTRY_OPTIONS = ("name", "state", "roles", *LIMIT_OPTIONS)


@dataclasses.dataclass(frozen=True)
class DesiredState:
    """The whole task.

    Attributes:
        roles_to: The group that gets the roles of a dropped one.
    """

    desired: tuple[Desired, ...]
    purge: bool = False
    purge_all: bool = False
    purge_roles: bool = False
    roles_to: str | None = None
    allow_lockout: bool = False

    @property
    def names_tablespaces(self) -> bool:
        """Whether a limit is for a tablespace whose number only the catalog knows."""
        return any(tablespaces_of(desired.limits.get("io_limit", UNSET)) for desired in self.desired)


def parse(
    entries: t.Sequence[t.Mapping[str, t.Any]],
    single: bool,
    *,
    purge: bool = False,
    purge_all: bool = False,
    purge_roles: bool = False,
    roles_to: str | None = None,
    allow_lockout: bool = False,
) -> DesiredState:
    """The options -> what is asked for.

    Args:
        entries: Each with name, state, roles and the options of LIMIT_OPTIONS; None or absent is not said.
        single: There is one entry and it is the module's own options.

    Raises:
        OptionError: Something cannot be meant, whatever the server.
    """
    desired = tuple(_desired("" if single else f"groups[{number}].", entry) for number, entry in enumerate(entries))
    desired_state = DesiredState(desired, purge, purge_all, purge_roles, roles_to, allow_lockout)
    _check_unique(desired)
    _check_purge(desired_state, single)
    _check_roles_to(desired_state)
    return desired_state


def _desired(prefix: str, entry: t.Mapping[str, t.Any]) -> Desired:
    name = entry.get("name") or ""
    _check_name(prefix + "name", name)
    roles = entry.get("roles")
    desired = Desired(
        option_prefix=prefix,
        name=name,
        present=(entry.get("state") or "present") == "present",
        limits=_limits(prefix, entry),
        roles=None if roles is None else tuple(dict.fromkeys(roles)),
    )
    if desired.present:
        return desired
    said = [*desired.limits, *([] if roles is None else ["roles"])]
    if said:
        raise OptionError(desired.option(said[0]), "it says nothing of a group with state=absent; leave it out")
    if name in BUILT_IN:
        raise OptionError(desired.option("state"), f"{name} is built in and is never dropped")
    return desired


def _check_name(option: str, name: str) -> None:
    if not name:
        raise OptionError(option, "an empty name is not allowed")
    if "\0" in name:
        raise OptionError(option, "a name cannot contain the character NUL")
    if name.lower() == "none":
        raise OptionError(option, f"{name!r} is reserved: to the engines it means no group")
    size = len(name.encode("utf-8", "surrogatepass"))
    if size > _NAME_BYTES:
        raise OptionError(option, f"{name!r} has {size} bytes; the engines keep {_NAME_BYTES} and cut off the rest")


def _limits(prefix: str, entry: t.Mapping[str, t.Any]) -> dict[str, str]:
    limits: dict[str, str] = {}
    for name in LIMIT_OPTIONS:
        value = entry.get(name)
        if value is None:
            continue
        if name == _EXTRA:
            limits.update(_extra_options(prefix + name, value))
        else:
            limits[name] = OPTIONS[name].canonical(prefix + name, value)
    _choose_cpu(prefix, limits)
    for name, option in OPTIONS.items():
        if name in limits and option.range:
            option.range.check(prefix + name, limits[name])
    return limits


def _extra_options(option: str, extra: t.Mapping[str, t.Any]) -> dict[str, str]:
    limits = {}
    for name, value in extra.items():
        if not _OPTION_NAME.match(str(name)):
            raise OptionError(option, f"{name!r} is not the name of an option; it has a-z, 0-9 and _ only")
        if name in _ENTRY_OPTIONS:
            raise OptionError(f"{option}.{name}", "it is an option of its own; write it beside extra_options")
        if isinstance(value, bool) or not isinstance(value, (int, str)) or "\0" in str(value):
            raise OptionError(f"{option}.{name}", f"{value!r} is not allowed; it is a whole number or a string")
        limits[name] = str(value)
    return limits


def _choose_cpu(prefix: str, limits: dict[str, str]) -> None:
    """Leave the one that counts of a cpuset and a percentage: of two that the engine shows, one is -1."""
    percentages = [name for name in PERCENTAGES if name in limits]
    if "cpuset" not in limits or not percentages:
        return
    if limits["cpuset"] == UNSET:
        del limits["cpuset"]
        return
    for name in percentages:
        if limits[name] != UNSET:
            raise OptionError(prefix + "cpuset", f"a group has either a cpuset or {name}, not both")
        del limits[name]


def _check_unique(desired: t.Iterable[Desired]) -> None:
    names: dict[str, Desired] = {}
    roles: dict[str, Desired] = {}
    for each in desired:
        if each.name in names:
            first = names[each.name].option("name")
            raise OptionError(each.option("name"), f"{each.name!r} is declared twice; first by {first}")
        names[each.name] = each
        for role in each.roles or ():
            if role in roles:
                raise OptionError(
                    each.option("roles"), f"role {role!r} is listed for {roles[role].name!r} too; a role has one group"
                )
            roles[role] = each


def _check_purge(desired_state: DesiredState, single: bool) -> None:
    if desired_state.purge and single:
        raise OptionError("purge", "it goes with groups, the list of all groups that are to be there")
    if desired_state.purge_all and not desired_state.purge:
        raise OptionError("purge_all", "it allows purge to drop every group; without purge it does nothing")
    if desired_state.purge and not desired_state.purge_all and not any(each.present for each in desired_state.desired):
        raise OptionError(
            "purge", "no group is declared present, so every group that is not built in would go; purge_all: true does"
        )


def _check_roles_to(desired_state: DesiredState) -> None:
    if desired_state.roles_to is None:
        return
    _check_name("roles_to", desired_state.roles_to)
    if not desired_state.purge and all(each.present for each in desired_state.desired):
        raise OptionError("roles_to", "it is where the roles of dropped groups go, and nothing drops a group here")
    for each in desired_state.desired:
        if each.name == desired_state.roles_to and not each.present:
            raise OptionError("roles_to", f"{each.name!r} is declared absent")
        if each.name == desired_state.roles_to and each.roles is not None and desired_state.purge_roles:
            raise OptionError(
                "roles_to",
                f"{each.name!r} lists its roles, and purge_roles would take away those that come by roles_to",
            )
