# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: what a run of a runbook knows so far. Private to the collection."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
import typing as t
import urllib.parse

from ansible_collections.gpops.toolkit.plugins.plugin_utils._runbooks.runbooks import Runbook
from ansible_collections.gpops.toolkit.plugins.plugin_utils._runbooks.settings import truth
from ansible_collections.gpops.toolkit.plugins.plugin_utils._runbooks.steps import Result

_NOTHING: Result = {}


@dataclasses.dataclass(frozen=True)
class Run:
    """A run of a runbook at one moment.

    Attributes:
        runbook: Which.
        given: Settings without their prefix.
        of_this_run: The names of those that do not stand in the inventory.
        connection: What the variable gp_connection says.
        check_mode: Ansible's.
        results: What the steps so far have returned, a skipped one nothing.
        failure: What the step that failed returned.
        failed_at: Name of that step.
        told: For the line, the result of the run.
        report: For the line, what the writing of the report returned.
        at: The time, in UTC.
    """

    runbook: Runbook
    given: t.Mapping[str, t.Any]
    of_this_run: frozenset[str] = frozenset()
    connection: t.Any = None
    check_mode: bool = False
    results: t.Mapping[str, Result] = dataclasses.field(default_factory=dict)
    failure: Result = dataclasses.field(default_factory=dict)
    failed_at: str = ""
    told: Result = dataclasses.field(default_factory=dict)
    report: Result = dataclasses.field(default_factory=dict)
    at: dt.datetime = dt.datetime(2000, 1, 1, tzinfo=dt.timezone.utc)

    def of(self, step: str) -> Result:
        """What the step with this result has returned."""
        return self.results.get(step, _NOTHING)

    @property
    def enforces(self) -> bool:
        """Whether it is to act, if only in check mode."""
        return bool(self.given.get("mode") == "enforce")

    @property
    def acts(self) -> bool:
        """Whether something may be sent."""
        return self.enforces and not self.check_mode

    def in_settings(self, text: str) -> str:
        """A text of gp_policy with the caps under the names that they have as settings, so that one finds them."""
        # A policy of the operator's own has a max_victims of its own.
        ours = ("max_share",) if "policies" in self.runbook.own else ("max_share", "max_victims")
        return re.sub(rf"(?<!\w)({'|'.join(ours)})\b", r"gp_remediation_\1", text)

    @property
    def restores(self) -> bool:
        """Whether it is to put back what an earlier run has changed."""
        return truth(self.given.get("restore", False))

    @property
    def group(self) -> str:
        """The resource group that it is about."""
        return str(self.given["group"])

    @property
    def note_name(self) -> str:
        """The file of its note, without the ending."""
        if self.runbook.note != "of the group":
            return self.runbook.note
        return f"{self.runbook.name}.{urllib.parse.quote(self.group, safe='')}"

    @property
    def note_file(self) -> Result:
        """What the reading of the note returned."""
        looks = self.of("noted").get("results") or [_NOTHING]
        return t.cast("Result", looks[-1])

    def without_note(self, why: str) -> list[str]:
        """That there is no note of what was changed, if there is none."""
        if self.note_file.get("exists", True):
            return []
        return [f"gp_remediation_state_dir: there is no {self.note_file['path']}, {why}"]

    @property
    def coordinators(self) -> list[str]:
        """Where the cluster is, by its own catalog; empty if that was not to be read."""
        return list(self.of("preflight").get("coordinators", []))

    def of_another_cluster(self) -> list[str]:
        """That what is noted was changed on another cluster than this one, if it was."""
        noted = self.note.get("coordinators", [])
        if not noted or not self.coordinators or set(noted) & set(self.coordinators):
            return []
        here, there = ", ".join(self.coordinators), ", ".join(noted)
        what = f"gp_remediation_state_dir: {self.note_file['path']} is of the cluster at {there}, and this is {here}"
        return [f"{what}; give each cluster a folder of its own, or if it was moved to new hosts take the file away"]

    @property
    def note(self) -> dict[str, t.Any]:
        """The whole note."""
        return dict(json.loads(self.note_file["content"])) if self.note_file.get("exists") else {}

    @property
    def noted(self) -> list[dict[str, t.Any]]:
        """The changes in the note."""
        return list(self.note.get("changes", []))

    @property
    def ended(self) -> Result:
        """What the policy did; until it acts, what the guards said, and in report mode what it would do."""
        if "policies" in self.of("ended"):
            return self.of("ended")
        if self.acts:
            return {"guards": self.of("preflight").get("guards", [])}
        return self.of("preflight")

    @property
    def statements(self) -> list[str]:
        """What was changed besides sessions, in words."""
        prefix = "sent: " if self.acts else "would send: "
        changes = (self.of("change"), self.of("restored"))
        sent = (change.get("applied" if change.get("failed") else "statements") or [] for change in changes)
        return [prefix + statement for statements in sent for statement in statements]
