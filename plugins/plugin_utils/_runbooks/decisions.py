# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: what the tasks files of the runbooks ask. Private to the collection."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.list_text import exactly
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.backend import SLOT_STATES
from ansible_collections.gpops.toolkit.plugins.plugin_utils import _restore_note
from ansible_collections.gpops.toolkit.plugins.plugin_utils._runbooks import admission, conclusion, groups, settings
from ansible_collections.gpops.toolkit.plugins.plugin_utils._runbooks.run import Run

_FOLDER_OPTION = re.compile(r"\A(dest|folder|name)")


def policies(run: Run) -> list[t.Any]:
    """The policies of the runbook."""
    runbook = run.runbook
    if "policies" in runbook.own:
        return settings.with_care(run.given.get("policies"), run.given)
    if runbook.policy is None or (runbook.note == "of the group" and run.restores):
        return []
    fixed: dict[str, t.Any] = {}
    if "group" in runbook.own:
        fixed["resource_groups"] = [exactly(run.group)]
    if runbook.name == "drain_group":
        fixed.update(states=list(SLOT_STATES), pids=groups.holders(run))
    if runbook.name == "offboard_role":
        fixed["users"] = [exactly(str(run.given["role"]))]
    return [settings.own_policy(runbook, run.given, fixed)]


def problems(run: Run) -> list[str]:
    """Why these settings cannot be meant, or cannot be worked with."""
    found = [
        *settings.connection_problem(run.connection),
        *settings.problems(run.runbook, run.given, run.of_this_run),
        *_no_folders(run),
    ]
    return [*found, *groups.refusals(run), *admission.refusals(run), *_unconfirmed(run)]


def _no_folders(run: Run) -> list[str]:
    looks = {"report_dir": [run.of("folder")], "state_dir": run.of("noted").get("results") or []}
    found = [
        _FOLDER_OPTION.sub(f"gp_remediation_{option}", look["msg"])
        for option, results in looks.items()
        for look in results
        if "msg" in look
    ]
    return list(dict.fromkeys(found))


def _unconfirmed(run: Run) -> list[str]:
    if "confirm" not in run.runbook.own or (not run.enforces and "confirm" not in run.given):
        return []
    cluster = run.given["cluster"]
    if cluster in settings.names("confirm", run.given.get("confirm")):
        return []
    return [f"gp_remediation_confirm: it must be the name of the cluster, {cluster}"]


def note_looks(run: Run) -> list[dict[str, str]]:
    """What to look at before something is noted: the folder that will be written to, and the note that is there."""
    folder = [{"state": "folder"}] if run.acts else []
    return [*folder, {"state": "read", "name": f"{run.note_name}.json"}]


def note(run: Run) -> dict[str, t.Any]:
    """What to note before the change that was planned."""
    plan = run.of("plan")
    return {
        "since": run.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "cluster": run.given["cluster"],
        "coordinators": run.coordinators,
        "runbook": run.runbook.name,
        "changes": _restore_note.remember(run.noted, plan.get("groups") or plan.get("databases") or []),
    }


def note_kept(run: Run) -> dict[str, t.Any]:
    """The note of what is not put back yet; nothing if all is."""
    kept = admission.kept(run)
    return {**run.note, "changes": kept} if kept else {}


def stops(run: Run) -> list[str]:
    """Why nothing may be sent: a guard, a policy that cannot be done, or somebody who would stay."""
    preflight = run.of("preflight")
    guards = [
        f"a guard stopped it, and nothing was sent: {guard['reason']}"
        for guard in preflight["guards"]
        if not guard["passed"] and guard["guard"] not in run.runbook.ignores
    ]
    refused = [policy["reason"] for policy in preflight["policies"] if policy["outcome"] in ("refused", "failed")]
    stay = [policy["reason"] for policy in preflight["policies"] if policy.get("relieved") is False]
    return [*map(run.in_settings, [*guards, *refused]), *(stay if run.runbook.spares_nobody else [])]


def ended_badly(run: Run) -> bool:
    """Whether the step that ends sessions has failed."""
    ended = run.of("ended")
    if run.runbook.name == "quiesce":
        return admission.ended_badly(ended)
    return bool(ended.get("failed")) and not groups.only_the_queue_is_left(ended)


def cleared(run: Run) -> dict[str, t.Any]:
    """Whose sessions were to end, all of them, as criteria of gp_process_info."""
    (policy,) = policies(run)
    return {name: policy[name] for name in ("databases", "users") if policy.get(name) is not None}


def policy_defaults(run: Run) -> dict[str, t.Any]:
    """The options of gp_policy that no task says."""
    return {**settings.connection(run.connection), **settings.run_options(run.runbook, run.given)}


ANSWERS: t.Mapping[str, t.Callable[[Run], t.Any]] = {
    "acts": lambda run: run.acts,
    "back": lambda run: admission.back(run) if run.runbook.name == "reopen" else groups.back(run),
    "changes_group": groups.changes,
    "cleared": cleared,
    "closed": admission.closed,
    "connection": lambda run: settings.connection(run.connection),
    "ended_badly": ended_badly,
    "enforces": lambda run: run.enforces,
    "failure": conclusion.failure,
    "findings": conclusion.findings,
    "group_glob": lambda run: exactly(run.group),
    "groups": lambda run: run.of("groups"),
    "groups_after": lambda run: run.of("groups_after"),
    "holding": lambda _run: list(SLOT_STATES),
    "html": conclusion.has_page,
    "line": conclusion.line,
    "name": lambda run: run.runbook.called,
    "not_ended": groups.not_ended,
    "note": note,
    "note_kept": note_kept,
    "of_another_cluster": lambda run: run.of_another_cluster(),
    "note_looks": note_looks,
    "note_name": lambda run: run.note_name,
    "noted_databases": admission.noted_databases,
    "policies": policies,
    "policy_defaults": policy_defaults,
    "problems": problems,
    "processes": lambda run: run.of("processes"),
    "processes_after": lambda run: run.of("processes_after"),
    "puts_group_back": groups.puts_back,
    "report_name": conclusion.report_name,
    "restores": lambda run: run.restores,
    "result": conclusion.result,
    "still_queued": groups.still_queued,
    "stops": stops,
    "too_bad": conclusion.too_bad,
    "wanted_group": groups.wanted,
    "who_stays": admission.who_stays,
}
