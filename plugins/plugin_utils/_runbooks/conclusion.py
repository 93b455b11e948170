# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: what came of a run of a runbook, and the line that tells it. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.visible import visible
from ansible_collections.gpops.toolkit.plugins.plugin_utils._report import findings as report_findings
from ansible_collections.gpops.toolkit.plugins.plugin_utils._report.plain_data import plain
from ansible_collections.gpops.toolkit.plugins.plugin_utils._runbooks import admission, groups
from ansible_collections.gpops.toolkit.plugins.plugin_utils._runbooks.run import Run
from ansible_collections.gpops.toolkit.plugins.plugin_utils._runbooks.settings import truth

_FAIL_ON = {
    report_findings.CRITICAL: (report_findings.CRITICAL,),
    report_findings.WARNING: (report_findings.CRITICAL, report_findings.WARNING),
}
Parts = t.Tuple[t.Mapping[str, t.Any], t.List[str], t.Dict[str, t.Any]]


def _boosted(run: Run) -> Parts:
    guards = run.of("preflight").get("guards", [])
    windows = [guard["reason"] for guard in guards if guard["guard"] == "windows"]
    others = [guard for guard in guards if guard["guard"] != "windows"]
    done = [*windows, *run.statements, *groups.back(run)["left"]]
    return {**run.of("preflight"), "guards": others}, done, groups.details(run)


def _relieved(run: Run) -> Parts:
    return run.of("ended"), [*run.statements, *groups.back(run)["left"]], groups.details(run)


def _drained(run: Run) -> Parts:
    left = groups.back(run)["left"] if run.restores else []
    return run.ended, [*run.statements, *left], groups.details(run)


def _offboarded(run: Run) -> Parts:
    details = {"preflight": run.of("preflight"), "admission": run.of("change")}
    return run.ended, [*run.statements, *admission.who_stays(run)], details


def _quiesced(run: Run) -> Parts:
    details = {
        "preflight": run.of("preflight"),
        "plan": run.of("plan"),
        "admission": run.of("change"),
        "noted": run.noted,
    }
    done = [*run.statements, *admission.left_open(run), *admission.who_stays(run)]
    return admission.without_who_stays(run.ended), done, details


def _reopened(run: Run) -> Parts:
    left = admission.back(run)["left"] if run.of("plan") else []
    details = {"found": run.of("plan"), "admission": run.of("restored"), "noted": run.noted}
    return run.of("preflight"), [*run.statements, *left], details


_OF_SEVERAL_STEPS: t.Mapping[str, t.Callable[[Run], Parts]] = {
    "boost_group_window": _boosted,
    "drain_group": _drained,
    "offboard_role": _offboarded,
    "quiesce": _quiesced,
    "relieve_group_queue": _relieved,
    "reopen": _reopened,
}


def result(run: Run) -> dict[str, t.Any]:
    """What came of the run: the result of its policy, what else was done, and the results of its steps."""
    parts = _OF_SEVERAL_STEPS.get(run.runbook.name)
    if parts is None:
        return dict(run.of("ended"))
    base, done, details = parts(run)
    changed = any(part.get("changed") for part in (base, run.of("change"), run.of("restored")))
    return {**base, "changed": bool(changed), "done": done, "details": details}


def failure(run: Run) -> dict[str, t.Any]:
    """What came of a run that failed: what had been done before, and what failed."""
    so_far = result(run)
    return {
        **so_far,
        **run.failure,
        "failed": True,
        "changed": bool(so_far.get("changed") or run.failure.get("changed")),
        "msg": run.in_settings(str(run.failure.get("msg") or f"it failed at: {run.failed_at}")),
    }


def findings(run: Run) -> list[str]:
    """What is conspicuous, what matters most first, a line each."""
    return [visible(" ".join(f"{found.level}: {found.text}".split())) for found in _found(run)]


def _found(run: Run) -> list[report_findings.Finding]:
    seen = {name: run.of(name) for name in ("processes", "groups", "processes_after", "groups_after")}
    return report_findings.find(
        {name: plain(found) for name, found in {**seen, "remediation": run.of("ended")}.items()}
    )


def too_bad(run: Run) -> list[str]:
    """What is as bad as the run is to fail on."""
    levels = _FAIL_ON.get(str(run.given.get("fail_on") or ""), ())
    return [visible(found.text) for found in _found(run) if found.level in levels]


def has_page(run: Run) -> bool:
    """Whether a page of HTML is written beside the JSON; what shows all sessions has always one."""
    return run.runbook.name == "triage" or truth(run.given["html"])


def report_name(run: Run) -> str:
    """The name of the report, with the time, so that a run in report mode and the one after it are both kept."""
    milliseconds = run.at.microsecond // 1000
    return f"{run.runbook.called}-{run.at:%Y%m%dT%H%M%S}.{milliseconds:03d}Z"


def line(run: Run) -> str:
    """The run in a line."""
    called, told, report = run.runbook.called, run.told, run.report
    words = [f"{called}:"]
    for policy in told.get("policies", []):
        name = f"{policy['name']}: " if policy["name"] != called else ""
        words.append(f"{name}{policy['outcome']}: {run.in_settings(str(policy['reason']))}.")
    words += [f"{sentence}." for sentence in told.get("done", [])]
    if told.get("failed"):
        words.append(f"{told['msg']}.")
    words.append(_of_the_report(run))
    if report.get("failed"):
        words += [
            f"{victim['pid']} {victim.get('usename') or ''} {victim['outcome']}." for victim in told.get("victims", [])
        ]
    return visible(" ".join(" ".join(words).split()))


def _of_the_report(run: Run) -> str:
    report = run.report
    if "json_path" in report:
        return f"The report is {report.get('html_path') or report['json_path']}"
    if report.get("failed"):
        return f"There is no report: {report['msg']}"
    return "There is no report." if "msg" in run.of("folder") else "No report was asked for."
