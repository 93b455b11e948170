# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: what the runbooks that change a resource group decide. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.gpops.toolkit.plugins.plugin_utils import _restore_note
from ansible_collections.gpops.toolkit.plugins.plugin_utils._runbooks.run import Run

FOR_ADMINISTRATION = ("admin_group", "system_group", "mdb_admin_group")
_NO_LIMIT = 1000000


def group_now(run: Run) -> t.Mapping[str, t.Any]:
    """The group as it was found."""
    groups = run.of("found").get("groups") or [{}]
    return t.cast("t.Mapping[str, t.Any]", groups[0])


def back(run: Run) -> dict[str, list[t.Any]]:
    """What of the note to put back, and what to leave because somebody changed it since."""
    now = group_now(run)
    return _restore_note.put_back(run.noted, [{"name": now["name"], "before": now["raw"]}] if now else [])


def holders(run: Run) -> list[int]:
    """The processes that hold a slot of the group and do not wait for one."""
    sessions = run.of("holders").get("processes", [])
    return [session["pid"] for session in sessions if session["waiting_reason"] != "resource_group"]


def boosts(run: Run) -> bool:
    """Whether the group is to have more now, by the windows or, without any, by the setting for restoring."""
    windows = [guard for guard in run.of("preflight").get("guards", []) if guard["guard"] == "windows"]
    return bool(windows[0]["passed"]) if windows else not run.restores


def concurrency(run: Run) -> int:
    """What it is now."""
    return int(group_now(run)["concurrency"])


def target(run: Run) -> int:
    """The concurrency to raise to, from what it was before the first raise, so that raises do not add up."""
    base = int(run.noted[0]["before"]["concurrency"]) if run.noted else concurrency(run)
    at_most = int(run.given.get("raise_to_at_most") or _NO_LIMIT)
    return min(base + int(run.given["raise_by"]), at_most)


def raises(run: Run) -> bool:
    """Whether concurrency is to be raised: somebody waits still, and nobody else has set it since."""
    policies = run.of("ended").get("policies") or [{}]
    waits = policies[0].get("relieved") is False
    return not run.restores and waits and not back(run)["left"] and target(run) > concurrency(run)


def changes(run: Run) -> bool:
    """Whether the group is to be changed, not put back."""
    if run.runbook.name == "relieve_group_queue":
        return raises(run)
    if run.runbook.name == "boost_group_window":
        return boosts(run) and not back(run)["left"]
    return not run.restores


def puts_back(run: Run) -> bool:
    """Whether the group is to be put back."""
    return not boosts(run) if run.runbook.name == "boost_group_window" else run.restores


def wanted(run: Run) -> dict[str, t.Any]:
    """The group as it is to be."""
    options: t.Mapping[str, t.Any] = {"concurrency": 0}
    if run.runbook.name == "relieve_group_queue":
        options = {"concurrency": target(run)}
    if run.runbook.name == "boost_group_window":
        options = run.given["boost"]
    return {"name": run.group, **options}


def only_the_queue_is_left(ended: t.Mapping[str, t.Any]) -> bool:
    """Whether a policy has failed for no other reason than that its maximum does not hold."""
    done = ended.get("policies", [])
    return any(policy["outcome"] == "failed" and policy.get("relieved") is False for policy in done)


def still_queued(run: Run) -> str:
    """Why the queue is not relieved, or nothing."""
    (policy,) = run.of("ended")["policies"]
    if policy["relieved"] or raises(run):
        return ""
    left = "; ".join(back(run)["left"])
    allowed = f"gp_remediation_raise_by and gp_remediation_raise_to_at_most allow {target(run)}"
    return f"{policy['reason']}; concurrency is {concurrency(run)} and was not raised: {left or allowed}"


def not_ended(run: Run) -> str:
    """What is left in the group after all, in words."""
    look = run.of("status")
    if not look.get("failed"):
        return ""
    if not look.get("groups"):
        return str(look.get("msg"))
    now = look["groups"][0]
    status = now["status"]
    hint = ""
    # Greenplum 6 gives a new slot only while the group has memory left.
    if run.runbook.name == "relieve_group_queue" and status["running"] < int(now["concurrency"]):
        hint = ", and the memory of the group may be all handed out"
    return (
        f"resource group {run.group}: {status['running']} run, {status['queueing']} wait, "
        f"concurrency is {now['concurrency']}{hint}"
    )


def refusals(run: Run) -> list[str]:
    """Why this group cannot be meant, or cannot be put back."""
    if run.runbook.name == "drain_group" and run.group in FOR_ADMINISTRATION:
        return [f"gp_remediation_group: {run.group} is for administration and is not drained"]
    # Windows say themselves when there is nothing to put back.
    if "group" not in run.runbook.own or not run.restores or run.given.get("windows"):
        return []
    return run.without_note(
        "so what was changed is not known here, or is put back already; gpops.toolkit.gp_resource_group sets options"
    )


def details(run: Run) -> dict[str, t.Any]:
    """What the report shows of the steps."""
    return {
        "resource_group": run.of("found"),
        "preflight": run.of("preflight"),
        "plan": run.of("plan"),
        "change": run.of("change"),
        "restored": run.of("restored"),
        "afterwards": run.of("status"),
        "noted": run.noted,
    }
