# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: the settings of the role gp_remediation -> the policies of a runbook, or what is wrong.

A setting is a variable with the prefix C(gp_remediation_); here it stands without it. Private to the collection.
"""

from __future__ import annotations

import typing as t

import yaml
from ansible_collections.gpops.toolkit.plugins.module_utils._policies import gp_policy, policy
from ansible_collections.gpops.toolkit.plugins.module_utils._signals import request
from ansible_collections.gpops.toolkit.plugins.plugin_utils._runbooks.runbooks import RUNBOOKS, Runbook

PREFIX = "gp_remediation_"
Given = t.Mapping[str, t.Any]

# Options of gp_policy that are guards or hold for the whole run.
RUN_OPTIONS = tuple(sorted(set(gp_policy.ARGUMENT_SPEC) - {"policies"}))
# A maximum to reach, and limits, count only where a runbook takes them, so that a quota in the inventory is no concern
# of a runbook for locks.
GOAL_OPTIONS = (
    "limits",
    "max_connections",
    "max_group_queue",
    "max_held_up",
    "max_role_sessions",
    "offenders_by",
    "role_quotas",
)
_CHOOSES = ("state", "processes", "match_all", "victims", "redact_literals")
# Who is spared and how sessions end; also defaults for the policies of the main entry point.
CARE_OPTIONS = tuple(
    sorted(
        {name for name in policy.OPTIONS if name.startswith("exclude_")} | (set(request.ARGUMENT_SPEC) - set(_CHOOSES))
    )
)
# All other options of a policy.
CHOICE_OPTIONS = tuple(sorted(set(policy.OPTIONS) - {"name", *GOAL_OPTIONS, *CARE_OPTIONS}))
# The short name of victim_message, as gp_backend has it in a task.
MESSAGE = "message"
_OF_THE_ROLE = ("cluster", "html", MESSAGE, "report", "report_dir", "result")
OWN_NAMES = tuple(sorted({*_OF_THE_ROLE, *(name for runbook in RUNBOOKS.values() for name in runbook.own)}))
_KNOWN = {*RUN_OPTIONS, *GOAL_OPTIONS, *CARE_OPTIONS, *CHOICE_OPTIONS, *OWN_NAMES}


def connection(given: t.Any) -> t.Any:
    """The options of the connection; a survey and -e name=value give them as text."""
    found = yaml.safe_load(given) if isinstance(given, str) else given
    return found or {}


def run_options(runbook: Runbook | None, given: Given) -> dict[str, t.Any]:
    """The options of gp_policy for the whole run."""
    share = runbook.max_share if runbook else None
    return {"max_share": share, **{name: given[name] for name in RUN_OPTIONS if name in given}}


def _message(given: Given) -> dict[str, t.Any]:
    return {"victim_message": given[MESSAGE]} if MESSAGE in given else {}


def own_policy(runbook: Runbook, given: Given, fixed: Given) -> dict[str, t.Any]:
    """The policy of a runbook: its own options, then those that are set, then those that are no choice."""
    unless = [more for name, more in runbook.unless.items() if name not in given]
    taken = (*CARE_OPTIONS, *CHOICE_OPTIONS, *runbook.takes)
    found: dict[str, t.Any] = {"name": runbook.name, **(runbook.policy or {})}
    for more in unless:
        found.update(more)
    return {**found, **_message(given), **{name: given[name] for name in taken if name in given}, **fixed}


def with_care(policies: t.Any, given: Given) -> list[t.Any]:
    """The policies that are given, each with what is set of whom to spare and how, where it says nothing itself."""
    care = {**{name: given[name] for name in CARE_OPTIONS if name in given}, **_message(given)}
    return [{**care, **each} for each in policies or []]


def problems(runbook: Runbook, given: Given) -> list[str]:
    """Why these settings cannot be meant; a variable that no entry point knows is perhaps a slip in a protection."""
    found = [f"{PREFIX}{name}: no entry point knows this setting" for name in given if name not in _KNOWN]
    if MESSAGE in given and "victim_message" in given:
        found.append(f"{PREFIX}{MESSAGE}: give either it or {PREFIX}victim_message, they are the same")
    found += [f"{PREFIX}{name}: {why}" for name, why in runbook.refuses.items() if name in given]
    if runbook.one_of and sum(name in given for name in runbook.one_of) != 1:
        found.append(f"{PREFIX}{runbook.one_of[0]}: give either it or {PREFIX}{runbook.one_of[1]}")
    if runbook.any_of and not any(name in given for name in runbook.any_of):
        found.append(f"{PREFIX}{runbook.any_of[0]}: give it, or {PREFIX}{runbook.any_of[1]}")
    return found
