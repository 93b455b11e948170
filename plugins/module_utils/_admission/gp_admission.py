# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What gp_admission does: options -> its result. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._admission import plan
from ansible_collections.gpops.toolkit.plugins.module_utils._admission.catalog import read, statement
from ansible_collections.gpops.toolkit.plugins.module_utils._core.cluster import Cluster, connect
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import GpopsError, GroupFull, StatementError
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
        The result as M(gpops.toolkit.gp_admission) documents it, and warnings.

    Raises:
        GpopsError: In plain words, with what was applied once something was.
    """
    wishes = plan.parse(
        options["databases"],
        options["roles"],
        allow_lockout=options["allow_lockout"],
        allow_superusers=options["allow_superusers"],
    )
    with connect(options, changes=True) as cluster:
        job = _AdmissionChange(cluster, wishes)
        if not check_mode:
            job.apply()
        return job.result(), job.warnings


class _AdmissionChange:
    """What is asked of one server, what of it was done, and what came out."""

    def __init__(self, cluster: Cluster, wishes: plan.DesiredState) -> None:
        self._cluster = cluster
        before = read(cluster.connection)
        self._roles = before.roles
        self._targets = plan.plan(before, wishes)
        self.warnings = plan.warnings(self._targets, wishes)
        self._changing = [target for target in self._targets if target.changes]
        self._statements = [cluster.connection.text(statement(target)) for target in self._changing]
        self._applied = 0
        # What is true afterwards; until then, what is planned.
        self._server: plan.Server | None = None
        self._predicts = True

    def apply(self) -> None:
        """Send the statements one by one; each is its own transaction, so a failure leaves those before it done."""
        for text in self._statements:
            try:
                self._cluster.connection.execute(text)
            except GpopsError as error:
                self._fail(error)
            self._applied += 1
        if not self._statements:
            return
        self._predicts = False
        try:
            self._server = read(self._cluster.connection)
        except GpopsError as error:
            raise GpopsError(
                f"all {self._applied} statements were applied; reading the result failed: {error.message}",
                **{**self.result(), **error.result, "applied": self._statements, "not_applied": []},
            ) from None

    def _fail(self, error: GpopsError) -> t.NoReturn:
        done, failed = self._applied, self._statements[self._applied]
        rest = self._statements[done + 1 :]
        unsure = error.was_sent and not isinstance(error, StatementError)
        full = isinstance(error, GroupFull)
        message = self._cluster.full_group if full else error.message
        self._predicts = False
        try:
            self._cluster.connection = self._cluster.connection.renewed()
            self._server = read(self._cluster.connection)
        except GpopsError:
            self._server = None
        raise GpopsError(
            f"statement {done + 1} of {len(self._statements)} failed: {failed}: {message}{self._privilege(error)}. "
            f"{done} before it were applied, {len(rest)} after it were not sent"
            f"{'; whether it took effect itself is unknown' if unsure else ''}. Running the task again does the rest",
            **{
                **self.result(),
                **error.result,
                "changed": bool(done) or unsure,
                "applied": self._statements[:done],
                "failed_statement": failed,
                "not_applied": rest,
            },
        ) from None

    def _privilege(self, error: GpopsError) -> str:
        if not isinstance(error, StatementError) or error.sqlstate != "42501":
            return ""
        return f"; {privilege(self._changing[self._applied], self._roles)}"

    def result(self) -> dict[str, t.Any]:
        """The result of the module; before apply, what would happen."""
        shown = {kind: self._shown(kind) for kind in ("databases", "roles")}
        return {
            "changed": bool(self._statements),
            **shown,
            "restore": {kind: plan.restoring(self._targets, kind) for kind in shown},
            "statements": self._statements,
            "engine": self._cluster.engine.shown,
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
    no = ", and mdb_admin alone is neither" if "mdb_admin" in roles else ""
    if target.kind == "databases":
        return f"a database takes its owner or a superuser{no}"
    if target.subject.is_superuser:
        return "a superuser takes a superuser"
    return f"a role takes a superuser or a role with CREATEROLE{no}"


DEFINITION = Definition(run, ARGUMENT_SPEC)
