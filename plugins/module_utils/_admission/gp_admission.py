# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What gp_admission does: options -> its result. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._admission import plan
from ansible_collections.gpops.toolkit.plugins.module_utils._admission.catalog import read, statement
from ansible_collections.gpops.toolkit.plugins.module_utils._core.apply import Change
from ansible_collections.gpops.toolkit.plugins.module_utils._core.cluster import Cluster, connect
from ansible_collections.gpops.toolkit.plugins.module_utils._core.families import not_managed_alone
from ansible_collections.gpops.toolkit.plugins.module_utils._core.module import Definition

ARGUMENT_SPEC: dict[str, t.Any] = {
    "databases": {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "connection_limit": {"type": "int", "required": True},
        },
    },
    "roles": {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "connection_limit": {"type": "int"},
            "login": {"type": "bool"},
        },
    },
    "allow_lockout": {"type": "bool", "default": False},
    "allow_superusers": {"type": "bool", "default": False},
}


def run(options: t.Mapping[str, t.Any], check_mode: bool) -> tuple[dict[str, t.Any], list[str]]:
    """Let in whom the options say.

    Args:
        options: Validated by the argument specs of this module and of the connection.
        check_mode: Plan, and send nothing that changes anything.

    Returns:
        The result as gpops.toolkit.gp_admission documents it, and warnings.

    Raises:
        GpopsError: In plain words, with what was applied once something was.
    """
    desired_state = plan.parse(
        options["databases"],
        options["roles"],
        allow_lockout=options["allow_lockout"],
        allow_superusers=options["allow_superusers"],
    )
    with connect(options, changes=True) as cluster:
        job = _AdmissionChange(cluster, desired_state)
        if not check_mode:
            job.apply()
        return job.result(), [*job.warnings, *job.notices]


class _AdmissionChange(Change):
    """What is asked of one server."""

    def __init__(self, cluster: Cluster, desired_state: plan.DesiredState) -> None:
        super().__init__(cluster)
        before = read(cluster.connection)
        self._roles = before.roles
        self._targets = plan.plan(before, desired_state)
        self._left = plan.left(before, desired_state)
        self.warnings = plan.warnings(self._targets, desired_state, self._left)
        self._changing = [target for target in self._targets if target.changes]
        self.statements = [cluster.connection.text(statement(target)) for target in self._changing]
        # What is true afterwards; until then, what is planned.
        self._server: plan.Server | None = None
        self._predicts = True

    def look(self) -> None:
        """Databases and roles as they are now."""
        self._predicts = False
        self._server = read(self.cluster.connection)

    def forget(self) -> None:
        """None of them is known any more."""
        self._predicts, self._server = False, None

    def who_may(self, number: int, said: str) -> str:  # noqa: ARG002 - the engine's words tell no more
        """Who may alter this one."""
        return privilege(self._changing[number], self._roles)

    def result(self) -> dict[str, t.Any]:
        """The result of the module; before apply, what would happen."""
        shown = {kind: self._shown(kind) for kind in ("databases", "roles")}
        return {
            "changed": bool(self.statements),
            **shown,
            "restore": {kind: plan.restoring(self._targets, kind) for kind in shown},
            "left": self._left,
            "statements": self.statements,
            "engine": self.cluster.engine.shown,
            "diff": {
                side: {kind: {each["name"]: each[side] for each in found} for kind, found in shown.items()}
                for side in ("before", "after")
            },
        }

    def _shown(self, kind: str) -> list[dict[str, t.Any]]:
        return [
            {
                "name": target.subject.name,
                "before": target.subject.admission.shown,
                "after": self._after(target),
            }
            for target in self._targets
            if target.kind == kind
        ]

    def _after(self, target: plan.Target) -> dict[str, t.Any] | None:
        if self._predicts:
            return target.after.shown
        now = self._server
        found = (now.databases if target.kind == "databases" else now.roles) if now else {}
        return found[target.subject.name].admission.shown if target.subject.name in found else None


def privilege(target: plan.Target, roles: t.Container[str]) -> str:
    """PURE: who may alter it.

    Args:
        target: What was refused.
        roles: All roles of the server.
    """
    no = not_managed_alone(roles)
    if target.kind == "databases":
        return f"a database takes its owner or a superuser{no}"
    if target.subject.is_superuser:
        return "only a superuser can alter a superuser"
    return f"a role takes a superuser or a role with CREATEROLE{no}"


DEFINITION = Definition(run, ARGUMENT_SPEC)
