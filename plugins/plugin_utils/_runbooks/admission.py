# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: what the runbooks that say who may log in decide. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.list_text import exactly
from ansible_collections.gpops.toolkit.plugins.module_utils._core.option_types import names_test
from ansible_collections.gpops.toolkit.plugins.plugin_utils import _restore_note
from ansible_collections.gpops.toolkit.plugins.plugin_utils._runbooks import settings
from ansible_collections.gpops.toolkit.plugins.plugin_utils._runbooks.run import Run

# Outcomes after which nobody is left who was to end.
_DONE = ("terminated", "gone", "protected")


def _with_limit_0(names: t.Iterable[str]) -> list[dict[str, t.Any]]:
    return [{"name": name, "connection_limit": 0} for name in names]


def closed(run: Run) -> list[dict[str, t.Any]]:
    """The databases as quiesce closes them."""
    usual = (run.runbook.policy or {})["databases"]
    return _with_limit_0(settings.names("databases", run.given.get("databases", usual)))


def _asked_for(run: Run) -> list[dict[str, t.Any]]:
    """What of the note is to be put back: all, or the databases that are named."""
    if "databases" not in run.given:
        return run.noted
    fits = names_test("databases", settings.names("databases", run.given["databases"]))
    return [item for item in run.noted if fits(item["name"])]


def noted_databases(run: Run) -> list[dict[str, t.Any]]:
    """The databases to open, so that a plan shows what their limits are now."""
    return _with_limit_0(_if_there(item["name"]) for item in _asked_for(run))


def _if_there(name: str) -> str:
    """A glob for this name only: what a name does not find is an error, what a glob does not is none."""
    glob = exactly(name)
    place = next((number for number, character in enumerate(name) if character.isalnum()), None)
    if glob != name or place is None:
        return glob
    return f"{name[:place]}[{name[place]}]{name[place + 1 :]}"


def back(run: Run) -> dict[str, list[t.Any]]:
    """What of the note to put back, and what to leave because somebody changed it since."""
    found = _restore_note.put_back(_asked_for(run), run.of("plan").get("databases", []))
    return {**found, "wanted": [{**each, "name": _if_there(each["name"])} for each in found["wanted"]]}


def kept(run: Run) -> list[dict[str, t.Any]]:
    """What of the note stays noted."""
    asked_for = _asked_for(run)
    return [item for item in run.noted if item not in asked_for]


def left_open(run: Run) -> list[str]:
    """The databases that could not be closed, in words."""
    left = run.of("plan").get("left") or []
    return [f"still open, because no statement can name them: {', '.join(left)}"] if left else []


def who_stays(run: Run) -> list[str]:
    """Who is protected or excluded and stays, in words."""
    protected = {victim["pid"] for victim in run.ended.get("victims", []) if victim["outcome"] == "protected"}
    chosen = {victim["pid"] for victim in run.ended.get("victims", [])}
    left = {session["pid"]: session.get("usename") or "" for session in run.of("left").get("processes", [])}
    kinds = {"protected": protected, "excluded, or come since,": left.keys() - chosen}
    return [
        f"{kind} and stay: process "
        + ", ".join(f"{pid} ({left[pid]})" if left.get(pid) else str(pid) for pid in sorted(pids))
        for kind, pids in kinds.items()
        if pids
    ]


def _has_failed(ended: t.Mapping[str, t.Any]) -> bool:
    return any(policy["outcome"] == "failed" for policy in ended.get("policies", []))


def ended_badly(ended: t.Mapping[str, t.Any]) -> bool:
    """Whether quiesce has failed to end a session; that protected ones are left is no failure, they are named."""
    if not (ended.get("failed") or _has_failed(ended)):
        return False
    left = any(policy.get("relieved") is False for policy in ended.get("policies", []))
    return not left or any(victim["outcome"] not in _DONE for victim in ended.get("victims", []))


def without_who_stays(ended: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The result of the policy where all is done but for protected sessions, which are no failure."""
    if ended_badly(ended) or not _has_failed(ended):
        return dict(ended)
    policies = [
        {**policy, "outcome": "done" if policy["outcome"] == "failed" else policy["outcome"]}
        for policy in ended["policies"]
    ]
    return {**{name: value for name, value in ended.items() if name != "msg"}, "policies": policies}


def refusals(run: Run) -> list[str]:
    """Why there is nothing to reopen."""
    if run.runbook.name != "reopen":
        return []
    if run.noted and not _asked_for(run):
        noted = ", ".join(item["name"] for item in run.noted)
        return [f"gp_remediation_databases: none of them is noted; noted are {noted}"]
    return run.without_note(
        "so what quiesce changed is not known here; gpops.toolkit.gp_admission sets connection limits"
    )
