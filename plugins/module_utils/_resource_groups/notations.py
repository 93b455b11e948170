# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: the options that are texts with a grammar of their own: cpuset and io_limit. Private to the collection."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError

_LAST_CORE = 1024  # the engines parse no higher number
UNSET = "-1"
_CORES = re.compile(r"(\d{1,4})(?:-(\d{1,4}))?\Z", re.ASCII)
_IO_SETTING = re.compile(r"(\w+)\s*=\s*(\d+|max)\Z", re.ASCII | re.IGNORECASE)
_TABLESPACE = re.compile(r"(?:\*|\d+|[a-z_][a-z0-9_]*)\Z", re.ASCII | re.IGNORECASE)
ALL_TABLESPACES = "*"
_MAX = "max"
# What the engines take at most: megabytes a second, and operations a second.
_IO_MOST = {"rbps": (2**64 - 1) >> 20, "wbps": (2**64 - 1) >> 20, "riops": 2**32 - 1, "wiops": 2**32 - 1}
_IO_LEAST = 2
_OID_MAX = 2**32 - 1
# The tablespaces that every server has, with the numbers that they have everywhere.
_BUILT_IN_TABLESPACES = {"pg_default": 1663, "pg_global": 1664}

# The cores of the coordinator and those of the segments.
Cores = t.Tuple[t.FrozenSet[int], t.FrozenSet[int]]
Limits = t.Mapping[str, str]
# Tablespace, as it was written -> setting -> number; what is unlimited is not in it.
IoLimits = t.Dict[str, t.Dict[str, int]]
Tablespaces = t.Mapping[str, int]


def canonical_cpuset(option: str, text: str) -> str:
    """As it is sent."""
    text = "".join(text.split())
    if text == UNSET:
        return text
    try:
        return cpuset_text(parse_cpuset(text))
    except ValueError:
        raise OptionError(
            option,
            f"{text!r} is not a list of cores; allowed are such as 0,2-3, or 0;2-3 for the coordinator and the "
            f"segments, with cores up to {_LAST_CORE}",
        ) from None


def parse_cpuset(text: str) -> Cores:
    """The cores on the coordinator's host and on the segments' hosts."""
    coordinator, separator, segments = text.partition(";")
    return _parse_cores(coordinator), _parse_cores(segments if separator else coordinator)


def _parse_cores(text: str) -> frozenset[int]:
    cores: set[int] = set()
    for part in text.split(","):
        found = _CORES.match(part)
        if not found:
            raise ValueError(text)
        first, last = int(found.group(1)), int(found.group(2) or found.group(1))
        if first > last or last > _LAST_CORE:
            raise ValueError(text)
        cores.update(range(first, last + 1))
    return frozenset(cores)


def cores_of(limits: Limits) -> Cores:
    """The cores that are this group's own; none of a text that is not understood."""
    try:
        return parse_cpuset(limits.get("cpuset", UNSET))
    except ValueError:
        return frozenset(), frozenset()


def ranges_text(cores: t.Iterable[int]) -> str:
    """Cores in the engine's notation: 1-3,7."""
    spans: list[list[int]] = []
    for core in sorted(cores):
        if spans and spans[-1][1] == core - 1:
            spans[-1][1] = core
        else:
            spans.append([core, core])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)


def cpuset_text(cores: Cores) -> str:
    coordinator, segments = ranges_text(cores[0]), ranges_text(cores[1])
    return coordinator if coordinator == segments else f"{coordinator};{segments}"


def canonical_io_limit(option: str, text: str) -> str:
    """As it is sent: what no engine can take is refused here, where it can be said in words."""
    if text.strip() in ("", UNSET):
        return UNSET
    try:
        parts = [_io_part(part) for part in text.split(";")]
        _check_io_limit(parts)
    except ValueError as error:
        raise OptionError(option, str(error)) from None
    return ";".join(
        f"{tablespace}:{','.join(f'{name}={value or _MAX}' for name, value in settings)}"
        for tablespace, settings in parts
    )


def _io_part(text: str) -> tuple[str, list[tuple[str, int]]]:
    """One tablespace with its settings in order; 0 is max, of which the engines say that it is the same."""
    tablespace, _colon, settings = (part.strip() for part in text.rpartition(":"))
    found = [_IO_SETTING.match(setting.strip()) for setting in settings.split(",")]
    if not _TABLESPACE.match(tablespace) or None in found:
        raise ValueError(
            f"{text.strip()!r} is not understood; it is such as pg_default:rbps=1000,wbps=max, or -1 for no limit, "
            "with the name or number of a tablespace, or * for all"
        )
    pairs = [match.groups() for match in found if match]
    return tablespace, [(name.lower(), 0 if value.lower() == _MAX else int(value)) for name, value in pairs]


def _check_io_limit(parts: t.Sequence[tuple[str, list[tuple[str, int]]]]) -> None:
    seen = [_tablespace(name, {}) for name, _settings in parts]
    twice = next((name for name, _settings in parts if seen.count(_tablespace(name, {})) > 1), None)
    if twice is not None:
        raise ValueError(f"tablespace {twice} is there twice")
    if ALL_TABLESPACES in seen and len(seen) > 1:
        raise ValueError(f"{ALL_TABLESPACES} is all tablespaces and cannot stand beside others")
    for number in seen:
        if isinstance(number, int) and not 0 < number <= _OID_MAX:
            raise ValueError(f"{number} is not the number (oid) of a tablespace")
    for _name, settings in parts:
        _check_io_settings(settings)


def _check_io_settings(settings: t.Sequence[tuple[str, int]]) -> None:
    names = [name for name, _value in settings]
    for name, value in settings:
        if name not in _IO_MOST:
            raise ValueError(f"{name!r} is no setting; there are {', '.join(_IO_MOST)}")
        if names.count(name) > 1:
            raise ValueError(f"{name} is there twice for one tablespace")
        if value and not _IO_LEAST <= value <= _IO_MOST[name]:
            raise ValueError(f"{name}={value} is not allowed; it is {_IO_LEAST} to {_IO_MOST[name]}, or max")


def _parse_io_limit(text: str) -> IoLimits:
    """What is max, or not said, is not in it."""
    if text.strip() in ("", UNSET):
        return {}
    parts = [_io_part(part) for part in text.split(";")]
    limited = {tablespace: {name: value for name, value in settings if value} for tablespace, settings in parts}
    return {tablespace: settings for tablespace, settings in limited.items() if settings}


def _tablespace(name: str, known: Tablespaces) -> int | str:
    """The number by which later engines show a tablespace, if it can be told."""
    if name.isdigit():
        return int(name)
    return _BUILT_IN_TABLESPACES.get(name, known.get(name, name))


def tablespaces_of(io_limit: str) -> frozenset[str]:
    """The names in it whose numbers only the catalog knows."""
    found = (_tablespace(name, {}) for name in _parse_io_limit(io_limit))
    return frozenset(name for name in found if isinstance(name, str) and name != ALL_TABLESPACES)


def resolved_io_limit(text: str, known: Tablespaces) -> dict[int | str, dict[str, int]]:
    """By the number of the tablespace, where it can be told: what means the same is equal."""
    return {_tablespace(name, known): settings for name, settings in _parse_io_limit(text).items()}


def could_be_same_io_limit(one: str, other: str) -> bool:
    """Whether they may mean the same where the catalog is not at hand: a tablespace's name may be any number."""
    try:
        first, second = resolved_io_limit(one, {}), resolved_io_limit(other, {})
    except ValueError:
        return False
    left = [(key, value) for key, value in first.items() if second.get(key) != value]
    right = [(key, value) for key, value in second.items() if first.get(key) != value]
    kinds = {(side, type(key)) for side, rest in enumerate((left, right)) for key, _value in rest}
    if kinds not in ({(0, str), (1, int)}, {(0, int), (1, str)}) or ALL_TABLESPACES in (*first, *second):
        return False
    return sorted(map(_items, left)) == sorted(map(_items, right))


def _items(limit: tuple[object, t.Mapping[str, int]]) -> list[tuple[str, int]]:
    return sorted(limit[1].items())
