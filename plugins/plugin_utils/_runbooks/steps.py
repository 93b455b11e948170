# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: the steps of each runbook, and which of their results are of this run. Private to the collection.

Ansible keeps what a task registers for the whole play, so that an earlier runbook of the play has left its results. A
step that is skipped registers that. So what stands before the step that failed, or before the one that asks, is of this
run, and nothing has to be forgotten. A unit test holds the lists to the tasks files.
"""

from __future__ import annotations

import typing as t

from ansible_collections.gpops.toolkit.plugins.plugin_utils._runbooks.runbooks import RUNBOOKS

Result = t.Mapping[str, t.Any]
# What a step registers has this prefix.
REGISTERED = "__gp_remediation_"


class Step(t.NamedTuple):
    """A task that can fail.

    Attributes:
        task: Its name.
        result: The name under which its result is kept, if it is.
        despite: A step before it after whose failure it is done all the same.
    """

    task: str
    result: str = ""
    despite: str = ""


_SETTINGS = (Step("See that a report can be written", "folder"), Step("Check the settings"))
_BEGIN = (Step("See what was noted", "noted"), *_SETTINGS)
_FIND = (Step("Find the resource group", "found"), Step("See that it is there"))
_PREFLIGHT = (Step("Ask the guards, and see who would be ended", "preflight"), Step("See that nothing stops it"))
_SAME_CLUSTER = (Step("See that the note is of this cluster"),)
_CHANGE = (
    Step("Plan the change of the resource group", "plan"),
    Step("Note what is there"),
    Step("Change the resource group", "change"),
)
_RESTORE = (Step("Put the resource group back", "restored"), Step("Take the note away"))
_NONE_LEFT = (Step("Look at the resource group afterwards", "status"), Step("See that it came to an end"))
_WHO_STAYS = (Step("See who stays", "left"), Step("See that nobody stays"))
_OF_ONE_POLICY = (*_SETTINGS, Step("Apply the policies", "ended"))
STEPS: t.Mapping[str, tuple[Step, ...]] = {
    **dict.fromkeys(RUNBOOKS, _OF_ONE_POLICY),
    "triage": (
        *_SETTINGS,
        Step("See the sessions", "processes"),
        Step("See the resource groups", "groups"),
        Step("Apply the policies", "ended"),
        Step("See the sessions afterwards", "processes_after", despite="Apply the policies"),
        Step("See the resource groups afterwards", "groups_after", despite="Apply the policies"),
    ),
    "drain_group": (
        *_BEGIN,
        *_FIND,
        Step("See who is in it", "holders"),
        *_PREFLIGHT,
        *_SAME_CLUSTER,
        Step("See that the server enforces resource groups"),
        *_CHANGE,
        *_RESTORE,
        Step("See who is left in it", "holders"),
        Step("End them", "ended"),
        *_NONE_LEFT,
    ),
    "boost_group_window": (*_BEGIN, *_FIND, *_PREFLIGHT, *_SAME_CLUSTER, *_CHANGE, *_RESTORE),
    "relieve_group_queue": (
        *_BEGIN,
        *_FIND,
        Step("See which cluster this is", "preflight"),
        *_SAME_CLUSTER,
        Step("End who holds a slot and does nothing", "ended"),
        *_CHANGE,
        *_RESTORE,
        *_NONE_LEFT,
        Step("See whether the queue is relieved"),
    ),
    "offboard_role": (
        *_SETTINGS,
        *_PREFLIGHT,
        Step("Let the role log in no more", "change"),
        Step("End its sessions", "ended"),
        *_WHO_STAYS,
    ),
    "quiesce": (
        *_BEGIN,
        *_PREFLIGHT,
        *_SAME_CLUSTER,
        Step("Plan", "plan"),
        Step("Note what is there"),
        Step("Close the databases", "change"),
        Step("End their sessions", "ended"),
        *_WHO_STAYS,
    ),
    "reopen": (
        *_BEGIN,
        Step("Ask the guards", "preflight"),
        *_SAME_CLUSTER,
        Step("See what the limits are now", "plan"),
        Step("Open the databases", "restored"),
        Step("Take the note away"),
        Step("Keep the note of the others"),
    ),
}


def of_this_run(runbook: str, registered: t.Mapping[str, Result], failed_at: str = "") -> dict[str, Result]:
    """The results of the steps that this run has done.

    Args:
        runbook: Its name.
        registered: What stands in the variables, by the name of the result, some of it perhaps of earlier runbooks.
        failed_at: The task that failed; nothing counts of the steps behind it.
    """
    steps = STEPS[runbook]
    tasks = [step.task for step in steps]
    last = tasks.index(failed_at) if failed_at in tasks else len(steps)
    done = [step for number, step in enumerate(steps) if number <= last or step.despite == failed_at]
    results = {step.result: registered[step.result] for step in done if step.result in registered}
    return {name: {} if result.get("skipped") else result for name, result in results.items()}
