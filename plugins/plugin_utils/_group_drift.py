# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: what gp_resource_group would change -> the drift in plain words, and as JUnit XML. Private to the collection.

An examination is what one host came to: problem, a text that is empty if there was none; groups, as
gp_resource_group returns them; declared, what was asked for.
"""

from __future__ import annotations

import typing as t
import xml.etree.ElementTree as ET

from ansible_collections.gpops.toolkit.plugins.module_utils._core.visible import in_one_line

_SUITES = "resource groups"

Groups = t.Sequence[t.Mapping[str, t.Any]]
Examinations = t.Mapping[str, t.Mapping[str, t.Any]]


def findings(groups: Groups, host: str) -> list[dict[str, t.Any]]:
    """Each difference of one host: host, group, option, is, should_be, and text, all of it."""
    return [_finding(host, group["name"], *difference) for group in groups for difference in _differences(group)]


def _differences(group: t.Mapping[str, t.Any]) -> t.Iterator[tuple[str, t.Any, t.Any]]:
    before, after = group["before"], group["after"]
    if before is None or after is None:
        if before != after:
            yield "state", _state(before), _state(after)
        return
    for option in sorted({*before, *after}):
        if before.get(option) != after.get(option):
            yield option, before.get(option), after.get(option)


def _state(group: t.Mapping[str, t.Any] | None) -> str:
    return "absent" if group is None else "present"


def _finding(host: str, group: str, option: str, now: t.Any, wanted: t.Any) -> dict[str, t.Any]:
    text = f"{host}: group {group}: {option} is {_shown(now)}, should be {_shown(wanted)}"
    return {"host": host, "group": group, "option": option, "is": now, "should_be": wanted, "text": in_one_line(text)}


def _shown(value: t.Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "empty"
    return "not set" if value is None else str(value)


def junit(examinations: Examinations) -> str:
    """A test suite for each host, with a test case for each group: passed, failed by drift, or in error."""
    root = ET.Element("testsuites", name=_SUITES)
    for host in examinations:
        root.append(_suite(host, examinations[host]))
    for count in ("tests", "failures", "errors"):
        root.set(count, str(sum(int(suite.attrib[count]) for suite in root)))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(host: str, examination: t.Mapping[str, t.Any]) -> ET.Element:
    suite = ET.Element("testsuite", name=in_one_line(host))
    for name, tag, lines in _cases(host, examination):
        case = ET.SubElement(suite, "testcase", name=in_one_line(name), classname=in_one_line(host))
        if tag:
            # The message is what a list of tests shows, the text what it shows on request.
            element = ET.SubElement(case, tag, type=tag, message=in_one_line(lines[0]))
            element.text = "\n".join(map(in_one_line, lines))
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("errors", str(len(suite.findall("testcase/error"))))
    return suite


def _cases(host: str, examination: t.Mapping[str, t.Any]) -> t.Iterator[tuple[str, str, list[str]]]:
    """Of each group its name, the tag that says how it came out, and why."""
    if examination["problem"]:
        for name in _declared(examination["declared"]) or [_SUITES]:
            yield name, "error", [" ".join(examination["problem"].split())]
        return
    for group in examination["groups"]:
        lines = [found["text"] for found in findings([group], host)]
        yield group["name"], "failure" if lines else "", lines


def _declared(entries: t.Any) -> list[str]:
    """The names, of whatever was declared: it may be what the problem is."""
    if not isinstance(entries, (list, tuple)):
        return []
    return [str(entry["name"]) for entry in entries if isinstance(entry, t.Mapping) and entry.get("name")]
