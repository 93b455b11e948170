# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What gp_report does. Private to the collection."""

from __future__ import annotations

import datetime as dt
import json
import os
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError
from ansible_collections.gpops.toolkit.plugins.plugin_utils._files import gp_file, private, trust
from ansible_collections.gpops.toolkit.plugins.plugin_utils._report import findings, page, plain_data

ARGUMENT_SPEC: dict[str, t.Any] = {
    "dest": {"type": "path", "required": True},
    "folder": {"type": "str"},
    "name": {"type": "str", "required": True},
    "title": {"type": "str"},
    "runbook": {"type": "str"},
    "cluster": {"type": "str"},
    "mode": {"type": "str", "choices": ["report", "enforce"]},
    "processes": {"type": "dict"},
    "groups": {"type": "dict"},
    "remediation": {"type": "dict"},
    "processes_after": {"type": "dict"},
    "groups_after": {"type": "dict"},
    "details": {"type": "dict"},
    "json": {"type": "bool", "default": True},
    "html": {"type": "bool", "default": True},
}
FORMAT = 1
_RESULTS = ("processes", "groups", "remediation", "processes_after", "groups_after", "details")


def write_now(options: t.Mapping[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    """Write the report of this moment; see write."""
    return write(options, check_mode, dt.datetime.now(dt.timezone.utc))


def write(options: t.Mapping[str, t.Any], check_mode: bool, now: dt.datetime) -> dict[str, t.Any]:
    """Write the report and return the result of the task.

    Raises:
        OptionError: The name is none for a file, a result is none of its module, or the folder is none or cannot be
            written.
    """
    _check_name(options["name"])
    _check_dest(options["dest"])
    _check_results(options)
    document = compose(options, check_mode, now)
    contents = {}
    if options["json"]:
        # ASCII, so that no text of a user steers the terminal that shows the file.
        contents["json"] = json.dumps(document, indent=2, allow_nan=False) + "\n"
    if options["html"]:
        contents["html"] = page.render(document)
    with private.made("dest", options["dest"], gp_file.folders_below(options["folder"])) as folder:
        paths = {
            kind: folder.write(f"{options['name']}.{kind}", content.encode("utf-8"))
            for kind, content in contents.items()
        }
    return {
        "changed": False,
        "json_path": paths.get("json"),
        "html_path": paths.get("html"),
        "findings": document["findings"],
    }


def compose(options: t.Mapping[str, t.Any], check_mode: bool, now: dt.datetime) -> dict[str, t.Any]:
    """The report as data.

    Args:
        options: Those of the task, valid.
        check_mode: Whether the playbook runs so.
        now: With its time zone.
    """
    runbook, cluster = (plain_data.plain(options[key]) for key in ("runbook", "cluster"))
    document: dict[str, t.Any] = {
        "format": FORMAT,
        "generated": now.astimezone(dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "title": plain_data.plain(options["title"]) or ": ".join(filter(None, [runbook, cluster])) or "Report",
        "runbook": runbook,
        "cluster": cluster,
        "mode": plain_data.plain(options["mode"]),
        "check_mode": check_mode,
    }
    results = {key: plain_data.plain(options[key]) for key in _RESULTS}
    found = findings.find(results)
    document["findings"] = [{"level": finding.level, "text": finding.text} for finding in found]
    return {**document, **results}


def _check_name(name: str) -> None:
    problem = trust.name_problem(name)
    if not name or name.startswith("."):
        problem = "it may neither be empty nor begin with a dot"
    if problem:
        raise OptionError("name", f"it is the name of a file without its suffix; {problem}")


def _check_dest(dest: str) -> None:
    if not _is_path(dest):
        raise OptionError("dest", "it has a NUL character or half of a surrogate pair, which no path has")


def _is_path(text: str) -> bool:
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def _check_results(options: t.Mapping[str, t.Any]) -> None:
    """A report without a part because of a slip of the pen would tell that all is well."""
    modules = {"processes": "gp_process_info", "groups": "gp_resource_group_info"}
    for key, module in modules.items():
        for option in (key, f"{key}_after"):
            result = options[option]
            if result and not {key, "failed", "skipped", "unreachable"} & set(result):
                raise OptionError(option, f"it is no result of {module}, which has {key} or says that it failed")
