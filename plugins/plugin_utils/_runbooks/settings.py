# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: the settings of the role gp_remediation -> the policies of a runbook, or what is wrong.

A setting is a variable with the prefix gp_remediation_; here it stands without it. Private to the collection.
"""

from __future__ import annotations

import typing as t

import yaml
from ansible_collections.gpops.toolkit.plugins.module_utils._core import list_text
from ansible_collections.gpops.toolkit.plugins.plugin_utils._runbooks.runbooks import RUNBOOKS, Runbook

PREFIX = "gp_remediation_"
Given = t.Mapping[str, t.Any]

# Options of gp_policy by what they are for a runbook; a unit test holds them to its own. They stand here in words, as
# each worker of Ansible that asks for a setting would have to import the policies else.
# Guards, and what holds for the whole run.
RUN_OPTIONS = (
    "allow_segments_down",
    "kill_switch",
    "kill_switch_file",
    "max_share",
    "mode",
    "redact_literals",
    "windows",
    "windows_timezone",
)
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
# Who is spared and how sessions end; also defaults for the policies that are given.
CARE_OPTIONS = (
    "allow_superusers",
    "cancel_first",
    "exclude_application_names",
    "exclude_client_addresses",
    "exclude_databases",
    "exclude_query_regex",
    "exclude_resource_groups",
    "exclude_users",
    "grace_period",
    "ignore_survivors",
    "max_victims",
    "protected_application_users",
    "protected_applications",
    "protected_users",
    "victim_message",
    "wait",
    "wait_timeout",
)
# All others of a policy but its name.
CHOICE_OPTIONS = (
    "application_names",
    "batch",
    "blocking",
    "client_addresses",
    "databases",
    "match_all",
    "min_query_age",
    "min_session_age",
    "min_state_age",
    "min_transaction_age",
    "min_wait_age",
    "pids",
    "query_regex",
    "quiet_for",
    "resource_groups",
    "rounds",
    "session_ids",
    "state",
    "states",
    "users",
    "victims",
    "waiting_for",
    "waits_for_modes",
    "why",
)
# The short name of victim_message, as gp_backend has it in a task.
MESSAGE = "message"
# Of the report of any runbook.
REPORT_OPTIONS = ("cluster", "html", "report_dir")
OWN_OPTIONS = tuple(sorted({name for runbook in RUNBOOKS.values() for name in runbook.own}))
SETTINGS = frozenset(
    (*RUN_OPTIONS, *GOAL_OPTIONS, *CARE_OPTIONS, *CHOICE_OPTIONS, MESSAGE, *REPORT_OPTIONS, *OWN_OPTIONS)
)
# What the role itself sets with the prefix.
RESULTS = ("report", "result")


def connection(given: t.Any) -> t.Any:
    """The options of the connection; a survey and -e name=value give them as text."""
    options = yaml.safe_load(given) if isinstance(given, str) else given
    return options or {}


def names(name: str, value: t.Any) -> list[t.Any]:
    """The names of a setting that is a list, which a survey and -e name=value give as text.

    Raises:
        OptionError: It is not what was meant.
    """
    found = list_text.entries(PREFIX + name, value) if isinstance(value, str) else list(value or [])
    for each in found:
        list_text.check_name(PREFIX + name, each)
    return found


def run_options(runbook: Runbook, given: Given) -> dict[str, t.Any]:
    """The options of gp_policy for the whole run."""
    return {"max_share": runbook.max_share, **{name: given[name] for name in RUN_OPTIONS if name in given}}


def _message(given: Given) -> dict[str, t.Any]:
    return {"victim_message": given[MESSAGE]} if MESSAGE in given else {}


def own_policy(runbook: Runbook, given: Given, fixed: Given) -> dict[str, t.Any]:
    """The policy of a runbook: its own options, then those that are set, then those that are no choice."""
    policy: dict[str, t.Any] = {"name": runbook.called, **(runbook.policy or {})}
    for name, more in runbook.unless.items():
        if name not in given:
            policy.update(more)
    taken = (*CARE_OPTIONS, *CHOICE_OPTIONS, *runbook.takes)
    return {**policy, **_message(given), **{name: given[name] for name in taken if name in given}, **fixed}


def with_care(policies: t.Any, given: Given) -> list[t.Any]:
    """The policies that are given, each with what is set of whom to spare and how, where it says nothing itself."""
    care = {**{name: given[name] for name in CARE_OPTIONS if name in given}, **_message(given)}
    return [{**care, **each} for each in policies or []]


def problems(runbook: Runbook, given: Given) -> list[str]:
    """Why these settings cannot be meant; a variable that no entry point knows is perhaps a slip in a protection."""
    found = [f"{PREFIX}{name}: no entry point knows this setting" for name in sorted(given) if name not in SETTINGS]
    if MESSAGE in given and "victim_message" in given:
        found.append(f"{PREFIX}{MESSAGE}: give either it or {PREFIX}victim_message, they are the same")
    found += [f"{PREFIX}{name}: {why}" for name, why in runbook.refuses.items() if name in given]
    if runbook.one_of and sum(name in given for name in runbook.one_of) != 1:
        found.append(f"{PREFIX}{runbook.one_of[0]}: give either it or {PREFIX}{runbook.one_of[1]}")
    if runbook.any_of and not any(name in given for name in runbook.any_of):
        found.append(f"{PREFIX}{runbook.any_of[0]}: give it, or {PREFIX}{runbook.any_of[1]}")
    return found
