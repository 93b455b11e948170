# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: the settings of the role gp_remediation -> the policies of a runbook, or what is wrong.

A setting is a variable with the prefix gp_remediation_; here it stands without it. Private to the collection.
"""

from __future__ import annotations

import re
import typing as t

from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.gpops.toolkit.plugins.module_utils._core import list_text
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError
from ansible_collections.gpops.toolkit.plugins.plugin_utils._options_text import options_in
from ansible_collections.gpops.toolkit.plugins.plugin_utils._runbooks.runbooks import RUNBOOKS, Runbook

PREFIX = "gp_remediation_"
Given = t.Mapping[str, t.Any]
_GLOBAL_FLAGS = re.compile(r"\A\(\?([aiLmsux]+)\)")

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
    "unknown_names",
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
    "exclude_waiting_for",
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
# Lists of who is spared: what is set everywhere holds together. Of the protections, with what is protected anyway.
PROTECTED: t.Mapping[str, t.Sequence[str]] = {
    "protected_application_users": (),
    "protected_applications": ("gpbackup*", "gprestore*", "gpexpand*", "pg_dump*"),
    "protected_users": ("gpadmin", "gpmon"),
}
EXCLUSIONS = tuple(name for name in CARE_OPTIONS if name.startswith("exclude_") and not name.endswith("_regex"))
# All lists of names and the like, which may be text.
LISTS = (
    *EXCLUSIONS,
    *PROTECTED,
    "application_names",
    "client_addresses",
    "confirm",
    "databases",
    "pids",
    "resource_groups",
    "session_ids",
    "states",
    "users",
    "waiting_for",
    "waits_for_modes",
)
# The short name of victim_message, as gp_backend has it in a task.
MESSAGE = "message"
# Of the report of any runbook.
REPORT_OPTIONS = ("cluster", "html", "report_dir")
OWN_OPTIONS = tuple(sorted({name for runbook in RUNBOOKS.values() for name in runbook.own}))
SETTINGS = frozenset(
    (*RUN_OPTIONS, *GOAL_OPTIONS, *CARE_OPTIONS, *CHOICE_OPTIONS, MESSAGE, *REPORT_OPTIONS, *OWN_OPTIONS)
)
# Defaults of the role for settings that only some runbooks take.
DEFAULTS: t.Mapping[str, t.Any] = {"drain_timeout": 60, "fail_on_remaining": False, "raise_by": 5, "restore": False}
# They choose nobody: a play may say them for all of its runbooks.
_HOW = ("allow_lockout", "batch", "confirm", "match_all", "quiet_for", "rounds", "state_dir", "why")
_HARMLESS = {*RUN_OPTIONS, *CARE_OPTIONS, *REPORT_OPTIONS, MESSAGE, *_HOW}
# Of these an empty text says something, or is refused in words.
TEXTS = ("cluster", "group", MESSAGE, "report_dir", "role", "state_dir", "victim_message", "why")
# What the role itself sets with the prefix.
RESULTS = ("report", "result")


def connection(given: t.Any) -> dict[str, t.Any]:
    """The options of the connection, none if they cannot be used."""
    try:
        return options_in("gp_connection", given)
    except OptionError:
        return {}


def connection_problem(given: t.Any) -> list[str]:
    """Why these are no options of a connection."""
    try:
        options_in("gp_connection", given)
    except OptionError as error:
        return [error.message]
    return []


def names(name: str, value: t.Any) -> list[t.Any]:
    """The names of a setting that is a list, which a survey and -e name=value give as text.

    Raises:
        OptionError: It is not what was meant.
    """
    if isinstance(value, str):
        found = list_text.entries(PREFIX + name, value)
    else:
        found = list(value) if isinstance(value, (list, tuple)) else [value] if value is not None else []
    for each in found:
        list_text.check_name(PREFIX + name, each)
    return found


def run_options(runbook: Runbook, given: Given) -> dict[str, t.Any]:
    """The options of gp_policy for the whole run."""
    return {"max_share": runbook.max_share, **{name: given[name] for name in RUN_OPTIONS if name in given}}


def _message(given: Given) -> dict[str, t.Any]:
    return {"victim_message": given[MESSAGE]} if MESSAGE in given else {}


def _care(given: Given) -> dict[str, t.Any]:
    """What is set of whom to spare and how to end sessions."""
    care = {**_message(given), **{name: given[name] for name in CARE_OPTIONS if name in given}}
    for name in (*EXCLUSIONS, *PROTECTED):
        if care.get(name) is not None:
            found = names(name, care[name])
            # An empty list is said on purpose: nobody.
            care[name] = _together(PROTECTED.get(name, ()), found) if found else []
    return care


def _together(*lists: t.Iterable[t.Any]) -> list[t.Any]:
    return list(dict.fromkeys(name for one in lists for name in one))


def own_policy(runbook: Runbook, given: Given, fixed: Given) -> dict[str, t.Any]:
    """The policy of a runbook: its own options, then those that are set, then those that are no choice."""
    policy: dict[str, t.Any] = {"name": runbook.called, **(runbook.policy or {})}
    for name, more in runbook.unless.items():
        if name not in given:
            policy.update(more)
    taken = (*CHOICE_OPTIONS, *runbook.takes)
    return {**policy, **_care(given), **{name: given[name] for name in taken if name in given}, **fixed}


def with_care(policies: t.Any, given: Given) -> list[t.Any]:
    """The policies that are given, each with what is set of whom to spare and how.

    What a policy says itself wins, but exclusions and protections of both hold together.
    """
    care = _care(given)
    return [_both(care, each) if isinstance(each, t.Mapping) else each for each in policies or []]


def _both(care: Given, policy: Given) -> dict[str, t.Any]:
    both = {**care, **policy}
    for name in EXCLUSIONS:
        if care.get(name) and policy.get(name):
            both[name] = _together(care[name], names(name, policy[name]))
    for name, usual in PROTECTED.items():
        if policy.get(name):
            both[name] = _together(care.get(name, usual) or (), names(name, policy[name]))
        elif care.get(name):  # an empty list of a policy takes nothing away
            both[name] = care[name]
    if care.get("exclude_query_regex") and policy.get("exclude_query_regex"):
        both["exclude_query_regex"] = _either(care["exclude_query_regex"], policy["exclude_query_regex"])
    if "allow_superusers" in care and "allow_superusers" in policy:
        both["allow_superusers"] = all(truth(each["allow_superusers"]) for each in (care, policy))
    return both


def _either(*expressions: str) -> str:
    """One expression for both; flags at the beginning of one hold for that one."""
    return "|".join(
        _GLOBAL_FLAGS.sub(r"(?\1:", one) + ")" if _GLOBAL_FLAGS.match(one) else f"(?:{one})" for one in expressions
    )


def truth(value: t.Any) -> bool:
    """A switch, which a survey and -e name=value give as text."""
    return bool(boolean(value, strict=False))


def takes(runbook: Runbook, name: str) -> bool:
    """Whether a setting narrows or changes what the runbook does, or does no harm."""
    if name in _HARMLESS or name in runbook.own:
        return True
    chooses = runbook.policy is not None and name in CHOICE_OPTIONS and name not in runbook.says_itself
    return chooses or name in runbook.takes


def problems(runbook: Runbook, given: Given, of_this_run: t.Collection[str] = ()) -> list[str]:
    """Why these settings cannot be meant; a variable that no entry point knows is perhaps a slip in a protection.

    Args:
        runbook: The runbook.
        given: All settings.
        of_this_run: Those that do not stand in the inventory, so that they are meant for this run.
    """
    found = [f"{PREFIX}{name}: no entry point knows this setting" for name in sorted(given) if name not in SETTINGS]
    found += [problem for name in LISTS if name in given for problem in _list_problem(name, given[name])]
    found += [f"{PREFIX}{name}: it is empty" for name in runbook.required if _is_empty(given.get(name))]
    if MESSAGE in given and "victim_message" in given:
        found.append(f"{PREFIX}{MESSAGE}: give either it or {PREFIX}victim_message, they are the same")
    found += [f"{PREFIX}{name}: {why}" for name, why in runbook.refuses.items() if name in given]
    if runbook.one_of and sum(name in given for name in runbook.one_of) != 1:
        found.append(f"{PREFIX}{runbook.one_of[0]}: give either it or {PREFIX}{runbook.one_of[1]}")
    if runbook.any_of and not any(name in given for name in runbook.any_of):
        found.append(f"{PREFIX}{runbook.any_of[0]}: give it, or {PREFIX}{runbook.any_of[1]}")
    ends_sessions = runbook.policy is not None or given.get("policies")
    # Who ends nobody chooses nobody: a look may stand beside a runbook in one command.
    return [*found, *(_not_taken(runbook, given, of_this_run) if ends_sessions else [])]


def _list_problem(name: str, value: t.Any) -> list[str]:
    try:
        names(name, value)
    except OptionError as error:
        return [error.message]
    return []


def _is_empty(value: t.Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _not_taken(runbook: Runbook, given: Given, of_this_run: t.Collection[str]) -> list[str]:
    others = [name for name in sorted(of_this_run) if name in given and name in SETTINGS and not takes(runbook, name)]
    return [
        f"{PREFIX}{name}: {runbook.called} does not take it, so it would narrow nothing, and it is given for this run. "
        "Leave it out; in the inventory it may stand for other runbooks"
        for name in others
        if name not in runbook.refuses
    ]
