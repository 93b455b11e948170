# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of the role gp_remediation and its playbooks that say what a runbook is, from the record of each.

The words for options are those of gp_policy, and of the fragment for those that are none of its.
"""

from __future__ import annotations

import re
import textwrap
import typing as t
from pathlib import Path

import yaml
from ansible_collections.gpops.toolkit.plugins.doc_fragments import policies, remediation, unknown_names
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.options import OPTIONS as GROUP_OPTIONS
from ansible_collections.gpops.toolkit.plugins.plugin_utils._runbooks import settings
from ansible_collections.gpops.toolkit.plugins.plugin_utils._runbooks.runbooks import RUNBOOKS, Runbook

from pages.rst import ROOT

Spec = dict[str, t.Any]
ROLE = ROOT / "roles" / "gp_remediation"
LICENCE = """---
# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""
HEAD = LICENCE + (
    '# Written by "make pages" from plugins/plugin_utils/_runbooks/runbooks.py and the documentation of gp_policy.\n'
)
_WIDTH = 88
_CONNECTION: Spec = {
    "description": [
        "Options of the connection, C(login_host) and so on, as for M(gpops.toolkit.gp_process_info).",
        "Without it the PG* environment counts.",
    ],
    "type": "dict",
}
# Settings of the run that every playbook names.
_OF_EVERY_PLAYBOOK = (
    ("gp_hosts", "hosts pattern; each host is a cluster (default: all)"),
    ("gp_connection", "dictionary of login_* options (default: the PG* environment)"),
    ("gp_remediation_mode", "report or enforce (default: report, which sends nothing)"),
)


class _Dumper(yaml.SafeDumper):
    """Writes lists as the linter wants them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002  # Its signature
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: t.Any) -> bool:  # noqa: ARG002  # Its signature
        return True


def documented(module: str) -> Spec:
    """The options of a module, as its documentation has them."""
    source = (ROOT / "plugins" / "modules" / f"{module}.py").read_text(encoding="utf-8")
    found = re.search(r'^DOCUMENTATION = r"""(.*?)"""', source, re.DOTALL | re.MULTILINE)
    assert found
    return t.cast("Spec", yaml.safe_load(found.group(1))["options"])


def _fragment(text: str) -> Spec:
    return t.cast("Spec", yaml.safe_load(text)["options"])


_POLICY = _fragment(policies.ModuleDocFragment.DOCUMENTATION)["policies"]["suboptions"]
# Of gp_policy, beside its policies and the connection.
OF_THE_MODULE = {**documented("gp_policy"), **_fragment(unknown_names.ModuleDocFragment.DOCUMENTATION)}
_SOURCES = {
    **_POLICY,
    **OF_THE_MODULE,
    **_fragment(remediation.ModuleDocFragment.DOCUMENTATION),
}


def settings_of(runbook: Runbook) -> list[str]:
    """The settings that it takes, as they are documented."""
    names = [*settings.RUN_OPTIONS, *settings.REPORT_OPTIONS, *runbook.own]
    if runbook.policy is not None or "policies" in runbook.own:
        names += [*settings.CARE_OPTIONS, settings.MESSAGE]
    if runbook.policy is not None:
        names += [*settings.CHOICE_OPTIONS, *runbook.takes]
    return sorted(set(names))


_TAKERS = {name: {book.name for book in RUNBOOKS.values() if name in settings_of(book)} for name in _SOURCES}


def _default(runbook: Runbook, name: str, source: Spec) -> t.Any:
    if name == "max_share":
        return runbook.max_share
    for more in runbook.unless.values():
        if name in more:
            return more[name]
    return (runbook.policy or {}).get(name, source.get("default"))


def _words(text: str, of: str) -> str:
    """The words of an option in which others are named as settings, if all that have it have those, too."""

    def named(found: re.Match[str]) -> str:
        name, rest = found.group(1), found.group(2)
        if name not in _TAKERS or not _TAKERS[name]:
            return f"C({name}{rest})"
        mark = "O" if _TAKERS[of] <= _TAKERS[name] else "C"
        return f"{mark}({settings.PREFIX}{name}{rest})"

    return re.sub(r"O\((?:policies\[\]\.)?(\w+)([^)]*)\)", named, text)


def _spec(runbook: Runbook, name: str) -> Spec:
    source = _SOURCES[name]
    texts = _texts(source)
    if name in runbook.words:
        texts = [runbook.words[name]]
    if name in runbook.says_itself:
        texts = [f"Not to be set here: {runbook.says_itself[name]}"]
    spec: Spec = {"description": [_words(text, name) for text in texts], **_kind(source)}
    if name in runbook.required:
        spec["required"] = True
    default = None if name in (*runbook.says_itself, *runbook.refuses) else _default(runbook, name, source)
    if default is not None and default != "":
        spec["default"] = str(default) if source["type"] == "str" else default
    if "suboptions" in source:
        spec["options"] = {key: _part(part) for key, part in source["suboptions"].items()}
    if name == "boost":
        module = documented("gp_resource_group")
        spec["options"] = {key: _part(module[key]) for key in GROUP_OPTIONS if key in module}
    return spec


def _part(source: Spec) -> Spec:
    words = [re.sub(r"O\((?:policies\[\]\.)?", "C(", text) for text in _texts(source)]
    return {"description": words, **_kind(source)}


def _texts(source: Spec) -> list[str]:
    found = source["description"]
    return [found] if isinstance(found, str) else list(found)


def _kind(source: Spec) -> Spec:
    return {key: source[key] for key in ("type", "elements", "choices") if key in source}


def _dumped(value: t.Any, indent: int) -> str:
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=_WIDTH - indent, allow_unicode=True)
    return textwrap.indent(text, " " * indent)


def argument_specs() -> str:
    """The file meta/argument_specs.yml. What is the same in several entry points stands once."""
    lines = [HEAD, "argument_specs:\n"]
    anchors: dict[str, str] = {}
    for runbook in RUNBOOKS.values():
        head = {
            "short_description": runbook.short,
            "version_added": runbook.since,
            "description": [*runbook.description, *_first(runbook)],
        }
        lines.append(f"  {runbook.name}:\n{_dumped(head, 4)}    options:\n")
        lines.append(_option("gp_connection", _CONNECTION, anchors))
        lines += [_option(settings.PREFIX + name, _spec(runbook, name), anchors) for name in settings_of(runbook)]
        lines.append("\n")
    return "".join(lines).rstrip("\n") + "\n"


def _first(runbook: Runbook) -> tuple[str, str]:
    """What to know first: among all settings, which people look for, sorted by their names, the few that matter."""
    shown = [("mode", "V(report), which sends nothing, unless it is V(enforce)"), *runbook.shown]
    named = "; ".join(f"O({settings.PREFIX}{name}), {words}" for name, words in shown)
    return f"What matters most: {named}.", f"Try C({_command(runbook)})"


def _command(runbook: Runbook) -> str:
    return f"ansible-playbook gpops.toolkit.{runbook.called} -i inventory {runbook.example}".rstrip()


def _option(name: str, spec: Spec, anchors: dict[str, str]) -> str:
    text = _dumped(spec, 8)
    known = anchors.get(f"{name} {text}")
    if known:
        return f"      {name}: *{known}\n"
    short = name.removeprefix(settings.PREFIX)
    same = sum(key.startswith(f"{name} ") for key in anchors)
    anchor = f"{short}_{same + 1}" if same else short
    anchors[f"{name} {text}"] = anchor
    return f"      {name}: &{anchor}\n{text}"


def tasks(runbook: Runbook) -> str:
    """Its tasks file, if it is one policy."""
    return f"""{HEAD}
# {_wrapped(runbook.about)}

- name: {runbook.task}
  ansible.builtin.import_tasks: _policy.yml
  vars:
    __gp_remediation_runbook: {runbook.name}
"""


def _wrapped(text: str) -> str:
    return "\n# ".join(textwrap.wrap(text, 118))


def playbook(runbook: Runbook) -> str:
    """Its playbook."""
    rows = [*_OF_EVERY_PLAYBOOK, *((settings.PREFIX + name, words) for name, words in runbook.shown)]
    width = max(len(name) for name, _words_of in rows)
    table = "\n".join(f"# {name:{width}}  {words}" for name, words in rows)
    part = "" if runbook.name == "main" else f"\n        tasks_from: {runbook.name}"
    return f"""{LICENCE}# {runbook.about}
#
#   {_command(runbook)}
#
{table}
#
# All others: ansible-doc -t role gpops.toolkit.gp_remediation -e {runbook.name}

- name: {runbook.title}
  hosts: "{{{{ gp_hosts | default('all') }}}}"
  connection: local
  gather_facts: false
  vars:
    # Whoever runs the playbook talks to the database; an interpreter in the inventory wins.
    ansible_python_interpreter: >-
      {{{{ hostvars[inventory_hostname].ansible_python_interpreter
         | default(ansible_playbook_python if ansible_connection == 'local' else 'auto') }}}}
  tasks:
    - name: {runbook.title}
      ansible.builtin.import_role:
        name: gpops.toolkit.gp_remediation{part}
"""


def files() -> dict[Path, str]:
    """Each file that is made, and what is to stand in it."""
    made = {ROLE / "meta" / "argument_specs.yml": argument_specs()}
    for runbook in RUNBOOKS.values():
        made[ROOT / "playbooks" / f"{runbook.called}.yml"] = playbook(runbook)
        if runbook.task:
            made[ROLE / "tasks" / f"{runbook.name}.yml"] = tasks(runbook)
    return made
