# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: the changes of resource groups -> an order that the engine takes. Private to the collection.

It is found by playing the steps on the limits that the engine has: a step is next if the engine would take it at that
moment. If none is, a detour makes room.
"""

from __future__ import annotations

import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.desired import (
    DesiredState,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.engine_rules import (
    conflict,
    effect,
    overlap,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.model import EngineFacts, State, Step
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.notations import (
    UNSET,
    cores_of,
    cpuset_text,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.options import INTEGER, PERCENTAGES


class Order:
    """Finds an order in which the engine takes each statement.

    Decreases are first and increases last. What is left then waits for cores or for room in a sum that another
    waiting change gives back; if they wait for each other, one of them is parked meanwhile.

    Attributes:
        state: The limits of all groups after the steps so far.
        steps: In order.
    """

    def __init__(
        self, state: State, changes: t.Iterable[Step], desired_state: DesiredState, facts: EngineFacts
    ) -> None:
        self.state: State = dict(state)
        self.steps: list[Step] = []
        self._waiting = sorted(changes, key=self._rank)
        self._facts = facts
        self._named = [desired.name for desired in desired_state.desired if desired.present]
        # Only those of which it is said what they are to have: should we break off, a second run gives it back.
        self._lenders = [desired.name for desired in desired_state.desired if "cpu_rate_limit" in desired.limits]

    def find(self) -> None:
        """Do all changes.

        Raises:
            OptionError: There is no such order.
        """
        while self._waiting:
            step = next((each for each in self._waiting if self._is_due(each) and self._is_legal(each)), None)
            if step is not None:
                self._waiting.remove(step)
                self._do(step)
            elif not self._make_way():
                raise OptionError("cpuset", self._deadlock())

    def _rank(self, step: Step) -> int:
        """Decreases, then creates, then increases."""
        if step.kind == "create":
            return 1
        if step.option == "cpuset":
            return 0
        now = self.state.get(step.group, {})
        if step.option in PERCENTAGES and now.get("cpuset", UNSET) != UNSET:
            return 2
        old, new = now.get(str(step.option), ""), str(step.value)
        numbers = INTEGER.match(old) and INTEGER.match(new)
        return 0 if numbers and int(new) < int(old) else 2

    def _is_due(self, step: Step) -> bool:
        if step.kind == "create":
            return True
        reset_later = step.option == "cpu_weight" and self._next_of(step.group, ("cpuset",)) is not None
        return step.group in self.state and not reset_later

    def _is_legal(self, step: Step) -> bool:
        return conflict(step.group, effect(step, self.state, self._facts), self.state) is None

    def _do(self, step: Step) -> None:
        self.state[step.group] = effect(step, self.state, self._facts)
        self.steps.append(step)

    def _next_of(self, group: str, options: t.Container[str]) -> Step | None:
        return next((step for step in self._waiting if step.group == group and step.option in options), None)

    def _make_way(self) -> bool:
        """Take a detour; whether there was one."""
        blocking = [name for name in self._named if self._blocks(name)]
        return (
            any(self._shrink(name) for name in blocking)
            or any(self._park(name) for name in blocking)
            or any(self._lower(name) for name in self._named)
            or any(self._park_in_room_of(name, lender) for name in blocking for lender in self._lenders)
        )

    def _blocks(self, name: str) -> bool:
        """Whether this group has cores that another one waits for, and is to give them up."""
        if name not in self.state or self._next_of(name, ("cpuset", *PERCENTAGES)) is None:
            return False
        others = [step for step in self._waiting if step.group != name and self._is_due(step)]
        wanted = [cores_of(effect(step, self.state, self._facts)) for step in others]
        return any(overlap(cores_of(self.state[name]), cores) for cores in wanted)

    def _shrink(self, name: str) -> bool:
        """Keep only the cores that it has at the end, too."""
        final = self._next_of(name, ("cpuset",))
        if final is None:
            return False
        have, get = cores_of(self.state[name]), cores_of({"cpuset": str(final.value)})
        keep = (have[0] & get[0], have[1] & get[1])
        if keep == have or not all(keep):
            return False
        self._do(Step("alter", name, "cpuset", cpuset_text(keep)))
        return True

    def _park(self, name: str) -> bool:
        """Give a group the least percentage instead of its cores, or none where there are no sums."""
        percentage = next(option for option in PERCENTAGES if option in self._facts.options)
        step = Step("alter", name, percentage, "1" if percentage == "cpu_rate_limit" else UNSET)
        if not self._is_legal(step):
            return False
        self._do(step)
        return True

    def _lower(self, name: str) -> bool:
        """Give back all but 1 of a percentage that the group loses anyway to the cores that it waits for."""
        if self._next_of(name, ("cpuset",)) is None or int(self.state[name].get("cpu_rate_limit", UNSET)) <= 1:
            return False
        self._do(Step("alter", name, "cpu_rate_limit", "1"))
        return True

    def _park_in_room_of(self, name: str, lender: str) -> bool:
        """Park a group on 1 percent that another one lends."""
        has = int(self.state.get(lender, {}).get("cpu_rate_limit", UNSET))
        if has <= 1:
            return False
        self._do(Step("alter", lender, "cpu_rate_limit", str(has - 1)))
        if self._next_of(lender, PERCENTAGES) is None:
            self._waiting.append(Step("alter", lender, "cpu_rate_limit", str(has)))
        return self._park(name)

    def _deadlock(self) -> str:
        names = ", ".join(repr(name) for name in dict.fromkeys(step.group for step in self._waiting))
        return (
            f"the groups {names} wait for each other's cores, and no percent of cpu_rate_limit is free to park one of "
            "them meanwhile; declare another group with 1 percent less first"
        )
