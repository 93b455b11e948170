# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: options -> policies. Private to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError
from ansible_collections.gpops.toolkit.plugins.module_utils._policies import thresholds
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.backend import Backend
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.selection import (
    ARGUMENT_SPEC,
    Criterion,
    Selection,
    waiting_time,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.selection import parse as parse_selection
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.request import ARGUMENT_SPEC as REQUEST_SPEC
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.request import Request
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.request import parse as parse_request

_STRINGS: dict[str, t.Any] = {"type": "list", "elements": "str"}
_LIMIT_CRITERIA = ("users", "databases", "application_names", "resource_groups")
# Of gp_backend's options those that belong to the task or to another way to choose.
_NOT_OF_A_POLICY = ("processes", "redact_literals")

OPTIONS: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "why": {"type": "str", "default": ""},
    **ARGUMENT_SPEC,
    **{name: spec for name, spec in REQUEST_SPEC.items() if name not in _NOT_OF_A_POLICY},
    "limits": {
        "type": "list",
        "elements": "dict",
        "options": {**dict.fromkeys(_LIMIT_CRITERIA, _STRINGS), "min_query_age": {"type": "str"}},
    },
    "max_held_up": {"type": "int"},
    "max_role_sessions": {"type": "int"},
    "role_quotas": {"type": "dict"},
    "max_connections": {"type": "str"},
    "offenders_by": {"type": "str", "choices": list(thresholds.OFFENDERS), "default": "user"},
    "max_group_queue": {"type": "int"},
    "quiet_for": {"type": "str"},
    "rounds": {"type": "int"},
    "batch": {"type": "int"},
}
_MANY_ROUNDS = 20


@dataclasses.dataclass(frozen=True)
class Policy:
    """One policy.

    Attributes:
        why: For the result.
        request: Selection, protection and how to end.
        goal: The maximum to reach, or None.
        quiet_for: Seconds without anybody, or None.
        rounds: At most.
    """

    name: str
    why: str
    request: Request
    goal: thresholds.Threshold | None
    quiet_for: float | None
    rounds: int

    @property
    def needs_locks(self) -> bool:
        """Whether it can be judged with the lock table only."""
        return self.request.selection.needs_locks or isinstance(self.goal, thresholds.MaxHeldUp)

    @property
    def has_end(self) -> bool:
        """Whether it can be said that its situation is relieved."""
        return self.goal is not None or self.quiet_for is not None


@dataclasses.dataclass(frozen=True)
class Settings:
    """What holds for the whole run.

    Attributes:
        acting: It signals; otherwise it tells what it would do.
        enforce: The mode is enforce, be it in check mode.
        allow_segments_down: A segment that is down stops nothing.
        max_share: Percent of all sessions, or None: the default.
    """

    acting: bool
    enforce: bool
    allow_segments_down: bool
    max_share: float | None


def parse(policies: t.Sequence[t.Mapping[str, t.Any]], redact_literals: bool = False) -> list[Policy]:
    """The policies that these options describe.

    Args:
        redact_literals: In the query texts of the result.

    Raises:
        OptionError: An option of one cannot be used, or a name is empty or there twice.
    """
    parsed: list[Policy] = []
    for number, options in enumerate(policies, 1):
        name = options["name"]
        if not name.strip() or name in [policy.name for policy in parsed]:
            raise OptionError("policies", f"number {number}: name {name!r} is empty or was used before")
        try:
            parsed.append(_policy({**options, "redact_literals": redact_literals}))
        except OptionError as error:
            raise OptionError("policies", f"{name!r}: {error.message}") from None
    return parsed


def _policy(options: t.Mapping[str, t.Any]) -> Policy:
    goal = thresholds.parse(options)
    if goal is not None and options["victims"] != "all":
        raise OptionError(
            "victims", f"{options['victims']} is not allowed with a maximum to reach, which chooses itself"
        )
    match_all = options["match_all"] or goal is not None or options["limits"] is not None
    request = parse_request({**options, "processes": None, "match_all": match_all})
    if options["limits"] is not None:
        criterion = Criterion("limits", _limits(options["limits"]))
        selection = dataclasses.replace(request.selection, wanted=(*request.selection.wanted, criterion))
        request = dataclasses.replace(request, selection=selection)
    quiet_for = options["quiet_for"]
    rounds = options["rounds"]
    if rounds is not None and rounds < 1:
        raise OptionError("rounds", f"{rounds} is not allowed; it is a number, 1 or more")
    return Policy(
        name=options["name"],
        why=options["why"],
        request=request,
        goal=goal,
        quiet_for=None if quiet_for is None else waiting_time("quiet_for", quiet_for),
        rounds=rounds or (_MANY_ROUNDS if goal is not None or quiet_for is not None else 1),
    )


def _limits(entries: t.Sequence[t.Mapping[str, t.Any]]) -> t.Callable[[Backend], bool]:
    if not entries:
        raise OptionError("limits", "an empty list is not allowed; leave it out, or give entries with min_query_age")
    try:
        tests = [_limit(entry) for entry in entries]
    except OptionError as error:
        raise OptionError("limits", error.message) from None

    def too_long(backend: Backend) -> bool:
        for perhaps, who, age in tests:
            # What an entry names and nobody can see may be what it exempts: nothing is chosen on a guess.
            if all(name.why_not(backend) is not None for name in perhaps):
                return all(part is not None and part.why_not(backend) is None for part in (who, age))
        return False

    return too_long


def _limit(
    entry: t.Mapping[str, t.Any],
) -> tuple[list[Selection], Selection, Selection | None]:
    """Tests of one entry: which each leave out whom it may fit, which chooses whom it fits, and of the age."""
    given = {name: entry[name] for name in _LIMIT_CRITERIA if entry.get(name) is not None}
    age = entry.get("min_query_age")
    fits = parse_selection(given)
    is_old = None if age is None else parse_selection({"min_query_age": age})
    return [parse_selection({f"exclude_{name}": value}) for name, value in given.items()], fits, is_old
